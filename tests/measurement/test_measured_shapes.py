"""Every column is right on shapes with a known answer, alone, touching, turned and scaled."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from drawn_shapes import (
    CORNERS,
    MIDPOINTS,
    brute_hull,
    disc,
    smallest_circle,
    touching_scene,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import binary_fill_holes
from scipy.spatial import ConvexHull
from skimage.measure import perimeter_crofton, regionprops_table

from napari_sem_tools.measurement import COLUMNS, MeasureSettings, column, measure
from napari_sem_tools.measurement.hull import find_hulls
from napari_sem_tools.measurement.shape import Particles, coloured
from napari_sem_tools.micrograph import Calibration, Micrograph

ALL = MeasureSettings(inscribed=True)
NM = 2.5  # size of a pixel in the tests


def calibrated(labels: np.ndarray, grey: np.ndarray | None = None, **options: object) -> Micrograph:
    pixels = np.zeros(labels.shape, np.uint8) if grey is None else grey
    return Micrograph(pixels, Calibration((NM, NM), "typed"), **options)


def crofton(w: int, h: int) -> float:
    """Return the Crofton perimeter of a rectangle of whole pixels."""
    return math.pi / 4 * (w + h + math.sqrt(2) * (w + h - 1))


CORNER = 4  # pixels within 3 px of a corner pixel, in its outer quarter without the axes
W, H = 12, 5  # a rectangle in rows 10 to 14 and columns 20 to 31 of 40 x 50 pixels
F_MAX, F_MIN = math.hypot(W, H - 1), float(H)
HULL = math.sqrt(2) * 2 + 2 * (W - 1) + 2 * (H - 1)
AREA = float(W * H)
LENGTHS = {
    "ecd": math.sqrt(4 * AREA / math.pi),
    "feret_min": F_MIN,
    "feret_max": F_MAX,
    "feret_mean": HULL / math.pi,
    "feret_90": float(W),
    "feret_corner_min": float(H),
    "feret_corner_max": math.hypot(W, H),
    "feret_corner_mean": 2 * (W + H) / math.pi,
    "perimeter": crofton(W, H),
    "perimeter_hull": HULL,
    "axis_major": 4 * math.sqrt((W**2 - 1) / 12),
    "axis_minor": 4 * math.sqrt((H**2 - 1) / 12),
    "rect_length": float(W),
    "rect_width": float(H),
    "inscribed": 6.0,
    "enclosing": F_MAX,
    "neighbour_distance": math.nan,
}
P = LENGTHS["perimeter"]
TRUTH: dict[str, object] = {
    "image": "image",
    "centroid_y_px": 12.0,
    "centroid_x_px": 25.5,
    "edge": False,
    "edge_weight": 38 * 48 / ((39 - H) * (49 - W)),
    "doubtful": False,
    "doubt_reason": "",
    "included": True,
    "confidence": math.nan,
    "area_px": AREA,
    "area_nm2": AREA * NM**2,
    "area_filled_px": AREA,
    "area_filled_nm2": AREA * NM**2,
    "volume_sphere_px3": math.pi / 6 * LENGTHS["ecd"] ** 3,
    "volume_sphere_nm3": math.pi / 6 * (NM * LENGTHS["ecd"]) ** 3,
    **{f"{name}_px": value for name, value in LENGTHS.items()},
    **{f"{name}_nm": value * NM for name, value in LENGTHS.items()},
    "box_top_px": 10,
    "box_left_px": 20,
    "box_height_px": H,
    "box_width_px": W,
    "circularity": 4 * math.pi * AREA / P**2,
    "circularity_iso": math.sqrt(4 * math.pi * AREA) / P,
    "aspect_ratio": F_MAX / F_MIN,
    "ellipse_ratio": math.sqrt((W**2 - 1) / (H**2 - 1)),
    "elongation": 1 - F_MIN / F_MAX,
    "solidity": AREA / (AREA - 0.5),
    "convexity": HULL / P,
    "roundness": 4 * AREA / (math.pi * F_MAX**2),
    "compactness": math.sqrt(4 * AREA / math.pi) / F_MAX,
    "extent": AREA / (F_MAX * F_MIN),
    "extent_box": 1.0,
    "irregularity": 6.0 / F_MAX,
    "feret_corner_min_angle_deg": 90.0,
    "feret_corner_max_angle_deg": None,
    "doubt_score": 1 - math.sqrt(4 * AREA / math.pi) / 10,  # near the 5 px of "too small"
    "agglomerate": 1,
    "agglomerate_primaries": 1,
    "box_ratio": 1.0,
    "feret_min_angle_deg": 90.0,
    "feret_max_angle_deg": None,  # both diagonals are as long; see the turned ellipse
    "orientation_deg": 0.0,
    "shape_reliable": True,
    "intensity_mean_grey": 105.0,
    "intensity_sd_grey": 5.0,
    "intensity_min_grey": 100.0,
    "intensity_max_grey": 110.0,
    "edge_contrast": 55 / math.sqrt(W * H * 5**2 / (W * H + 6 * (W + H) + 4 * CORNER)),
    "covered": False,
    "touching": 0,
    "touching_ratio": math.nan,
}


@pytest.fixture(scope="module")
def rectangle() -> pd.Series:
    labels = np.zeros((40, 50), int)
    labels[10 : 10 + H, 20 : 20 + W] = 3
    stripes = np.where(np.arange(50) % 2, 110, 100)
    grey = np.where(labels, stripes, 50).astype(np.uint8)
    return measure(labels, calibrated(labels, grey), settings=ALL).loc[3]


@pytest.mark.parametrize("name", [row.name for row in COLUMNS])
def test_every_column_is_exact_on_a_rectangle(rectangle: pd.Series, name: str) -> None:
    if TRUTH[name] is None:
        assert np.isfinite(rectangle[name])
    elif isinstance(TRUTH[name], float):
        assert rectangle[name] == pytest.approx(TRUTH[name], nan_ok=True, rel=1e-12)
    else:
        assert rectangle[name] == TRUTH[name]


def test_the_rectangle_has_the_hull_area_that_was_assumed() -> None:
    mask = np.ones((H, W), bool)
    assert brute_hull(mask)[3] == pytest.approx(AREA - 0.5)


@pytest.mark.parametrize("row", COLUMNS, ids=lambda row: row.name)
def test_every_column_says_its_unit_formula_and_source(row) -> None:
    assert row.formula and row.source and row.title and row.tooltip
    assert not row.unit or row.name.endswith(f"_{row.unit}")
    assert row.needs_calibration == (row.unit in ("nm", "nm2", "nm3"))
    assert column(row.name) is row


def test_one_pixel_is_measured() -> None:
    p = Particles(np.pad([[1]], 2))
    found = (p.ferets, p.corner_ferets)
    assert [f.maximum[0] for f in found] == pytest.approx([1, math.sqrt(2)])
    assert [f.minimum[0] for f in found] == pytest.approx([math.sqrt(0.5), 1])
    assert p.perimeter[0] == pytest.approx(math.pi / 4 * (2 + math.sqrt(2)))
    assert (p.inscribed[0], p.axes[0][0], p.axes[1][0]) == (2, 0, 0)
    assert np.isnan(p.orientation[0]) and np.isnan(p.ellipse_ratio[0])


@pytest.mark.parametrize(("w", "h"), [(1, 7), (7, 1), (4, 4), (9, 2), (1, 1), (30, 17)])
def test_feret_diameters_of_rectangles_follow_their_formulas(w: int, h: int) -> None:
    p = Particles(np.pad(np.ones((h, w), int), 1))
    longest = math.sqrt(max(w**2 + (h - 1) ** 2, (w - 1) ** 2 + h**2))
    assert p.ferets.maximum[0] == pytest.approx(longest)
    assert p.ferets.minimum[0] == pytest.approx(min(w, h, (w + h - 1) / math.sqrt(2)))
    assert p.corner_ferets.maximum[0] == pytest.approx(math.hypot(w, h))
    assert p.corner_ferets.minimum[0] == pytest.approx(min(w, h))
    assert p.perimeter[0] == pytest.approx(crofton(w, h))


def test_a_diagonal_line_is_measured_along_and_across() -> None:
    p = Particles(np.eye(10, dtype=int))
    assert p.orientation[0] == pytest.approx(135)  # downwards to the right, on the screen
    assert p.ferets.maximum_angle[0] == pytest.approx(135, abs=4)
    assert p.ferets.minimum[0] == pytest.approx(math.sqrt(0.5))
    assert p.ferets.minimum_angle[0] == pytest.approx(45)
    assert p.axes[1][0] == 0


def test_a_ring_has_two_outlines_and_no_area_in_its_hole() -> None:
    centre = (32.3, 31.6)
    ring = disc(40, centre=centre) & ~disc(20, centre=centre)
    p = Particles(ring.astype(int))
    assert p.perimeter[0] == pytest.approx(math.pi * 60, rel=0.02)
    assert p.pixels[0] == ring.sum()
    assert p.area_filled[0] == disc(40, centre=centre).sum()


@given(hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
                  elements=st.sampled_from([0, 1, 1, 1, 2])))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_the_filled_area_is_that_of_the_mask_with_its_holes_filled(labels: np.ndarray) -> None:
    found = Particles(labels).area_filled
    filled = [binary_fill_holes(labels == name).sum() for name in np.unique(labels[labels > 0])]
    assert found.tolist() == filled


def test_another_particle_in_a_hole_counts_to_the_filled_area() -> None:
    labels = np.zeros((9, 9), int)
    labels[1:8, 1:8], labels[2:7, 2:7], labels[4, 4] = 5, 0, 2
    assert Particles(labels).area_filled.tolist() == [1, 49]
    labels[1, 4] = 0  # a way out by a side; by a corner there is none
    assert Particles(labels).area_filled.tolist() == [1, 23]


def test_parts_under_one_label_are_one_particle() -> None:
    labels = np.zeros((20, 30), int)
    labels[2:5, 2:5] = labels[15:18, 24:28] = 9
    p = Particles(labels)
    assert p.count == 1
    assert p.ferets.maximum[0] == pytest.approx(brute_hull(labels == 9)[0])
    assert p.perimeter[0] == pytest.approx(perimeter_crofton(labels == 9, 4))


labels_strategy = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 3)
)


@settings(max_examples=60, deadline=None)
@given(labels_strategy, st.floats(0.3, 3))
def test_hulls_of_noise_are_those_of_all_pairs_and_all_edges(
    labels: np.ndarray, ratio: float
) -> None:
    p = Particles(labels, ratio)
    for corners, offsets in ((False, MIDPOINTS), (True, CORNERS)):
        ferets = p.corner_ferets if corners else p.ferets
        hulls = find_hulls(p.chains, corners=corners)
        for i, label in enumerate(p.runs.labels):
            largest, smallest, length, area = brute_hull(labels == label, offsets, (ratio, 1))
            assert ferets.maximum[i] == pytest.approx(largest, rel=1e-9)
            assert ferets.minimum[i] == pytest.approx(smallest, rel=1e-9)
            assert hulls.perimeter((ratio, 1))[i] == pytest.approx(length, rel=1e-9)
            assert hulls.area((ratio, 1))[i] == pytest.approx(area, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(labels_strategy)
def test_a_hull_has_no_vertex_too_many(labels: np.ndarray) -> None:
    p = Particles(labels)
    for corners, offsets in ((False, MIDPOINTS), (True, CORNERS)):
        sizes = find_hulls(p.chains, corners=corners).sizes
        for size, label in zip(sizes, p.runs.labels, strict=True):
            points = np.argwhere(labels == label)[:, None] + np.asarray(offsets)
            assert size == len(ConvexHull(points.reshape(-1, 2)).vertices)


@settings(max_examples=40, deadline=None)
@given(labels_strategy)
def test_no_rectangle_along_an_edge_is_smaller_than_the_smallest(labels: np.ndarray) -> None:
    p = Particles(labels)
    for i, label in enumerate(p.runs.labels):
        points = (np.argwhere(labels == label)[:, None] + np.asarray(MIDPOINTS)).reshape(-1, 2)
        ring = points[ConvexHull(points).vertices]
        edges = np.roll(ring, -1, axis=0) - ring
        along = edges / np.hypot(*edges.T)[:, None]
        across = np.stack([along[:, 1], -along[:, 0]], axis=1)
        sides = np.stack([np.ptp(ring @ along.T, axis=0), np.ptp(ring @ across.T, axis=0)])
        length, width = p.ferets.rectangle_length[i], p.ferets.rectangle_width[i]
        assert length * width == pytest.approx(sides.prod(axis=0).min(), rel=1e-9)
        assert length >= width


def test_a_long_spike_beside_a_curve_keeps_its_hull() -> None:
    """Chains that lose one point a sweep must not be given up early."""
    labels = np.zeros((301, 400), int)
    for row in range(300):
        labels[row, int(380 - (row / 16) ** 2) :] = 1
    labels[300, 0:] = 1
    p = Particles(labels)
    largest, smallest, length, area = brute_hull(labels == 1)
    assert p.hull_area[0] == pytest.approx(area)
    assert p.hull_perimeter[0] == pytest.approx(length)
    assert (p.ferets.maximum[0], p.ferets.minimum[0]) == pytest.approx((largest, smallest))


@settings(max_examples=60, deadline=None)
@given(labels_strategy)
def test_columns_agree_with_scikit_image_where_definitions_do(labels: np.ndarray) -> None:
    p = Particles(labels)
    if not p.count:
        return
    names = ("area", "centroid", "bbox", "axis_major_length", "axis_minor_length")
    truth = regionprops_table(labels, properties=names)
    assert np.array_equal(p.pixels, truth["area"])
    assert p.moments.y == pytest.approx(truth["centroid-0"])
    assert p.moments.x == pytest.approx(truth["centroid-1"])
    assert p.axes[0] == pytest.approx(truth["axis_major_length"], abs=1e-6)
    assert p.axes[1] == pytest.approx(truth["axis_minor_length"], abs=1e-6)
    box = (p.box.top, p.box.left, p.box.bottom, p.box.right)
    assert all(np.array_equal(box[i], truth[f"bbox-{i}"]) for i in range(4))
    alone = [perimeter_crofton(labels == label, 4) for label in p.runs.labels]
    assert p.perimeter == pytest.approx(np.array(alone), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(labels_strategy, st.integers(0, 99))
def test_grey_values_and_boxes_agree_with_scikit_image(labels: np.ndarray, seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 60000, labels.shape).astype(np.uint16)
    table = measure(labels, calibrated(labels, grey))
    if not len(table):
        return
    names = ("intensity_mean", "intensity_std", "intensity_min", "intensity_max", "extent")
    names += ("equivalent_diameter_area", "orientation")
    truth = regionprops_table(labels, grey, properties=names)
    for statistic, theirs in (("mean", "mean"), ("sd", "std"), ("min", "min"), ("max", "max")):
        ours = table[f"intensity_{statistic}_grey"].to_numpy()
        assert ours == pytest.approx(truth[f"intensity_{theirs}"], rel=1e-9, abs=1e-6)
    assert table["extent_box"].to_numpy() == pytest.approx(truth["extent"])
    assert table["ecd_px"].to_numpy() == pytest.approx(truth["equivalent_diameter_area"])
    turned = np.degrees(truth["orientation"]) + 90 - table["orientation_deg"].to_numpy()
    known = np.isfinite(turned)
    assert np.abs((turned[known] + 90) % 180 - 90) == pytest.approx(0, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(labels_strategy)
def test_the_perimeter_with_two_directions_is_that_of_scikit_image(labels: np.ndarray) -> None:
    p = Particles(labels, directions=2)
    alone = [perimeter_crofton(labels == label, 2) for label in p.runs.labels]
    assert p.perimeter == pytest.approx(np.array(alone), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(labels_strategy)
def test_the_perimeter_with_eight_directions_counts_entries_along_all_of_them(
    labels: np.ndarray,
) -> None:
    p = Particles(labels, directions=8)
    weights = {1: 0.14758, 2: 0.10242 / math.sqrt(2), 5: 0.125 / math.sqrt(5)}
    steps = [(0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (1, -2), (2, 1), (2, -1)]
    rows, columns = labels.shape
    for i, label in enumerate(p.runs.labels):
        mask = np.pad(labels == label, 2)
        total = 0.0
        for down, right in steps:
            before = mask[2 - down : 2 - down + rows, 2 - right : 2 - right + columns]
            entries = np.count_nonzero(mask[2:-2, 2:-2] & ~before)
            total += weights[down**2 + right**2] * entries
        assert p.perimeter[i] == pytest.approx(math.pi * total, rel=1e-12)


@pytest.mark.parametrize(("directions", "worst"), [(2, 0.22), (4, 0.055), (8, 0.018)])
def test_the_perimeter_of_a_facet_errs_as_much_as_its_directions_allow(
    directions: int, worst: float
) -> None:
    y, x = np.mgrid[-200:200, -200:200] + 0.31
    errors = []
    for angle in np.radians(range(0, 46, 5)):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        square = (np.abs(along) <= 120) & (np.abs(across) <= 120)
        errors.append(Particles(square.astype(int), directions=directions).perimeter[0] / 960 - 1)
    assert np.abs(errors).max() < worst
    assert np.abs(errors).max() > 0.6 * worst


@settings(max_examples=40, deadline=None)
@given(labels_strategy, st.floats(0.4, 2.5))
def test_the_enclosing_circle_is_the_smallest_of_all_pairs_and_triples(
    labels: np.ndarray, ratio: float
) -> None:
    p = Particles(labels, ratio)
    for i, (begin, size) in enumerate(zip(p.hulls.offsets, p.hulls.sizes, strict=True)):
        ring = slice(begin, begin + size)
        points = np.stack([p.hulls.y[ring] * ratio / 2, p.hulls.x[ring] / 2], axis=1)
        assert p.enclosing[i] == pytest.approx(smallest_circle(points), rel=1e-9)
        assert p.ferets.maximum[i] <= p.enclosing[i] * (1 + 1e-12)
        assert p.enclosing[i] <= p.ferets.maximum[i] * 2 / math.sqrt(3) * (1 + 1e-12)  # Jung


@pytest.mark.parametrize(("d", "bias"), [(12, 0.064), (20, 0.042), (50, 0.018)])
def test_circles_in_and_around_discs_are_as_biased_as_known(d: int, bias: float) -> None:
    rng = np.random.default_rng(d)
    masks = [disc(d, centre=(32 + a, 32 + b)) for a, b in rng.random((60, 2))]
    found = np.array([Particles(mask.astype(int)).enclosing[0] for mask in masks])
    assert found.mean() / d - 1 == pytest.approx(bias, abs=0.004)


def test_a_touching_particle_is_measured_as_if_it_were_alone() -> None:
    labels = touching_scene(np.random.default_rng(4))
    together = measure(labels, calibrated(labels), settings=ALL)
    assert together["touching"].max() >= 3
    names = [r.name for r in COLUMNS if r.group in ("size", "shape")]
    for label in together.index:
        alone = measure(np.where(labels == label, label, 0), calibrated(labels), settings=ALL)
        pd.testing.assert_frame_equal(together.loc[[label], names], alone[names])


def test_touching_particles_never_share_a_colour() -> None:
    labels = touching_scene(np.random.default_rng(5), n=60)
    p = Particles(labels)
    colours = coloured(p.count, p.outlines.pairs)
    assert (colours >= 0).all()
    assert (colours[p.outlines.pairs[:, 0]] != colours[p.outlines.pairs[:, 1]]).all()


def test_touching_counts_neighbours_by_side_and_by_corner() -> None:
    labels = np.zeros((9, 9), int)
    labels[1:4, 1:4], labels[4:7, 4:7], labels[1:4, 4:8] = 1, 2, 3
    table = measure(labels, calibrated(labels))
    assert table["touching"].tolist() == [2, 2, 2]
    assert table["touching_ratio"].tolist() == pytest.approx([9 / 12, 9 / 12, 12 / 9])


def test_edge_contrast_compares_with_a_ring_three_pixels_wide() -> None:
    labels = np.zeros((30, 30), int)
    labels[10:20, 10:20] = 1
    grey = np.full((30, 30), 7, np.uint8)  # what lies farther away is never looked at
    grey[7:23, 7:23] = np.where(np.indices((16, 16)).sum(axis=0) % 2, 40, 60)
    grey[10:20, 10:20] = 200
    contrast = measure(labels, calibrated(labels, grey)).loc[1, "edge_contrast"]
    n_in, n_out = 100, 120 + 4 * CORNER
    assert contrast == pytest.approx(150 / math.sqrt(n_out * 10**2 / (n_in + n_out)), rel=1e-9)


def test_edge_contrast_looks_neither_into_other_particles_nor_out_of_the_field() -> None:
    labels = np.zeros((30, 30), int)
    labels[10:20, 10:20], labels[10:20, 21:30] = 1, 2
    grey = np.full((30, 30), 50, np.uint8)
    grey[0:9] = 255
    grey[labels == 1], grey[labels == 2] = 100, 255
    grey[15, 15] = 102
    field = np.ones((30, 30), bool)
    field[0:9] = False
    table = measure(labels, calibrated(labels, grey, field=field))
    inside = grey[10:20, 10:20].astype(float)
    n_out = 10 + 30 + 30 + 10  # above only one row is left, to the right one column
    n_out += 2 * (2 + CORNER)  # and at its corners, the upper ones with one row each
    sd = math.sqrt(100 * inside.var() / (100 + n_out))
    assert table.loc[1, "edge_contrast"] == pytest.approx((inside.mean() - 50) / sd)


def unchanged(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the columns that no turning changes."""
    angles = table.columns.str.contains("angle|orientation|centroid|box_|feret_90|rect|box_ratio")
    names = [n for n, a in zip(table.columns, angles, strict=True) if not a]
    return table[names]


