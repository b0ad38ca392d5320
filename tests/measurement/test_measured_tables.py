"""The particle table: what is in it, what is left out and why, and what is refused."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_shapes import disc, touching_scene

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.measurement import (
    COLUMNS,
    DECISIONS,
    MeasureSettings,
    agglomerates,
    column,
    decide,
    describe_rules,
    fractal_dimension,
    judge,
    measure,
    pool,
    summarize,
)
from napari_sem_tools.measurement.doubt import RULES
from napari_sem_tools.measurement.edge import bands_of, boundary_of, touches
from napari_sem_tools.measurement.shape import Particles
from napari_sem_tools.micrograph import Calibration, Micrograph, Segmentation
from napari_sem_tools.statistics.edge_weights import weights_of_boxes

FLAT = MeasureSettings(leave_out_doubtful=False)


def image_of(labels: np.ndarray, **options: object) -> Micrograph:
    """Return a picture with bright particles and some noise."""
    noise = np.random.default_rng(0).normal(0, 5, labels.shape)
    return Micrograph((60 + 100 * (labels > 0) + noise).astype(np.uint8), **options)


def discs(*places: tuple[int, int, float], shape: tuple[int, int] = (100, 120)) -> np.ndarray:
    """Draw discs (row, column, diameter), numbered from 1."""
    labels = np.zeros(shape, np.int32)
    for number, (y, x, d) in enumerate(places, 1):
        labels[disc(d, shape, (y, x))] = number
    return labels


def test_index_columns_come_first_then_size_shape_intensity_neighbours() -> None:
    labels = discs((30, 30, 20))
    calibrated = image_of(labels, calibration=Calibration((2.0, 2.0), "typed"))
    table = measure(labels, calibrated, settings=MeasureSettings(inscribed=True))
    assert table.index.name == "label"
    assert list(table.columns) == [row.name for row in COLUMNS]
    assert list(table.columns[:3]) == ["image", "centroid_y_px", "centroid_x_px"]
    groups = [row.group for row in COLUMNS]
    assert groups == sorted(groups, key=["index", "size", "shape", "intensity", "neighbours"].index)


def test_decisions_by_hand_are_columns_of_the_table_of_columns() -> None:
    table = decide(measure(discs((30, 30, 20)), np.zeros((100, 120))), [1], False)
    known = {row.name for row in COLUMNS + DECISIONS}
    assert set(table.columns) <= known and "by_hand" in table
    assert all(column(row.name) is row and row.formula for row in DECISIONS)


def test_without_a_pixel_size_columns_in_nm_are_absent() -> None:
    labels = discs((30, 30, 20))
    table = measure(labels, image_of(labels))
    assert not [name for name in table.columns if "_nm" in name]
    assert table.attrs["unit"] == "px" and any("px" in note for note in table.attrs["notes"])


def test_lengths_in_nm_are_those_in_px_times_the_pixel() -> None:
    labels = touching_scene(np.random.default_rng(1))
    table = measure(labels, image_of(labels, calibration=Calibration((0.7, 0.7), "tag")))
    for name in [n for n in table.columns if n.endswith("_nm")]:
        assert table[name].to_numpy() == pytest.approx(
            0.7 * table[name[:-2] + "px"].to_numpy(), nan_ok=True
        )


def test_attributes_of_a_table_survive_json() -> None:
    labels = discs((30, 30, 20))
    image = image_of(labels, calibration=Calibration((2.0, 2.0), "typed"), data_bar=(90, 95))
    attributes = measure(labels, image).attrs
    assert json.loads(json.dumps(attributes))["calibration"]["pixel_size"] == [2.0, 2.0]
    assert attributes["settings"] == MeasureSettings().to_dict()
    assert attributes["field_px"] == 95 * 120 and attributes["version"]


@pytest.mark.parametrize("margin", [0, 1, 2])
@pytest.mark.parametrize("free", [0, 1, 2, 3])
@pytest.mark.parametrize("side", ["top", "bottom", "left", "right", "bar"])
def test_a_particle_nearer_than_the_margin_to_a_boundary_is_cut(
    margin: int, free: int, side: str
) -> None:
    labels = np.zeros((60, 60), int)
    first = {"top": free, "left": free, "bottom": 60 - free - 8, "right": 60 - free - 8}
    row, column = first.get(side, 30), 30
    if side in ("left", "right"):
        row, column = 20, first[side]
    if side == "bar":
        row = 50 - free - 8
    labels[row : row + 8, column : column + 8] = 1
    bar = (50, 54) if side == "bar" else None
    settings = MeasureSettings(edge_margin_px=margin)
    table = measure(labels, image_of(labels, data_bar=bar), settings=settings)
    assert table["edge"].item() == (free < margin)
    assert table["included"].item() == (free >= margin)
    assert table["doubt_reason"].item() == ("edge" if free < margin else "")


def test_picture_below_the_data_bar_is_measured_and_its_upper_edge_cuts() -> None:
    labels = np.zeros((80, 80), int)
    labels[54:62, 10:20], labels[60:70, 40:50] = 1, 2
    table = measure(labels, image_of(labels, data_bar=(50, 54)))
    assert table["edge"].tolist() == [True, False]


def test_a_particle_beside_letters_is_covered_but_not_cut() -> None:
    labels = discs((30, 30, 20), (30, 80, 20), (70, 60, 20))
    marks = np.zeros(labels.shape, bool)
    marks[18:42, 40:43] = True  # a stroke that covers the right end of the first disc
    field = ~marks
    field[:, 90:] = False  # what the user left out cuts the second one
    labels[~field] = 0
    table = measure(labels, image_of(labels, field=field, marks=marks))
    assert table["edge"].tolist() == [False, True, False]
    assert table["covered"].tolist() == [True, False, False]
    assert table.loc[1, "doubt_reason"] == "covered"
    unknown = measure(labels, image_of(labels, field=field))
    assert unknown["edge"].tolist() == [True, True, False]


def test_cut_particles_may_be_kept_in_the_statistics() -> None:
    labels = discs((5, 30, 20), (60, 60, 20))
    kept = measure(labels, image_of(labels), settings=MeasureSettings(leave_out_edge=False))
    assert kept["edge"].tolist() == [True, False] and kept["included"].all()


def test_letters_in_the_data_bar_are_no_place_for_a_particle() -> None:
    labels = np.zeros((80, 80), int)
    labels[40:50, 20:30] = 1
    bar = np.zeros(labels.shape, bool)
    bar[50:60] = True
    table = measure(labels, image_of(labels, data_bar=(50, 60), marks=bar))
    assert table["edge"].tolist() == [True]


def test_what_lies_outside_the_field_is_not_counted_and_said() -> None:
    labels = discs((30, 30, 20), (85, 60, 20), (95, 20, 6))
    table = measure(labels, image_of(labels, data_bar=(85, 100)))
    assert table.index.tolist() == [1, 2]
    assert table.loc[2, "area_px"] == (labels[:85] == 2).sum()
    assert any("outside the field" in note for note in table.attrs["notes"])


def dumbbell(overlap: int) -> np.ndarray:
    return np.minimum(discs((50, 40, 30)) + discs((50, 70 - overlap, 30)), 1)


CASES = {
    "too small": (discs((30, 30, 4)), {}),
    "merged": (dumbbell(1), {}),
    "fragment": (np.where(disc(8, (100, 120), (50, 65)), 2, discs((50, 50, 30))), {}),
}


@pytest.mark.parametrize("reason", CASES)
def test_a_doubtful_particle_names_its_reason_and_is_left_out(reason: str) -> None:
    labels, options = CASES[reason]
    table = measure(labels, image_of(labels, **options))
    row = table.iloc[-1]
    assert reason in row["doubt_reason"].split(", ")
    assert row["doubtful"] and not row["included"]
    off = measure(labels, image_of(labels, **options), settings=FLAT).iloc[-1]
    assert not off["doubtful"] and off["included"] and off["doubt_reason"] == ""


def test_a_particle_that_does_not_stand_out_has_low_contrast() -> None:
    labels = discs((30, 30, 20), (60, 80, 20))
    grey = np.random.default_rng(2).normal(100, 10, labels.shape)
    grey[labels == 2] -= 40  # darker particles stand out as well
    table = measure(labels, Micrograph(grey.astype(np.float32)))
    assert table["doubt_reason"].tolist() == ["low contrast", ""]


def test_a_particle_that_the_segmentation_is_unsure_of_has_low_confidence() -> None:
    labels = discs((30, 30, 20), (60, 80, 20))
    found = Segmentation(labels, np.array([0.9, 0.1], np.float32), "threshold")
    table = measure(found, image_of(labels))
    assert table["confidence"].tolist() == pytest.approx([0.9, 0.1])
    assert table["doubt_reason"].tolist() == ["", "low confidence"]
    assert table.attrs["method"] == "threshold"


@pytest.mark.parametrize("d", [6, 8, 12, 20, 50])
def test_convex_particles_of_any_size_are_not_doubtful(d: int) -> None:
    labels = discs((50.3, 60.4, d))
    table = measure(labels, image_of(labels))
    assert table["included"].all() and (table["doubt_reason"] == "").all()


def test_a_moved_threshold_acts_on_the_table_alone() -> None:
    labels = discs((30, 30, 20), (60, 80, 9))
    table = measure(labels, image_of(labels))
    assert table["included"].all()
    again = judge(table, MeasureSettings(min_ecd_px=12))
    assert again["doubt_reason"].tolist() == ["", "too small"]
    assert again.attrs["settings"]["min_ecd_px"] == 12
    assert table["included"].all() and table.attrs["settings"]["min_ecd_px"] == 5
    back = judge(again, MeasureSettings())
    pd.testing.assert_frame_equal(back, table)


def test_a_threshold_on_the_score_acts_on_the_table_alone() -> None:
    labels = discs((30, 30, 20), (60, 80, 7))
    table = measure(labels, image_of(labels))
    assert table["doubt_score"].iloc[0] < 0.2 and 0.25 < table["doubt_score"].iloc[1] < 0.5
    assert not table["doubtful"].any()
    stricter = judge(table, MeasureSettings(max_doubt=0.25))
    assert stricter["doubt_reason"].tolist() == ["", "too small"]
    assert stricter["doubt_score"].tolist() == table["doubt_score"].tolist()
    assert "0.25" in describe_rules(MeasureSettings(max_doubt=0.25))
    assert judge(stricter, MeasureSettings(max_doubt=1, min_ecd_px=900))["included"].all()


def test_the_score_is_a_half_where_a_rule_is_at_its_setting() -> None:
    labels = discs((30, 30, 20))
    table = measure(labels, image_of(labels))
    for name, value in (("ecd_px", "min_ecd_px"), ("edge_contrast", "min_contrast")):
        at = MeasureSettings(**{value: float(table[name].item())})
        assert judge(table, at)["doubt_score"].item() == pytest.approx(0.5, abs=1e-9)


def test_a_decision_by_hand_wins_and_is_recorded() -> None:
    labels = discs((30, 30, 20), (60, 80, 4), (5, 60, 20))
    table = measure(labels, image_of(labels))
    assert table["included"].tolist() == [True, False, False]
    decided = decide(table, [2], True, by="A. N.", why="small, but real")
    decided = decide(decided, [1, 3], False, why="charging")
    assert decided["included"].tolist() == [False, True, False]
    assert decided["by_hand"].tolist() == ["left out", "counted", "left out"]
    assert decided["doubtful"].tolist() == table["doubtful"].tolist()
    record = json.loads(json.dumps(decided.attrs["decisions"]))
    assert record[0] == {"labels": [2], "included": True, "by": "A. N.", "why": "small, but real"}
    assert judge(decided, MeasureSettings(min_ecd_px=12))["included"].tolist() == [
        False,
        True,
        False,
    ]
    back = decide(decided, [1, 2, 3], None)
    assert back["included"].tolist() == table["included"].tolist()
    assert len(back.attrs["decisions"]) == 3 and "decisions" not in table.attrs
    with pytest.raises(InvalidSettings, match="9"):
        decide(table, [9], False)


def chains(
    seed: int, sizes: list[int], shape: tuple[int, int] = (900, 900)
) -> tuple[np.ndarray, list[int]]:
    """Draw straight and bent rows of touching discs of 10 px, one agglomerate a line."""
    rng, labels, number = np.random.default_rng(seed), np.zeros(shape, np.int32), 0
    for line, size in enumerate(sizes):
        y, x = 25.0 + 38 * line, 20.0
        for _ in range(size):
            number += 1
            spot = disc(11, shape, (y, x)) & (labels == 0)
            labels[spot] = number
            x += 10
            y += rng.choice([-1, 0, 1])
    return labels, sizes


def test_agglomerates_are_counted_with_their_primary_particles() -> None:
    labels, sizes = chains(1, [1, 2, 5, 12])
    table = measure(labels, image_of(labels, calibration=Calibration((3.0, 3.0), "typed")))
    assert sorted(table["agglomerate_primaries"].unique().tolist()) == sizes
    groups = agglomerates(table).sort_values("primaries")
    assert groups["primaries"].tolist() == [2, 5, 12]
    pixels = np.argwhere(np.isin(labels, table.index[table["agglomerate_primaries"] == 12]))
    truth = 3 * np.sqrt(pixels.var(axis=0).sum())
    assert groups["gyration_radius"].iloc[-1] == pytest.approx(truth, rel=1e-9)
    assert groups["primary_radius"].to_numpy() == pytest.approx(3 * 5.4, rel=0.05)


def test_rows_of_discs_have_a_fractal_dimension_near_one_and_few_agglomerates_none() -> None:
    sizes = [2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 24, 30, 36, 40, 7, 9, 14, 26, 33, 22]
    labels, _ = chains(2, sizes)
    table = measure(labels, image_of(labels))
    found = fractal_dimension(table)
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(1.0, abs=0.15) and found.n == len(sizes)
    with pytest.raises(InvalidSettings, match="agglomerates"):
        fractal_dimension(table[table["agglomerate"] < 10])
    with pytest.raises(InvalidSettings, match="touch"):
        agglomerates(measure(labels, image_of(labels), settings=MeasureSettings(neighbours=False)))


def test_the_perimeter_takes_the_directions_that_are_set() -> None:
    labels = discs((50, 60, 41))
    found = [
        measure(labels, image_of(labels), settings=MeasureSettings(perimeter_directions=n))
        for n in ("2", "4", "8")
    ]
    lengths = [table["perimeter_px"].item() for table in found]
    assert len(set(lengths)) == 3 and lengths == pytest.approx([41 * np.pi] * 3, rel=0.02)
    flat = image_of(labels, calibration=Calibration((3.0, 2.0), "typed"))
    with pytest.raises(InvalidSettings, match="square"):
        measure(labels, flat, settings=MeasureSettings(perimeter_directions="8"))


def test_wrong_particles_score_higher_than_right_ones() -> None:
    tool = Path(__file__).resolve().parents[2] / "benchmarks" / "doubt_rules.py"
    drawn = runpy.run_path(str(tool))
    drawn["scores"].__globals__["GRID"] = 8
    rng = np.random.default_rng(3)
    right = drawn["scores"](rng, "right")
    assert np.mean(right > 0.5) < 0.05
    for kind in drawn["KINDS"]:
        assert drawn["auroc"](drawn["scores"](rng, kind), right) > 0.97, kind


def test_the_rules_are_told_with_their_numbers() -> None:
    text = describe_rules(MeasureSettings(min_ecd_px=6.5))
    assert "6.5 px" in text
    assert all(rule.reason in text for rule in RULES)
    assert "kept in" in describe_rules(MeasureSettings(leave_out_edge=False))


def test_an_empty_label_image_gives_an_empty_table_with_all_columns() -> None:
    labels = np.zeros((40, 50), np.uint16)
    full = measure(discs((20, 20, 10), shape=(40, 50)), image_of(labels))
    table = measure(labels, image_of(labels), settings=MeasureSettings(inscribed=True))
    assert not len(table) and set(full.columns) < set(table.columns)
    assert {n: t.kind for n, t in full.dtypes.items()} == {
        n: table[n].dtype.kind for n in full.columns
    }
    assert summarize(table).n == 0


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros((40, 40)), "whole numbers"),
        (np.zeros((40, 40), bool), "whole numbers"),
        (np.zeros((40, 41), int), "do not fit"),
        (np.zeros(40, int), "axes"),
        (np.full((40, 40), -3), "-3"),
        (np.zeros((2, 40, 40), int), "do not fit"),
    ],
)
def test_what_cannot_be_labels_is_refused_with_a_hint(labels: np.ndarray, said: str) -> None:
    with pytest.raises(InvalidSettings, match=said) as caught:
        measure(labels, np.zeros((40, 40), np.uint8))
    assert caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [{"edge_margin_px": -1}, {"min_solidity": 2}, {"min_ecd_px": "big"}, {"intensity": 3}],
)
def test_settings_out_of_range_are_refused_where_they_are_set(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(wrong))):
        MeasureSettings(**wrong)


@pytest.mark.parametrize("switch", ["corner_ferets", "intensity", "neighbours"])
def test_a_group_that_is_off_is_absent(switch: str) -> None:
    labels = discs((30, 30, 20))
    table = measure(labels, image_of(labels), settings=MeasureSettings(**{switch: False}))
    off = {row.name for row in COLUMNS if row.switch == switch}
    assert off and not off & set(table.columns)


def test_slices_of_a_stack_are_measured_each_by_itself() -> None:
    one, two = discs((30, 30, 20)), discs((40, 30, 20), (60, 80, 30))
    stack = np.stack([one, two])
    image = Micrograph(np.stack([image_of(one).pixels, image_of(two).pixels]))
    table = measure(stack, image)
    assert table["slice"].tolist() == [0, 1, 1]
    alone = measure(two, image.plane(1))
    rest = table[table["slice"] == 1].drop(columns="slice")
    pd.testing.assert_frame_equal(rest, alone, check_names=False)
    assert summarize(table).n_images == 2


def test_one_plane_of_labels_does_not_fit_a_stack() -> None:
    with pytest.raises(InvalidSettings, match="stack"):
        measure(np.zeros((8, 8), int), np.zeros((3, 8, 8), np.uint8))


def test_images_are_pooled_only_in_one_unit(tmp_path: Path) -> None:
    labels = discs((30, 30, 20))
    px = measure(labels, image_of(labels))
    nm = measure(labels, image_of(labels, calibration=Calibration((2.0, 2.0), "typed")))
    other = measure(labels, image_of(labels, calibration=Calibration((3.0, 3.0), "typed")))
    pooled = pool([nm, other])
    assert pooled["ecd_nm"].tolist()[1] == pytest.approx(1.5 * pooled["ecd_nm"].tolist()[0])
    assert [a["calibration"]["pixel_size"][0] for a in pooled.attrs["images"]] == [2, 3]
    with pytest.raises(InvalidSettings, match="none"):
        pool([px, nm])
    with pytest.raises(InvalidSettings):
        pool([])


def test_colour_and_float_images_give_grey_values() -> None:
    labels = discs((30, 30, 20))
    colour = np.zeros((*labels.shape, 3), np.uint8)
    colour[labels > 0] = (30, 60, 90)
    row = measure(labels, Micrograph(colour, axes="YXC")).loc[1]
    assert row["intensity_mean_grey"] == 60
    large = np.where(labels, 1e6, 0) + np.random.default_rng(3).normal(0, 1, labels.shape)
    row = measure(labels, Micrograph(large.astype(np.float64))).loc[1]
    assert row["intensity_sd_grey"] == pytest.approx(large[labels > 0].std(), rel=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_odd_grey_values_change_no_size(value: float) -> None:
    labels = discs((30, 30, 20), (60, 80, 20))
    grey = image_of(labels).pixels.astype(np.float32)
    grey[30, 30] = value
    table, plain = measure(labels, grey), measure(labels, image_of(labels))
    assert table["ecd_px"].tolist() == plain["ecd_px"].tolist()
    assert table.loc[2, "intensity_mean_grey"] == pytest.approx(grey[labels == 2].mean())


def test_the_page_of_columns_is_that_of_the_table() -> None:
    tool = Path(__file__).resolve().parents[2] / "tools" / "make_columns_page.py"
    written = runpy.run_path(str(tool))
    assert written["PAGE"].read_text(encoding="utf-8") == written["page"](), f"run {tool.name}"
    assert all(f"`{row.name}`" in written["page"]() for row in COLUMNS)


@pytest.mark.data
def test_the_default_rule_keeps_whole_particles_and_doubts_pieces(shared_data: Path) -> None:
    """Of the manual masks: class 1 is fully visible, class 3 a piece or mostly covered."""
    ndimage = pytest.importorskip("scipy.ndimage")
    imread = pytest.importorskip("skimage.io").imread
    folder, kept = shared_data / "bam", {1: [], 3: []}
    for path in sorted((folder / "masks").glob("*")):
        mask = imread(path) > 0
        mask[712:] = False
        pixels = imread(next((folder / "images").glob(f"{path.stem}*")))
        classes = imread(next((folder / "classes").glob(f"{path.stem}*")))
        labels = ndimage.label(mask)[0]
        table = measure(labels, Micrograph(pixels, data_bar=(712, 766)))
        kind = ndimage.maximum(classes, labels, table.index)
        for number, values in kept.items():
            values.extend(~table["doubtful"].to_numpy()[kind == number])
    assert np.mean(kept[1]) > 0.9
    assert np.mean(kept[3]) < 0.3


def test_colour_and_typed_pixel_size_of_a_bare_array_are_understood() -> None:
    labels = np.zeros((40, 50), int)
    labels[10:20, 10:20] = 1
    grey = (100 * (labels > 0)).astype(np.uint8)
    colour = np.stack([grey, grey, 0 * grey], axis=-1)
    assert measure(labels, colour).loc[1, "area_px"] == 100
    assert measure(labels, grey, pixel_size=2.0).loc[1, "area_nm2"] == 400
    assert measure(labels, grey, pixel_size=(3.0, 2.0)).loc[1, "area_nm2"] == 600


@pytest.mark.parametrize("margin", [0, 1, 3])
@pytest.mark.parametrize("bar", [None, (30, 36), (66, 72), (0, 5)])
def test_a_field_of_whole_rows_is_cut_and_weighed_as_any_other(
    margin: int, bar: tuple[int, int] | None
) -> None:
    labels = touching_scene(np.random.default_rng(margin), side=72, n=40)
    labels[20:50, 3:5] = 99  # lies on both sides of the bar
    image = image_of(labels, data_bar=bar)
    labels = np.where(image.field, labels, 0)
    particles = Particles(labels)
    bands = bands_of(image, margin)
    assert bands is not None
    boundary = boundary_of(image, margin)
    edge = touches(labels, particles.runs, boundary)
    box = particles.box
    weight = weights_of_boxes(~boundary, box.top, box.left, box.bottom, box.right)
    assert np.array_equal(bands.cut(particles.runs, particles.sums), edge)
    assert bands.weights(particles.sums) == pytest.approx(weight)
