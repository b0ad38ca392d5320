"""A measured number is the same in every file; what cannot be granted is a sentence."""

from __future__ import annotations

import csv
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_sem_tools as sem
from napari_sem_tools.analysis import Analysis
from napari_sem_tools.analysis.exports import EXPORTS, chosen_exports
from napari_sem_tools.analysis.wishes import Wishes
from napari_sem_tools.errors import InvalidSettings, MissingExtra, OutputExists, SemWarning
from napari_sem_tools.reading import region_mask
from napari_sem_tools.tiff import write_tiff

NM = 2.5


def discs(count: int = 30, *, seed: int = 0, size: int = 260) -> np.ndarray:
    """Bright discs of many sizes on a dark ground."""
    random = np.random.default_rng(seed)
    image = np.full((size, size), 30, np.uint8)
    y, x = np.mgrid[:size, :size]
    side = int(np.ceil(np.sqrt(count)))
    for number in range(count):
        row, column = divmod(number, side)
        centre = 26 + row * (size - 30) / side, 26 + column * (size - 30) / side
        radius = random.uniform(7, 15)
        image[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2] = 200
    return image


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Two images with all exports but the PDF."""
    pytest.importorskip("openpyxl")
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("whole")
    for seed, name in enumerate("ab"):
        scale = sem.Calibration((NM, NM), "typed")
        write_tiff(folder / "in" / f"{name}.tif", discs(seed=seed), calibration=scale)
    return sem.analyze(
        folder / "in", folder / "out", method="threshold", exports="xlsx,parquet,roi,geojson,coco",
        statistics_settings={"bootstrap": 99},
    )  # fmt: skip


def test_every_export_lies_where_the_table_says(whole: Analysis) -> None:
    assert len(whole.plan.exports) == len(EXPORTS) - 1
    for row in (EXPORTS[name] for name in whole.plan.exports):
        assert (whole.out / row.files).exists(), row.files
        assert row.files in (whole.out / "report.html").read_text("utf-8")
    assert {p.name for p in (whole.out / "rois").iterdir()} == {"a.zip", "b.zip"}


def test_a_measured_number_is_the_same_in_every_file(whole: Analysis) -> None:
    import openpyxl

    first = next(image for image in whole.images if image.name == "a")
    labels = sem.read(whole.out / "labels" / "a.tif").pixels
    path = whole.out.parent / "in" / "a.tif"
    measured = sem.measure(np.asarray(labels).astype(int), sem.read(path))["ecd_nm"].to_numpy()
    with open(whole.out / "particles.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["image"] == "a"]
    parquet = pd.read_parquet(whole.out / "particles.parquet")
    sheet = openpyxl.load_workbook(whole.out / "results.xlsx")["particles"]
    head, *cells = sheet.iter_rows(values_only=True)
    excel = pd.DataFrame(cells, columns=head)
    geo = json.loads((whole.out / "geojson" / "a.geojson").read_text("utf-8"))
    coco = json.loads((whole.out / "coco.json").read_text("utf-8"))
    seen = {
        "record": first.table["ecd_nm"].to_numpy(),
        "csv": np.array([float(row["ecd_nm"]) for row in rows]),
        "parquet": parquet.loc[parquet["image"] == "a", "ecd_nm"].to_numpy(),
        "xlsx": excel.loc[excel["image"] == "a", "ecd [nm]"].to_numpy(float),
        "geojson": np.array([f["properties"]["ecd_nm"] for f in geo["features"]]),
        "coco": np.array(
            [a["attributes"]["ecd_nm"] for a in coco["annotations"] if a["image_id"] == 1]
        ),
    }
    assert len(measured) > 20
    for name, values in seen.items():
        np.testing.assert_array_equal(values, measured, err_msg=name)


def test_a_statistic_is_the_same_in_every_file(whole: Analysis) -> None:
    import openpyxl

    summary = json.loads((whole.out / "summary.json").read_text("utf-8"))
    mean = summary["statistics"]["nm"]["mean"]
    assert mean == sem.summarize(whole.table).mean
    lines = (whole.out / "sizes.csv").read_text().splitlines()
    assert float(lines[1].split(",")[1]) == pytest.approx(mean, rel=1e-14)
    assert summary["distributions"]["nm"]["summaries"]["number"]["mean"] == mean
    book = openpyxl.load_workbook(whole.out / "results.xlsx")
    assert book.sheetnames == ["particles", "images", "summary", "fit", "method"]
    told = {
        (row[1], row[2]): row[3] for row in book["summary"].iter_rows(min_row=2, values_only=True)
    }
    assert told["number", "mean"] == mean
    budget = summary["distributions"]["nm"]["budget"]
    assert told["number", "uncertainty of the mean: expanded, 95 %"] == budget["expanded"]
    share = summary["distributions"]["nm"]["verdict"]["fraction"]["share"]
    assert ("number", "share below 100 nm") in told
    assert 0 <= share <= 1
    page = (whole.out / "report.html").read_text("utf-8")
    assert f"<b>{mean:.3g} nm</b><span>mean diameter</span>" in page
    assert f"{100 * share:.1f} %" in page


@pytest.mark.slow
def test_the_script_repeats_every_number(whole: Analysis) -> None:
    done = subprocess.run(
        [sys.executable, str(whole.out / "analysis.py")],
        capture_output=True, text=True, check=False, cwd=whole.out.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = whole.out.with_name("out-again")
    for name in ("particles.csv", "sizes.csv", "images.csv", "coco.json", "rois/a.zip"):
        assert (again / name).read_bytes() == (whole.out / name).read_bytes(), name
    first, second = (
        json.loads((folder / "summary.json").read_text("utf-8")) for folder in (whole.out, again)
    )
    assert first["statistics"] == second["statistics"]
    assert first["distributions"] == second["distributions"]


def test_the_report_states_uncertainty_verdict_fits_and_conditions(whole: Analysis) -> None:
    page = (whole.out / "report.html").read_text("utf-8")
    for heading in (
        "Measurement uncertainty", "European definition of a nanomaterial", "Fitted distributions",
        "By number, length, area and volume", "How many more particles",
        "Conditions of measurement",
    ):  # fmt: skip
        assert f"<h2>{heading}</h2>" in page, heading
    for image in whole.images:
        assert image.file_sha256 in page
    assert "Crofton" in page
    assert "µm²" in page


@pytest.mark.slow
def test_the_pdf_draws_the_panels_again_from_file_and_labels(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", discs(9, size=130))
    with pytest.warns(SemWarning, match="Uncalibrated"):
        result = sem.analyze(path, tmp_path / "out", method="threshold", exports="pdf")
    content = (result.out / "report.pdf").read_bytes()
    assert content.count(b"/Subtype /Image") == 3  # three pictures; histogram and text are lines


def test_outlines_of_an_export_are_the_labels_on_disk(whole: Analysis) -> None:
    labels = sem.read(whole.out / "labels" / "a.tif").pixels
    for name in ("rois/a.zip", "geojson/a.geojson"):
        np.testing.assert_array_equal(region_mask(whole.out / name, labels.shape), labels > 0)


def test_exports_are_chosen_by_name_and_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert chosen_exports(None) == ()
    assert chosen_exports(["coco", "roi,pdf"]) == ("pdf", "roi", "coco")
    with pytest.raises(InvalidSettings, match="docx"):
        chosen_exports("pdf,docx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert chosen_exports("pdf,roi") == ("pdf", "roi")
    with pytest.raises(MissingExtra, match="openpyxl") as caught:
        chosen_exports("all")
    assert "[fast]" in caught.value.hint


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A file with three pages."""
    pages = np.stack([discs(9, seed=s, size=130) for s in range(3)])
    return write_tiff(tmp_path / "in" / "s.tif", pages, calibration=sem.Calibration((2, 2), "tag"))


