"""Chosen files go where the user wants them, with their side-cars, or everything stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_sem_tools.errors import Cancelled, InvalidSettings, OutputExists, SemError
from napari_sem_tools.focus.files.transfer import companions, transfer_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "session"
    made.mkdir()
    for name in ("a.tif", "a.TXT", "b.tif", "b-tif.hdr", "c.tif", "c.png", "c.txt"):
        (made / name).write_bytes(name.encode())
    return made


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_files_that_carry_the_scale_go_along(folder: Path) -> None:
    assert [path.name for path in companions(folder / "a.tif")] == ["a.TXT"]
    assert [path.name for path in companions(folder / "b.tif")] == ["b-tif.hdr"]
    done = transfer_files([folder / "a.tif", folder / "b.tif"], folder.parent / "out", move=True)
    assert names(folder.parent / "out") == {"a.tif", "a.TXT", "b.tif", "b-tif.hdr"}
    assert names(folder) == {"c.tif", "c.png", "c.txt"}
    done.undo()
    assert names(folder.parent / "out") == set()
    assert (folder / "a.TXT").read_bytes() == b"a.TXT"
    assert len(names(folder)) == 7


def test_a_side_car_that_another_image_needs_stays_as_well(folder: Path) -> None:
    out = folder.parent / "out"
    transfer_files([folder / "c.tif"], out, move=True)
    assert names(out) == {"c.tif", "c.txt"}
    assert {"c.png", "c.txt"} <= names(folder)
    assert "c.tif" not in names(folder)


def test_a_copy_leaves_the_original_and_its_dates(folder: Path) -> None:
    out = folder.parent / "out"
    before = (folder / "a.tif").stat().st_mtime_ns
    done = transfer_files([folder / "a.tif"], out)
    assert "a.tif" in names(folder)
    assert (out / "a.tif").stat().st_mtime_ns == before
    done.undo()
    assert names(out) == set()


def test_nothing_is_ever_replaced(folder: Path) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / "b.tif").write_bytes(b"precious")
    with pytest.raises(OutputExists):
        transfer_files([folder / "a.tif", folder / "b.tif"], out, move=True)
    assert names(out) == {"b.tif"}
    assert (out / "b.tif").read_bytes() == b"precious"
    assert len(names(folder)) == 7
    with pytest.raises(InvalidSettings):
        transfer_files([folder / "a.tif"], folder, move=True)


@pytest.mark.parametrize("move", [True, False])
def test_what_was_done_is_taken_back_when_a_file_is_gone(folder: Path, move: bool) -> None:
    out = folder.parent / "out"
    with pytest.raises(SemError):
        transfer_files([folder / "a.tif", folder / "gone.tif"], out, move=move)
    assert len(names(folder)) == 7
    assert not out.exists() or names(out) == set()


def test_cancelled_between_two_files_everything_is_as_before(folder: Path) -> None:
    out = folder.parent / "out"
    with pytest.raises(Cancelled):
        transfer_files(
            [folder / "a.tif", folder / "b.tif"],
            out,
            move=True,
            cancel=lambda: out.exists() and len(names(out)) == 2,
        )
    assert len(names(folder)) == 7
    assert names(out) == set()
