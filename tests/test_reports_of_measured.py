"""A report begun at labels and their table says what the table says, decisions included."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_sem_tools as sem
from napari_sem_tools.analysis import Analysis, Measured, write_report
from napari_sem_tools.errors import InvalidSettings, OutputExists
from napari_sem_tools.measurement import decide, pool
from napari_sem_tools.tiff import write_tiff

FEW = {"bootstrap": 99}


def grains(seed: int) -> np.ndarray:
    """Bright discs of many sizes, some cut by the edge, on a dark ground."""
    random = np.random.default_rng(seed)
    image = random.integers(25, 35, (220, 240)).astype(np.uint8)
    y, x = np.mgrid[:220, :240]
    for row in range(5):
        for column in range(5):
            radius = random.uniform(6, 14)
            image[(y - 20 - 42 * row) ** 2 + (x - 10 - 48 * column) ** 2 <= radius**2] = 200
    return image


def measured(folder: Path, name: str, seed: int) -> Measured:
    """Measure an image file, and decide about two particles by hand."""
    path = folder / f"{name}.tif"
    write_tiff(path, grains(seed), calibration=sem.Calibration((1.5, 1.5), "typed"))
    image = sem.read(path)
    found = sem.segment(image, "threshold")
    table = sem.measure(found, image)
    whole = table.index[table["included"]]
    table = decide(table, [whole[0]], False)
    table = decide(table, [table.index[table["edge"]][0]], True)
    return Measured(image, found, table)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Measured]:
    folder = tmp_path_factory.mktemp("images")
    return [measured(folder, name, seed) for seed, name in enumerate("ab")]


@pytest.fixture(scope="module")
def report(pair: list[Measured], tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    out = tmp_path_factory.mktemp("report") / "out"
    return write_report(pair, out, statistics_settings=FEW, exports="geojson")


def test_every_number_is_that_of_the_table(pair: list[Measured], report: Analysis) -> None:
    written = pd.read_csv(report.out / "particles.csv", index_col="label")
    for name, one in zip("ab", pair, strict=True):
        rows = written[written["image"] == name]
        for column in one.table.columns:
            if one.table[column].dtype.kind in "fb":
                np.testing.assert_array_equal(rows[column], one.table[column], column)
    pooled = pool([one.table.assign(image=name) for name, one in zip("ab", pair, strict=True)])
    told = json.loads((report.out / "summary.json").read_text("utf-8"))
    assert told["statistics"]["nm"]["mean"] == sem.summarize(pooled).mean
    assert told["included"] == pooled["included"].sum()


def test_it_says_what_was_decided_by_hand(report: Analysis) -> None:
    page = report.report.read_text("utf-8")
    assert "By hand" in page
    assert "2 counted, 2 left out (column by_hand)" in page
    assert (report.out / "geojson" / "a.geojson").exists()
    assert {path.name for path in (report.out / "labels").iterdir()} == {"a.tif", "b.tif"}


def test_its_figures_and_numbers_are_those_of_analyze(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_tiff(path, grains(3), calibration=sem.Calibration((1.5, 1.5), "typed"))
    whole = sem.analyze(path, tmp_path / "one", method="threshold", statistics_settings=FEW)
    image = sem.read(path)
    found = sem.segment(image, "threshold")
    table = sem.measure(found, image)
    parts = write_report([Measured(image, found, table)], tmp_path / "two", statistics_settings=FEW)
    for name in ("particles.csv", "images.csv", "sizes.csv", "histogram.png", "figure.png"):
        assert (whole.out / name).read_bytes() == (parts.out / name).read_bytes(), name
    assert whole.summary["distributions"] == parts.summary["distributions"]
    sections = [set(_headings(one.report.read_text("utf-8"))) for one in (whole, parts)]
    assert sections[0] == sections[1]


def _headings(page: str) -> list[str]:
    """List the headings of a page."""
    return [part.split("</h2>")[0] for part in page.split("<h2")[1:]]


def test_nothing_is_replaced_unasked(pair: list[Measured], report: Analysis) -> None:
    before = report.report.read_bytes()
    with pytest.raises(OutputExists):
        write_report(pair, report.out)
    assert report.report.read_bytes() == before


def test_what_cannot_be_reported_is_a_sentence(pair: list[Measured], tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="nothing to report"):
        write_report([], tmp_path / "out")
    bare = Measured(pair[0].image, pair[0].found, pair[0].table[["ecd_nm"]])
    with pytest.raises(InvalidSettings, match="not one that this program measured"):
        write_report([bare], tmp_path / "out")
    source = pair[0].image.source
    assert source is not None
    with pytest.raises(InvalidSettings, match="would replace"):
        write_report(pair, source.parent)
    assert source.exists()


@pytest.mark.slow
def test_the_script_beside_it_repeats_it(report: Analysis) -> None:
    done = subprocess.run(
        [sys.executable, report.out / "analysis.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    again = report.out.with_name("out-again")
    names = ("particles.csv", "sizes.csv")
    for name in names:
        assert (again / name).read_text("utf-8") == (report.out / name).read_text("utf-8"), name
