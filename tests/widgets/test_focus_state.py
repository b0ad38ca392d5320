"""What the Focus widget keeps about files, and what it looks at, without a window."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus import FocusScore
from napari_sem_tools.focus.files.folder import FileScore
from napari_sem_tools.focus.network import FocusMap
from napari_sem_tools.layers import image_arguments
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.widgets.focus.layers import QUANTITIES, map_arguments
from napari_sem_tools.widgets.focus.sight import sight_of, visible_part
from napari_sem_tools.widgets.focus.state import KEEP, REJECT, ScoredFiles, thumbnail
from napari_sem_tools.widgets.results import MAP_KEY

SCORES = {"a.tif": 9.0, "b.tif": 4.0, "c.tif": 6.5}


@pytest.fixture
def files() -> ScoredFiles:
    made = ScoredFiles()
    for name, value in SCORES.items():
        score = FocusScore(value, (value - 1, value + 1), blur_px=(10 - value) * 0.4, snr=value)
        made.add(FileScore(Path(name), score), np.zeros((2, 2), np.uint8))
    made.add(FileScore(Path("torn.tif"), error="torn.tif ends too early."))
    return made


def test_a_file_scored_again_keeps_its_place_and_its_mark(files: ScoredFiles) -> None:
    files.mark([Path("b.tif")], REJECT)
    place = files.add(FileScore(Path("b.tif"), FocusScore(8.0, (7.0, 9.0))))
    assert place == 1
    assert len(files.rows) == 4
    assert files.rows[1].value == 8.0
    assert files.marks[Path("b.tif")] == REJECT
    files.remove([Path("a.tif")])
    assert files.add(FileScore(Path("b.tif"))) == 0


def test_nothing_of_forgotten_files_is_exported(files: ScoredFiles) -> None:
    files.mark([Path("b.tif")], REJECT)
    assert len(files.table) == 4
    files.clear()
    assert not len(files.table)
    assert not files.can_undo


def test_what_is_poor_is_rejected_but_not_what_was_kept_by_hand(files: ScoredFiles) -> None:
    files.mark([Path("b.tif")], KEEP)
    assert files.mark_below(7.0) == 2
    assert files.marked(REJECT) == [Path("c.tif"), Path("torn.tif")]
    assert files.mark_below(7.0) == 0
    files.undo()
    assert files.marked(REJECT) == []
    assert files.marked(KEEP) == [Path("b.tif")]
    files.redo()
    assert len(files.marked(REJECT)) == 2


@given(st.lists(st.sampled_from(["keep a", "reject b", "unmark a", "below", "undo", "redo"])))
def test_undoing_everything_leaves_no_mark(steps: list[str]) -> None:
    files = ScoredFiles()
    for name, value in SCORES.items():
        files.add(FileScore(Path(name), FocusScore(value, (0.0, 10.0))))
    actions = {
        "keep a": lambda: files.mark([Path("a.tif")], KEEP),
        "reject b": lambda: files.mark([Path("b.tif")], REJECT),
        "unmark a": lambda: files.mark([Path("a.tif")], ""),
        "below": lambda: files.mark_below(7.0),
        "undo": files.undo,
        "redo": files.redo,
    }
    for step in steps:
        actions[step]()
    before = {path: mark for path, mark in files.marks.items() if mark}
    count = 0
    while files.can_undo:
        files.undo()
        count += 1
    assert not any(files.marks.values())
    for _ in range(count):
        files.redo()
    assert {path: mark for path, mark in files.marks.items() if mark} == before


def test_filters_are_words_or_expressions(files: ScoredFiles) -> None:
    assert files.shown("all files", "").tolist() == [0, 1, 2, 3]
    assert files.shown("all files", "B.TIF").tolist() == [1]
    assert files.shown("all files", "early").tolist() == [3], "errors are searched as well"
    assert files.shown("all files", "score >= 6.5 and snr < 9").tolist() == [2]
    assert files.shown("not readable", "").tolist() == [3]
    files.mark([Path("a.tif")], KEEP)
    assert files.shown("kept", "score > 1").tolist() == [0]
    assert files.shown("all files", 'mark == "keep"').tolist() == [0]
    with pytest.raises(InvalidSettings):
        files.shown("all files", "score <")
    with pytest.raises(InvalidSettings):
        files.shown("all files", "__import__('os') == 1")


@given(st.integers(1, 200), st.integers(1, 300))
def test_a_thumbnail_is_small_and_of_the_shape_of_the_image(rows: int, columns: int) -> None:
    pixels = np.add.outer(np.arange(rows), np.arange(columns)).astype(np.float32)
    small = thumbnail(Micrograph(pixels))
    assert small.dtype == np.uint8
    assert small.size > 0
    if min(rows, columns) >= 64:
        assert small.shape[0] <= 48
        assert small.shape[1] <= 64
        assert small[0, 0] < 40
        assert small[-1, -1] > 215


@given(st.integers(-50, 700), st.integers(-50, 700), st.integers(0, 300), st.integers(0, 300))
def test_what_is_in_view_lies_in_the_image_and_is_no_sliver(
    row: int, column: int, height: int, width: int
) -> None:
    shape = (480, 640)
    layer = SimpleNamespace(corner_pixels=np.array([[row, column], [row + height, column + width]]))
    found = visible_part(layer, shape)
    if found is None:
        assert height == 0 or width == 0
        return
    for part, size in zip(found, shape, strict=True):
        assert 0 <= part.start < part.stop <= size
        assert part.stop - part.start >= 32


def stand_in(image: Micrograph, **more: object) -> SimpleNamespace:
    """A layer known by its attributes."""
    arguments = image_arguments(image)
    ndim = len(arguments["scale"])
    return SimpleNamespace(
        data=image.pixels,
        ndim=ndim,
        translate=np.zeros(ndim),
        rotate=np.eye(ndim),
        shear=np.zeros(ndim * (ndim - 1) // 2),
        affine=SimpleNamespace(affine_matrix=np.eye(ndim + 1)),
        corner_pixels=np.zeros((2, ndim), int),
        source=SimpleNamespace(path=None),
        **(arguments | more),
    )


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_map_has_nm_with_a_scale_and_nothing_where_nothing_was_looked_at(
    calibrated: bool,
) -> None:
    pytest.importorskip("napari")  # its colour maps
    calibration = Calibration((3.0, 3.0), "typed", "test") if calibrated else Calibration()
    image = Micrograph(np.zeros((4, 64, 96), np.uint8), calibration, data_bar=(56, 64))
    sight = sight_of(stand_in(image), 2)
    assert sight.page == 2
    cells = np.full((4, 6), 2.0, np.float32)
    found = FocusMap(cells, cells, cells, 16)
    made = map_arguments(found, sight.layer, sight.image(), "x focus", "blur")
    assert made["data"].shape == (64, 96)
    assert np.isnan(made["data"][56:]).all()
    assert made["data"][0, 0] == (6.0 if calibrated else 2.0)
    assert made["metadata"][MAP_KEY]["unit"] == ("nm" if calibrated else "px")
    assert made["contrast_limits"] == (0.0, 12.0 if calibrated else 4.0)
    assert len(made["scale"]) == 2
    for quantity in QUANTITIES:
        assert map_arguments(found, sight.layer, sight.image(), "x", quantity)["data"].ndim == 2