@pytest.mark.parametrize("turn", ["rot90", "rot180", "flip_x", "flip_y", "transpose"])
def test_turning_and_mirroring_change_no_size(turn: str) -> None:
    labels = touching_scene(np.random.default_rng(6), side=50)
    grey = np.random.default_rng(7).integers(0, 255, labels.shape).astype(np.uint8)
    ways = {
        "rot90": np.rot90,
        "rot180": lambda a: np.rot90(a, 2),
        "flip_x": np.fliplr,
        "flip_y": np.flipud,
        "transpose": np.transpose,
    }
    turned = ways[turn](labels)
    one = measure(labels, calibrated(labels, grey), settings=ALL)
    two = measure(turned, calibrated(turned, ways[turn](grey)), settings=ALL)
    pd.testing.assert_frame_equal(unchanged(one), unchanged(two), rtol=1e-9)


def test_angles_turn_with_the_particle() -> None:
    y, x = np.mgrid[-30:31, -30:31]
    for degrees in (20, 65, 110, 155):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        along, across = x * c - y * s, x * s + y * c  # y points down on the screen
        p = Particles(((along / 25) ** 2 + (across / 8) ** 2 <= 1).astype(int))
        assert p.orientation[0] == pytest.approx(degrees, abs=0.5)
        assert p.ferets.maximum_angle[0] == pytest.approx(degrees, abs=3)
        assert p.ferets.minimum_angle[0] == pytest.approx((degrees + 90) % 180, abs=5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "uint32", "int64", "uint64"])
