"""The main job as a whole: what lies in the folder, and what bad inputs do to it."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import napari_sem_tools as sem
from napari_sem_tools.analysis import resolve
from napari_sem_tools.analysis.result import table_from_text, table_to_text
from napari_sem_tools.errors import (
    Cancelled,
    InvalidSettings,
    OutputExists,
    SemError,
    SemWarning,
    UnknownFormat,
    UnreadableFile,
)
from napari_sem_tools.simulation import write_sample
from napari_sem_tools.tiff import write_tiff

pytestmark = pytest.mark.usefixtures("threshold_by_default")

ALWAYS = {
    "report.html",
    "figure.png",
    "histogram.png",
    "sizes.csv",
    "particles.csv",
    "images.csv",
    "summary.json",
    "analysis.py",
}
NM = 2.0


def discs(radii: tuple[int, ...] = (8, 9, 10, 11, 12), *, size: int = 160) -> np.ndarray:
    """Bright discs on a dark ground, none at the edge."""
    image = np.full((size, size), 30, np.uint8)
    y, x = np.mgrid[:size, :size]
    for number, radius in enumerate(radii):
        row, column = divmod(number, 3)
        centre = (30 + 45 * row, 30 + 45 * column)
        image[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2] = 200
    return image


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    return write_tiff(
        tmp_path / "images" / "discs.tif", discs(), calibration=sem.Calibration((NM, NM), "typed")
    )


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def untouched(folder: Path) -> bool:
    """Neither results nor anything half done is there."""
    return not [p for p in folder.iterdir() if p.name.startswith(("out", ".out"))]


def test_an_image_becomes_a_folder_of_all_results(image_file: Path, tmp_path: Path) -> None:
    result = sem.analyze(image_file, tmp_path / "out")
    assert files_in(tmp_path / "out") == ALWAYS | {"labels/discs.tif"}
    assert result.summary == json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert not (tmp_path / "out.partial").exists()


def test_sizes_are_in_nm_and_are_those_of_the_discs(image_file: Path, tmp_path: Path) -> None:
    result = sem.analyze(image_file, tmp_path / "out")
    assert len(result.table) == 5
    expected = NM * 2 * np.array([8, 9, 10, 11, 12])
    np.testing.assert_allclose(np.sort(result.table["ecd_nm"]), expected, rtol=0.12)
    lines = (tmp_path / "out" / "sizes.csv").read_text().splitlines()
    assert lines[0] == "quantity,ecd_nm"
    sizes = [float(line.split(",")[1]) for line in lines[4:]]
    assert float(lines[1].split(",")[1]) == pytest.approx(np.mean(sizes))
    assert float(lines[2].split(",")[1]) == pytest.approx(np.median(sizes))
    assert float(lines[3].split(",")[1]) == pytest.approx(np.std(sizes, ddof=1))
    assert result.summary["statistics"]["nm"]["mean"] == pytest.approx(np.mean(sizes))


def test_labels_lie_on_the_grid_of_the_image_and_carry_its_pixel_size(
    image_file: Path, tmp_path: Path
) -> None:
    sem.analyze(image_file, tmp_path / "out")
    labels = sem.read(tmp_path / "out" / "labels" / "discs.tif")
    assert labels.shape == (160, 160)
    assert labels.calibration.pixel_size == pytest.approx((NM, NM))
    table = pd.read_csv(tmp_path / "out" / "particles.csv")
    assert set(table["label"]) == set(np.unique(labels.pixels)) - {0}


def test_without_a_pixel_size_there_is_no_column_in_nm(tmp_path: Path) -> None:
    with pytest.warns(SemWarning, match="Uncalibrated"):
        result = sem.analyze(discs(), tmp_path / "out")
    assert not [name for name in result.table if str(name).endswith(("_nm", "_nm2"))]
    assert (tmp_path / "out" / "sizes.csv").read_text().startswith("quantity,ecd_px")
    assert "uncalibrated" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_a_typed_width_calibrates(tmp_path: Path) -> None:
    result = sem.analyze(discs(), tmp_path / "out", width=160 * 5.0)
    assert result.images[0].calibration.pixel_size == pytest.approx((5.0, 5.0))
    assert result.images[0].calibration.origin == "typed"


def test_the_script_beside_the_results_repeats_them(image_file: Path, tmp_path: Path) -> None:
    roi = np.ones((160, 160), bool)
    roi[:60] = False
    first = sem.analyze(
        image_file, tmp_path / "out", roi=roi, settings={"min_size_px": 4.0}, pixel_size=3.0
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "out" / "analysis.py")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = pd.read_csv(tmp_path / "out-again" / "particles.csv")
    assert 0 < len(again) < 5
    np.testing.assert_array_equal(again["ecd_nm"], first.table["ecd_nm"])
    assert (
        json.loads((tmp_path / "out-again" / "summary.json").read_text())["settings"]
        == (first.summary["settings"])
    )


def test_a_script_with_polygons_is_python(image_file: Path, tmp_path: Path) -> None:
    polygon = np.array([[0.0, 0.0], [0.0, 159.0], [50.0, 159.0], [50.0, 0.0]])
    result = sem.analyze(image_file, tmp_path / "out", roi_exclude=[polygon])
    compile((tmp_path / "out" / "analysis.py").read_text("utf-8"), "analysis.py", "exec")
    assert len(result.table) == 2


def test_a_region_is_measured_and_what_it_cuts_is_an_edge_particle(
    image_file: Path, tmp_path: Path
) -> None:
    roi = np.zeros((160, 160), bool)
    roi[:, :75] = True  # through the middle of the second column of discs
    result = sem.analyze(image_file, tmp_path / "out", roi=roi)
    assert result.images[0].field_px == roi.sum()
    cut = result.table["centroid_x_px"] > 60
    assert cut.any()
    assert result.table.loc[cut, "edge"].all()
    assert not result.table.loc[cut, "included"].any()


def test_several_images_are_pooled_in_nm(tmp_path: Path) -> None:
    for name, nm in (("a", 2.0), ("b", 4.0)):
        write_tiff(tmp_path / "in" / f"{name}.tif", discs(),
                   calibration=sem.Calibration((nm, nm), "typed"))  # fmt: skip
    result = sem.analyze(tmp_path / "in", tmp_path / "out")
    expected = {f"{kind}/{name}" for kind in ("labels", "figures") for name in "ab"}
    assert {f.rsplit(".", 1)[0] for f in files_in(tmp_path / "out") - ALWAYS} == expected
    sizes = result.table.groupby("image")["ecd_nm"].mean()
    assert sizes["b"] == pytest.approx(2 * sizes["a"])
    assert result.summary["statistics"]["nm"]["n_images"] == 2


def test_uncalibrated_images_are_not_pooled_with_calibrated_ones(tmp_path: Path) -> None:
    write_tiff(tmp_path / "in" / "a.tif", discs(), calibration=sem.Calibration((2, 2), "typed"))
    write_tiff(tmp_path / "in" / "b.tif", discs())
    with pytest.warns(SemWarning, match="1 of 2 images are uncalibrated"):
        result = sem.analyze(tmp_path / "in", tmp_path / "out")
    assert set(result.summary["statistics"]) == {"nm", "px"}
    assert result.table.loc[result.table["image"] == "b", "ecd_nm"].isna().all()
    lines = (tmp_path / "out" / "sizes.csv").read_text().splitlines()
    assert lines[0] == "quantity,ecd_nm,ecd_px"
    assert [bool(cell) for cell in lines[4].split(",")] == [True, True, False]
    assert [bool(cell) for cell in lines[-1].split(",")] == [True, False, True]


def test_one_bad_file_is_named_and_does_not_stop_the_others(
    image_file: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "images" / "bad.tif"
    bad.write_bytes(image_file.read_bytes()[:40])
    with pytest.warns(SemWarning, match="1 of 2"):
        result = sem.analyze([bad, image_file], tmp_path / "out")
    assert [image.file for image in result.failed] == ["bad.tif"]
    table = pd.read_csv(tmp_path / "out" / "images.csv").set_index("image")
    assert table.loc["bad", "status"] == "failed"
    assert isinstance(table.loc["bad", "error"], str)
    assert table.loc["discs", "particles"] == 5
    assert "bad.tif" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_when_all_fail_there_is_no_folder(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(b"II*\0")
    with pytest.raises(SemError, match="None of the 2 images"):
        sem.analyze([tmp_path / "a.tif", tmp_path / "b.tif"], tmp_path / "out")
    with pytest.raises((UnreadableFile, UnknownFormat)) as caught:
        sem.analyze(tmp_path / "a.tif", tmp_path / "out")
    assert caught.value.hint
    assert untouched(tmp_path)


def test_existing_results_are_kept_unless_overwriting(image_file: Path, tmp_path: Path) -> None:
    sem.analyze(image_file, tmp_path / "out")
    before = (tmp_path / "out" / "summary.json").read_bytes()
    with pytest.raises(OutputExists):
        sem.analyze(image_file, tmp_path / "out")
    assert (tmp_path / "out" / "summary.json").read_bytes() == before
    (image_file.parent / "bad.tif").write_bytes(b"")
    with pytest.raises(SemError):
        sem.analyze(image_file.parent / "bad.tif", tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "summary.json").read_bytes() == before
    sem.analyze(image_file, tmp_path / "out", overwrite=True, pixel_size=7.0)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["pixel_size_nm"] == 7.0


def test_folders_of_somebody_else_are_never_replaced(image_file: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "holiday").mkdir(parents=True)
    with pytest.raises(OutputExists, match="holiday"):
        sem.analyze(image_file, tmp_path / "out", overwrite=True)
    (tmp_path / "new.partial" / "holiday").mkdir(parents=True)
    with pytest.raises(OutputExists, match="holiday"):
        sem.analyze(image_file, tmp_path / "new")
    with pytest.raises(InvalidSettings, match="would replace"):
        sem.analyze(image_file, image_file.parent, overwrite=True)
    assert image_file.exists()


def cancel_after(calls: int):
    """Ask to stop at the n-th question."""
    left = iter(range(calls))
    return lambda: next(left, None) is None


def test_a_cancelled_analysis_of_one_image_leaves_nothing(image_file: Path, tmp_path: Path) -> None:
    for calls in range(6):
        with pytest.raises(Cancelled):
            sem.analyze(image_file, tmp_path / "out", cancel=cancel_after(calls))
        assert untouched(tmp_path)


def test_a_stopped_folder_goes_on_where_it_was(tmp_path: Path) -> None:
    for name in "abc":
        write_tiff(tmp_path / "in" / f"{name}.tif", discs(),
                   calibration=sem.Calibration((2, 2), "typed"))  # fmt: skip
    seen: list[str] = []
    with pytest.raises(Cancelled):
        sem.analyze(tmp_path / "in", tmp_path / "out", cancel=lambda: "b.tif" in seen,
                    progress=lambda done, total, what: seen.append(what))  # fmt: skip
    assert not (tmp_path / "out").exists()
    with pytest.raises(OutputExists, match="stopped run"):
        sem.analyze(tmp_path / "in", tmp_path / "out")
    with pytest.raises(InvalidSettings, match="other settings"):
        sem.analyze(tmp_path / "in", tmp_path / "out", resume=True, pixel_size=9.0)
    done: list[str] = []
    result = sem.analyze(tmp_path / "in", tmp_path / "out", resume=True,
                         progress=lambda d, t, what: done.append(what))  # fmt: skip
    assert "a.tif" not in done
    assert [image.name for image in result.images] == ["a", "b", "c"]
    whole = sem.analyze(tmp_path / "in", tmp_path / "whole")
    pd.testing.assert_frame_equal(result.table, whole.table)


def test_a_changed_file_is_analysed_again_on_resuming(tmp_path: Path) -> None:
    for name in "ab":
        write_tiff(tmp_path / "in" / f"{name}.tif", discs(),
                   calibration=sem.Calibration((2, 2), "typed"))  # fmt: skip
    seen: list[str] = []
    with pytest.raises(Cancelled):
        sem.analyze(tmp_path / "in", tmp_path / "out", cancel=lambda: "b.tif" in seen,
                    progress=lambda done, total, what: seen.append(what))  # fmt: skip
    write_tiff(tmp_path / "in" / "a.tif", discs((8, 9)),
               calibration=sem.Calibration((2, 2), "typed"))  # fmt: skip
    result = sem.analyze(tmp_path / "in", tmp_path / "out", resume=True)
    assert (result.table["image"] == "a").sum() == 2


@pytest.mark.slow
def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    for name in "abc":
        write_tiff(tmp_path / "in" / f"{name}.tif", discs(),
                   calibration=sem.Calibration((2, 2), "typed"))  # fmt: skip
    (tmp_path / "in" / "d.tif").write_bytes(b"II*\0")
    with pytest.warns(SemWarning):
        one = sem.analyze(tmp_path / "in", tmp_path / "one")
    with pytest.warns(SemWarning):
        two = sem.analyze(tmp_path / "in", tmp_path / "two", workers=2)
    pd.testing.assert_frame_equal(one.table, two.table)
    assert [i.error for i in one.images] == [i.error for i in two.images]


def test_shards_share_the_inputs_without_overlap(tmp_path: Path) -> None:
    for name in "abcde":
        write_tiff(tmp_path / f"{name}.tif", discs((8,)))
    shares = [
        {s.name for s in resolve(tmp_path, tmp_path / "o" / "out", shard=f"{i}/3").sources}
        for i in (1, 2, 3)
    ]
    assert set.union(*shares) == set("abcde")
    assert sum(map(len, shares)) == 5
    assert len(resolve(tmp_path, tmp_path / "o" / "out", limit=2).sources) == 2


@pytest.mark.parametrize(
    "wish",
    [{"shard": "4/3"}, {"shard": "x"}, {"limit": 0}, {"workers": -1}, {"method": "magic"},
     {"pixel_size": -1}, {"pixel_size": 2, "width": 3}, {"settings": {"min_siez_px": 3}},
     {"roi": "absent.roi"}],
)  # fmt: skip
def test_a_wish_that_cannot_be_granted_is_refused_before_anything_is_read(
    wish: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(SemError) as caught:
        sem.analyze(discs(), tmp_path / "out", **wish)
    assert str(caught.value).endswith((".", "?", '"'))
    assert untouched(tmp_path)


def test_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_tiff(tmp_path / folder / "A.tif", discs((8,)))
    write_tiff(tmp_path / "one" / "a_2.tif", discs((8,)))
    plan = resolve(
        [tmp_path / "one" / "A.tif", tmp_path / "two" / "A.tif", tmp_path / "one" / "a_2.tif"],
        tmp_path / "out",
    )
    names = [source.name for source in plan.sources]
    assert len({name.casefold() for name in names}) == 3
    assert "A.tif" in str(plan)


def test_pages_of_a_stack_are_images_of_their_own(tmp_path: Path) -> None:
    stack = np.stack([discs((8,)), discs((8, 9)), discs((8, 9, 10))])
    result = sem.analyze(stack, tmp_path / "out", pixel_size=2.0)
    assert [len(image.table) for image in result.images] == [1, 2, 3]
    assert len(list((tmp_path / "out" / "labels").iterdir())) == 3


def test_no_name_of_a_person_is_in_the_results(tmp_path: Path) -> None:
    home = tmp_path / "Jane Doe"
    path = write_tiff(home / "discs.tif", discs(), calibration=sem.Calibration((2, 2), "typed"),
                      metadata={"UserName": "Jane Doe", "Operator": "Jane Doe"})  # fmt: skip
    sem.analyze(path, home / "out")
    for name in files_in(home / "out"):
        assert b"Jane" not in (home / "out" / name).read_bytes(), name


def test_formulas_in_names_do_not_reach_a_spreadsheet(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "=1+1.tif", discs())
    with pytest.warns(SemWarning):
        sem.analyze(path, tmp_path / "out")
    for name in ("particles.csv", "images.csv", "sizes.csv"):
        for line in (tmp_path / "out" / name).read_text().splitlines():
            assert not [c for c in line.split(",") if c.startswith(("=", "+", "@"))], name


def test_a_table_survives_the_ledger() -> None:
    image = sem.Micrograph(discs(), sem.Calibration((2.0, 2.0), "typed"))
    table = sem.measure(sem.segment(image, "threshold"), image)
    again = table_from_text(table_to_text(table))
    pd.testing.assert_frame_equal(again, table)
    empty = table.iloc[:0]
    pd.testing.assert_frame_equal(table_from_text(table_to_text(empty)), empty)


def test_the_plan_can_be_printed(image_file: Path, tmp_path: Path) -> None:
    text = str(resolve(image_file, tmp_path / "out", width=1000, settings={"min_size_px": 7.0}))
    for said in ("discs.tif", "1000 nm, typed", "threshold", "min_size_px = 7.0", "out/"):
        assert said in text


ODD = {
    "constant": np.full((40, 40), 7, np.uint8),
    "one pixel": np.full((1, 1), 7, np.uint8),
    "one row": np.arange(50, dtype=np.uint8)[np.newaxis],
    "all NaN": np.full((20, 20), np.nan, np.float32),
    "some NaN": np.where(discs() > 100, np.nan, discs()).astype(np.float32),
    "infinite": np.where(discs() > 100, np.inf, discs()).astype(np.float32),
    "huge values": discs().astype(np.float32) * 1e30,
    "negative": discs().astype(np.int16) - 1000,
    "noise": np.random.default_rng(0).integers(0, 255, (60, 60)).astype(np.uint8),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_images_end_in_a_whole_folder_or_in_none(name: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "odd.tif", ODD[name])
    whole_or_none(tmp_path / "odd.tif", tmp_path)


def whole_or_none(path: Path, folder: Path) -> None:
    """Analyse a file; results are complete, or there are none and a sentence says why."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", SemWarning)
        try:
            result = sem.analyze(path, folder / "out", overwrite=True)
        except SemError as error:
            assert "\n" not in str(error)
            assert "Please report" not in error.hint, str(error)
            assert untouched(folder)
        else:
            assert files_in(folder / "out") >= ALWAYS
            assert not result.failed
            json.loads((folder / "out" / "summary.json").read_text("utf-8"))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    image=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.float32]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=24),
    )
)
def test_any_small_image_ends_in_a_whole_folder_or_in_none(
    image: np.ndarray, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "any.tif", image)
    whole_or_none(tmp_path / "any.tif", tmp_path)
    for path in (tmp_path / "out").rglob("*") if (tmp_path / "out").exists() else ():
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 60, 300, 0.5, 0.95])
def test_a_truncated_file_ends_in_a_sentence(keep: float, image_file: Path, tmp_path: Path) -> None:
    content = image_file.read_bytes()
    size = int(keep if keep >= 1 or keep == 0 else keep * len(content))
    (tmp_path / "cut.tif").write_bytes(content[:size])
    whole_or_none(tmp_path / "cut.tif", tmp_path)


def test_a_typed_width_may_carry_its_unit(image_file: Path, tmp_path: Path) -> None:
    assert resolve(image_file, tmp_path / "out", width="5 µm").width == 5000
    with pytest.raises(InvalidSettings):
        resolve(image_file, tmp_path / "out", width="5 apples")


def test_a_dead_path_in_a_list_does_not_keep_the_others_from_being_done(tmp_path: Path) -> None:
    write_sample(tmp_path)
    (tmp_path / "list.csv").write_text("path\nsample-particles.tif\ngone.tif\n")
    with pytest.warns(SemWarning, match="1 of 2 images could not be analysed"):
        result = sem.analyze(tmp_path / "list.csv", tmp_path / "out", method="threshold")
    assert [image.name for image in result.failed] == ["gone"]
    assert len(result.images) == 2
