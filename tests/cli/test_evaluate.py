"""``sem-tools evaluate``: files, folders, classes, a page, a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from napari_sem_tools.cli.main import main
from napari_sem_tools.micrograph import Calibration
from napari_sem_tools.tiff import write_tiff


def labels(shift: int = 0) -> np.ndarray:
    image = np.zeros((60, 70), np.uint8)
    image[5:25, 5 + shift : 25 + shift], image[30:50, 40:60] = 1, 2
    return image


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A data set of three images and what was found in them."""
    for number, name in enumerate(("a", "b", "c")):
        write_tiff(tmp_path / "set" / "masks" / f"{name}.tif", labels())
        write_tiff(tmp_path / "found" / f"{name}.tif", labels(4 * number))
        write_tiff(
            tmp_path / "set" / "images" / f"{name}.tif",
            150 * (labels() > 0).astype(np.uint8),
            calibration=Calibration((3.0, 3.0), "typed"),
        )
    return tmp_path


def folders(work: Path) -> list[str]:
    return ["evaluate", str(work / "set"), str(work / "found")]


def test_folders_give_means_with_intervals_ranges_and_recall_by_size(
    work: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*folders(work), "--draws", "100"]) == 0
    said, notes = capsys.readouterr()
    lines = {line.split()[0]: line for line in said.splitlines() if line}
    assert lines["ap50"].split()[1:4] == ["0.778", "[0.333,", "1.000]"]
    assert "0.333 to 1.000" in lines["ap50"]
    assert "w1_nm" not in lines
    assert lines["16"].startswith("16 to 24")
    assert "100 draws, seed 0" in notes


def test_the_pixel_size_of_the_images_is_taken(work: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*folders(work), "--images", str(work / "set" / "images"), "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["pixel_size_nm"] == pytest.approx(3)
    assert out["mean"]["ap50"]["value"] == pytest.approx(7 / 9)
    assert out["range"]["ap50"] == pytest.approx([1 / 3, 1])
    assert [row["image"] for row in out["per_image"]] == ["a", "b", "c"]
    assert out["recall_by_size"][0]["unit"] == "nm"
    assert out["protocol"]["split"] == "not stated"


def test_images_of_several_pixel_sizes_are_scored_in_px(
    work: Path, capsys: pytest.CaptureFixture[str]
):
    other = Calibration((5.0, 5.0), "typed")
    write_tiff(work / "set" / "images" / "a.tif", labels(), calibration=other)
    assert main([*folders(work), "--images", str(work / "set" / "images"), "--json"]) == 0
    said, notes = capsys.readouterr()
    assert json.loads(said)["pixel_size_nm"] is None
    assert "no pixel size in common" in notes


def test_page_and_table_are_written_once(work: Path, capsys: pytest.CaptureFixture[str]):
    page, table = work / "page.html", work / "scores.csv"
    more = ["--page", str(page), "--csv", str(table), "--data-set", "made", "--split", "all"]
    assert main([*folders(work), *more, "--shown", "1", "--draws", "50"]) == 0
    assert "c: AP@0.5 0.333" in page.read_text(encoding="utf-8")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["ap50"]) for row in rows] == pytest.approx([1, 1, 1 / 3])
    assert main([*folders(work), *more]) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*folders(work), *more, "--overwrite", "--draws", "0"]) == 0


def test_an_image_that_cannot_be_scored_is_named_and_the_others_are_done(
    work: Path, capsys: pytest.CaptureFixture[str]
):
    write_tiff(work / "found" / "b.tif", labels()[:50])
    assert main([*folders(work), "--json"]) == 1
    said, errors = capsys.readouterr()
    assert json.loads(said)["images"] == 2
    assert "error: b: The truth is 60 x 70 px, the prediction 50 x 70 px." in errors


def test_what_was_not_predicted_is_an_error_or_empty(
    work: Path, capsys: pytest.CaptureFixture[str]
):
    (work / "found" / "b.tif").unlink()
    assert main(folders(work)) == 2
    assert "nothing for b" in capsys.readouterr().err
    assert main([*folders(work), "--missing-is-empty", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pooled"]["missed"]["value"] == pytest.approx(2 / 6)


def test_classes_of_pixels(work: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*folders(work), "--classes", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["classes"] == [0, 1, 2]
    assert out["scores"]["pooled_iou_2"]["value"] == 1
    assert out["per_image"][0]["iou"] == [1, 1, 1]
    assert main([*folders(work), "--classes"]) == 0
    assert "pooled_mean_dice" in capsys.readouterr().out
    assert main([*folders(work), "--classes", "--page", str(work / "p.html")]) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ["--pixel-size", "0"],
        ["--page", "p.html", "--opacity", "2"],
        ["--draws", "-1"],
        ["--tolerance-px", "-1"],
        ["--page", "page.txt"],
    ],
)
def test_wrong_wishes_are_refused(work: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]):
    assert main([*folders(work), *wrong]) == 2
    assert capsys.readouterr().err.startswith("error: ")