def test_a_page_or_all_pages_of_a_file_can_be_chosen(stack: Path, tmp_path: Path) -> None:
    one = sem.analyze(stack, tmp_path / "one", page=1, method="threshold")
    assert [image.page for image in one.images] == [1]
    all_ = sem.analyze(stack, tmp_path / "all", page="all", method="threshold", exports="roi,coco")
    assert [image.name for image in all_.images] == ["s_page0", "s_page1", "s_page2"]
    np.testing.assert_array_equal(
        one.table["ecd_nm"], all_.table.loc[all_.table["image"] == "s_page1", "ecd_nm"]
    )
    coco = json.loads((tmp_path / "all" / "coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["s_page0", "s_page1", "s_page2"]
    assert "page=1" in (tmp_path / "one" / "analysis.py").read_text()
    for page in (-1, "first", 1.5, 7):
        with pytest.raises(InvalidSettings, match="page"):
            sem.analyze(stack, tmp_path / "bad", page=page, method="threshold")
    assert not (tmp_path / "bad").exists()


def test_two_runs_never_write_to_one_place(stack: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def second_run(done: int, total: int, what: str) -> None:
        with pytest.raises(OutputExists, match="another run") as caught:
            sem.analyze(stack, tmp_path / "out", overwrite=True, method="threshold")
        said.append(caught.value.hint)

    sem.analyze(stack, tmp_path / "out", method="threshold", page=0, progress=second_run)
    assert said
    assert {p.name for p in tmp_path.iterdir()} == {"in", "out"}
    sem.analyze(stack, tmp_path / "out", method="threshold", page=0, overwrite=True)


def test_pixels_that_are_not_square_are_exported_and_said(tmp_path: Path) -> None:
    image = sem.Micrograph(discs(9, size=130), calibration=sem.Calibration((4.0, 2.0), "typed"))
    result = sem.analyze(image, tmp_path / "out", method="threshold", exports="geojson")
    geo = json.loads((tmp_path / "out" / "geojson" / "image.geojson").read_text("utf-8"))
    assert geo["properties"]["pixel_size_nm"] == [4.0, 2.0]
    area = result.table["area_px"] * 8.0
    np.testing.assert_allclose(result.table["area_nm2"], area)
    assert "not square" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_an_image_without_particles_exports_empty_files(tmp_path: Path) -> None:
    flat = np.full((64, 64), 90, np.uint8)
    with pytest.warns(SemWarning, match="No particle"):
        sem.analyze(flat, tmp_path / "out", method="threshold", exports="pdf,roi,geojson,coco",
                    pixel_size=1.0)  # fmt: skip
    assert json.loads((tmp_path / "out" / "coco.json").read_text())["annotations"] == []
    assert (
        json.loads((tmp_path / "out" / "geojson" / "image.geojson").read_text())["features"] == []
    )
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF")


def test_help_names_every_wish_and_others_are_refused(tmp_path: Path) -> None:
    names = set(inspect.signature(sem.analyze).parameters)
    assert {"inputs", "out", "page", "pixel_size", "exports", "overwrite", "cancel"} <= names
    assert set(Wishes.__annotations__) <= names
    with pytest.raises(TypeError, match="exprots"):
        sem.analyze(discs(4), tmp_path / "out", exprots="pdf")


def test_edge_weights_change_the_statistics_and_are_said(tmp_path: Path) -> None:
    image = sem.Micrograph(discs(), calibration=sem.Calibration((NM, NM), "typed"))
    plain = sem.analyze(image, tmp_path / "plain", method="threshold")
    weighted = sem.analyze(
        image, tmp_path / "weighted", method="threshold", statistics_settings={"edge_weights": True}
    )
    means = [one.summary["statistics"]["nm"]["mean"] for one in (plain, weighted)]
    assert means[1] > means[0]
    assert any("Miles-Lantuejoul" in line for line in weighted.summary["warnings"])
    np.testing.assert_array_equal(plain.table["ecd_nm"], weighted.table["ecd_nm"])