def test_numbering_and_type_of_labels_change_no_number(dtype: str) -> None:
    labels = touching_scene(np.random.default_rng(8))
    names = np.random.default_rng(9).permutation(200)[: labels.max() + 1] + 1
    if np.dtype(dtype).itemsize > 4:
        names = names * 10**15
    names[0] = 0
    one = measure(labels, calibrated(labels))
    two = measure(names[labels].astype(dtype), calibrated(labels))
    two = two.loc[names[one.index]].set_axis(one.index)
    pd.testing.assert_frame_equal(one, two)


def test_shifting_changes_only_places() -> None:
    labels = np.pad(touching_scene(np.random.default_rng(10)), 20)
    one = measure(labels, calibrated(labels))
    moved = np.roll(labels, (11, -7), axis=(0, 1))
    two = measure(moved, calibrated(moved))
    assert (two["centroid_y_px"] - one["centroid_y_px"]).to_numpy() == pytest.approx(11)
    assert (two["centroid_x_px"] - one["centroid_x_px"]).to_numpy() == pytest.approx(-7)
    names = [n for n in one.columns if not n.startswith(("centroid", "box_top", "box_left"))]
    pd.testing.assert_frame_equal(one[names], two[names], rtol=1e-9)


@pytest.mark.parametrize("k", [2, 5])
def test_magnifying_by_replication_scales_areas_and_corner_ferets_exactly(k: int) -> None:
    labels = touching_scene(np.random.default_rng(11), side=40)
    one, two = Particles(labels), Particles(np.kron(labels, np.ones((k, k), int)))
    assert np.array_equal(two.pixels, one.pixels * k**2)
    assert two.corner_ferets.maximum == pytest.approx(k * one.corner_ferets.maximum)
    assert two.corner_ferets.minimum == pytest.approx(k * one.corner_ferets.minimum)


def test_a_disc_on_flat_pixels_has_the_size_that_it_has_on_square_ones() -> None:
    y, x = np.ogrid[:400, :400]
    fine = np.hypot(y - 199.3, x - 201.1) <= 150
    flat = fine[1::3]  # pixels three times as high as wide
    image = Micrograph(np.zeros(flat.shape, np.uint8), Calibration((6.0, 2.0), "tag"))
    table = measure(flat.astype(int), image)
    row = table.loc[1]
    assert row["ecd_nm"] == pytest.approx(600, rel=2e-3)
    assert row["feret_max_nm"] == pytest.approx(600, rel=0.015)
    assert row["feret_min_nm"] == pytest.approx(600, rel=0.015)
    assert row["perimeter_nm"] == pytest.approx(math.pi * 600, rel=0.01)
    assert row["axis_major_nm"] == pytest.approx(600, rel=0.005)
    assert row["area_nm2"] == row["area_px"] * 12
    assert "ecd_px" not in table and any("not square" in n for n in table.attrs["notes"])


def test_a_turned_ellipse_on_flat_pixels_keeps_its_axes_and_direction() -> None:
    y, x = np.mgrid[-150:150, -150:150] + 0.5
    c, s = math.cos(math.radians(30)), math.sin(math.radians(30))
    fine = ((x * c - y * s) / 120) ** 2 + ((x * s + y * c) / 40) ** 2 <= 1
    row = measure(
        fine[1::3].astype(int),
        Micrograph(np.zeros((100, 300), np.uint8), Calibration((3.0, 1.0), "tag")),
    ).loc[1]
    assert row["axis_major_nm"] == pytest.approx(240, rel=0.01)
    assert row["axis_minor_nm"] == pytest.approx(80, rel=0.02)
    assert row["orientation_deg"] == pytest.approx(30, abs=0.5)
    assert row["area_px"] == fine[1::3].sum()


def test_a_round_particle_has_no_direction() -> None:
    p = Particles(disc(30, centre=(32.2, 31.7)).astype(int))
    assert p.ellipse_ratio[0] < 1.05
    assert np.isnan(p.orientation[0])


def test_order_of_diameters_holds_for_every_particle() -> None:
    labels = touching_scene(np.random.default_rng(12), side=90, n=70)
    p = Particles(labels)
    assert (p.ferets.minimum <= p.ferets.rectangle_width + 1e-9).all()
    assert (p.ferets.minimum <= p.hull_perimeter / np.pi).all()
    assert (p.hull_perimeter / np.pi <= p.ferets.maximum).all()
    assert (p.ecd <= p.corner_ferets.maximum).all()
    box = p.ferets.rectangle_length * p.ferets.rectangle_width
    assert (box <= p.ferets.minimum * p.ferets.across + 1e-9).all()
