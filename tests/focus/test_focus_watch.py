"""A watched folder: nothing lost, nothing scored twice, no crash, whatever writes into it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from folder_watcher import mean_grey
from folder_writers import picture

from napari_sem_tools.errors import InvalidSettings, SemError, UnreadableFile
from napari_sem_tools.focus.files.watch import FocusWatch
from napari_sem_tools.focus.score import FocusScore
from napari_sem_tools.micrograph import Micrograph

HERE = Path(__file__).parent
PATIENCE_S = 60.0


def writer(mode: str, folder: Path, count: int, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "folder_writers.py"), mode, str(folder)]
    return subprocess.Popen([*command, str(count), str(seed)], stdout=subprocess.PIPE, text=True)


def drop(folder: Path, name: str, number: int = 0) -> Path:
    path = folder / name
    path.write_bytes(picture(0, number, ending=path.suffix))
    return path


def test_a_file_is_taken_at_the_second_look_at_which_it_is_the_same(tmp_path: Path) -> None:
    watch = FocusWatch(tmp_path, score=mean_grey)
    drop(tmp_path, "a.tif")
    assert watch.poll() == []
    (found,) = watch.poll()
    assert found.path.name == "a.tif"
    assert watch.poll() == []
    assert watch.images == [found]


def test_what_others_write_is_whole_when_it_is_scored_and_scored_once(tmp_path: Path) -> None:
    count = 12
    modes = ("slowly", "beside", "renamed", "preallocated", "deleted")
    writers = [writer(mode, tmp_path, count, seed) for seed, mode in enumerate(modes)]
    watch = FocusWatch(tmp_path, score=mean_grey)
    end, quiet = time.monotonic() + PATIENCE_S, 0
    while quiet < 30 and time.monotonic() < end:
        watch.poll()
        time.sleep(0.05)  # a busy machine may stop a writer for a while
        quiet = quiet + 1 if all(w.poll() is not None for w in writers) else 0
    for one in writers:
        out, _ = one.communicate()
        assert (one.returncode, out) == (0, "")
    scores = {}
    for image in watch.images:
        mode = image.path.name.split("-")[0]
        scores.setdefault(mode, []).append(image.score.score)
    expected = {
        "slow": [(0, n, (".tif", ".png")[n % 2]) for n in range(count)],
        "beside": [(1, n, ".tif") for n in range(count)],
        "filled": [(3, n, ".tif") for n in range(count)],
    }
    for mode, pictures in expected.items():
        assert sorted(scores[mode]) == pytest.approx(sorted(true_score(*one) for one in pictures))
    both = sorted(scores.get("first", []) + scores.get("renamed", []))
    assert both == pytest.approx(sorted(true_score(2, n, ".tif") for n in range(count)))
    assert len({image.key for image in watch.images}) == len(watch.images)
    assert not watch.problems


def true_score(seed: int, number: int, ending: str) -> float:
    del ending  # the same pixels in every format
    grey = np.random.default_rng((seed, number)).integers(0, 255, (96, 128)).astype(np.uint8)
    return float(grey.mean()) / 100


def test_a_file_whose_writer_was_killed_is_named_and_taken_when_it_is_finished(
    tmp_path: Path,
) -> None:
    problems = []
    watch = FocusWatch(tmp_path, score=mean_grey, on_problem=problems.append)
    program = writer("forever", tmp_path, 1, 5)
    assert program.stdout is not None
    assert program.stdout.readline() == "half\n"
    for _ in range(4):
        watch.poll()
    program.send_signal(signal.SIGKILL)
    program.communicate()
    for _ in range(40):
        watch.poll()
    assert [problem.path.name for problem in problems] == ["half-000.tif"]
    assert watch.images == []
    assert watch.waiting == [tmp_path / "half-000.tif"]
    (tmp_path / "half-000.tif").write_bytes(picture(5, 0))
    for _ in range(3):
        watch.poll()
    assert [image.path.name for image in watch.images] == ["half-000.tif"]
    assert watch.problems == {}


def test_a_watcher_that_is_killed_again_and_again_scores_each_picture_once(
    tmp_path: Path,
) -> None:
    folder, ledger = tmp_path / "in", tmp_path / "ledger.json"
    folder.mkdir()
    command = [sys.executable, str(HERE / "folder_watcher.py"), str(folder), str(ledger)]
    count, rounds = 10, 3
    for number in range(rounds):
        before = known(ledger)
        program = subprocess.Popen(command)
        feeding = writer("slowly", folder, count, number)
        end = time.monotonic() + PATIENCE_S
        while known(ledger) == before and time.monotonic() < end:
            time.sleep(0.01)
        program.send_signal(signal.SIGKILL)
        program.communicate()
        feeding.communicate()
    watch = FocusWatch(folder, score=mean_grey, ledger=ledger)
    assert len(watch.images) >= rounds  # what the killed ones had done
    before = len(watch.images)
    again = [image for _ in range(4) for image in watch.poll()]
    assert before + len(again) == len(watch.images) == count * rounds
    assert len({image.key for image in watch.images}) == count * rounds
    true = sorted(true_score(seed, n, "") for seed in range(rounds) for n in range(count))
    assert sorted(image.score.score for image in watch.images) == pytest.approx(true)


def known(ledger: Path) -> int:
    """Count the pictures in a ledger."""
    return len(json.loads(ledger.read_text("utf-8"))["images"]) if ledger.exists() else 0


def test_a_renamed_file_is_known_again(tmp_path: Path) -> None:
    watch = FocusWatch(tmp_path, score=mean_grey)
    path = drop(tmp_path, "a.tif")
    watch.poll()
    watch.poll()
    path.rename(tmp_path / "b.tif")
    assert [watch.poll() for _ in range(3)] == [[], [], []]


def test_a_touched_file_is_known_again_and_a_replaced_one_is_new(tmp_path: Path) -> None:
    watch = FocusWatch(tmp_path, score=mean_grey)
    path = drop(tmp_path, "a.tif")
    watch.poll()
    watch.poll()
    os.utime(path, (1e9, 1e9))
    assert [watch.poll() for _ in range(3)] == [[], [], []]
    drop(tmp_path, "a.tif", number=1)
    watch.poll()
    assert len(watch.poll()) == 1


def test_a_copy_with_a_date_of_its_own_is_another_picture(tmp_path: Path) -> None:
    watch = FocusWatch(tmp_path, score=mean_grey)
    path = drop(tmp_path, "a.tif")
    os.utime(path, (1e9, 1e9))
    watch.poll()
    watch.poll()
    shutil.copyfile(path, tmp_path / "b.tif")
    watch.poll()
    assert [image.path.name for image in watch.poll()] == ["b.tif"]


def test_a_file_deleted_while_it_is_read_is_forgotten(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.tif")

    def score(image: Micrograph) -> FocusScore:
        path.unlink()
        return mean_grey(image)

    watch = FocusWatch(tmp_path, score=score)
    assert [watch.poll() for _ in range(3)] == [[], [], []]
    assert (watch.images, watch.problems, watch.waiting) == ([], {}, [])


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.tif")
    seen = []

    def score(image: Micrograph) -> FocusScore:
        seen.append(image)
        if len(seen) == 1:
            drop(tmp_path, path.name, number=1)
        return mean_grey(image)

    watch = FocusWatch(tmp_path, score=score)
    found = [image for _ in range(5) for image in watch.poll()]
    assert [image.score.score for image in found] == [pytest.approx(true_score(0, 1, ""))]


def test_pictures_come_in_the_order_in_which_they_were_taken(tmp_path: Path) -> None:
    for number, name in enumerate(("c.tif", "a.tif", "b.tif")):
        path = drop(tmp_path, name, number)
        os.utime(path, (1e9 + number, 1e9 + number))
    told = []
    watch = FocusWatch(tmp_path, told.append, score=mean_grey)
    watch.poll()
    watch.poll()
    assert [image.path.name for image in told] == ["c.tif", "a.tif", "b.tif"]


def test_rows_that_are_not_written_yet_are_waited_for(tmp_path: Path) -> None:
    import tifffile

    grey = np.random.default_rng(0).integers(1, 255, (100, 120)).astype(np.uint8)
    grey[60:] = 0
    tifffile.imwrite(tmp_path / "a.tif", grey)
    watch = FocusWatch(tmp_path, score=mean_grey)
    assert [len(watch.poll()) for _ in range(5)] == [0] * 5
    found = [image for _ in range(30) for image in watch.poll()]  # a black foot after all
    assert [image.complete for image in found] == [False]
    grey[60:] = 7
    tifffile.imwrite(tmp_path / "a.tif", grey)  # ... or a writer that paused for long
    assert [image.complete for _ in range(3) for image in watch.poll()] == [True]
    assert [image.complete for image in watch.images] == [True]


def test_a_callback_that_fails_loses_no_picture(tmp_path: Path) -> None:
    drop(tmp_path, "a.tif")
    drop(tmp_path, "b.tif", 1)
    told = []

    def tell(image: object) -> None:
        told.append(image)
        if len(told) == 1:
            raise ZeroDivisionError

    watch = FocusWatch(tmp_path, tell, score=mean_grey)
    watch.poll()
    with pytest.raises(ZeroDivisionError):
        watch.poll()
    watch.poll()
    assert [image.path.name for image in told] == ["a.tif", "b.tif"]
    assert len(watch.images) == 2


def test_a_picture_that_cannot_be_scored_is_named_once(tmp_path: Path) -> None:
    drop(tmp_path, "a.tif")

    def score(image: Micrograph) -> FocusScore:
        raise SemError("This is no micrograph.", hint="Take another.")

    problems = []
    watch = FocusWatch(tmp_path, on_problem=problems.append, score=score)
    for _ in range(80):
        watch.poll()
    assert [(p.message, p.hint) for p in problems] == [("This is no micrograph.", "Take another.")]


def test_what_is_there_at_the_first_look_may_be_left_alone(tmp_path: Path) -> None:
    drop(tmp_path, "old.tif")
    watch = FocusWatch(tmp_path, score=mean_grey, skip_existing=True)
    watch.poll()
    drop(tmp_path, "new.tif", 1)
    watch.poll()
    assert [image.path.name for image in watch.poll()] == ["new.tif"]


def test_hidden_files_folders_and_other_endings_are_no_pictures(tmp_path: Path) -> None:
    drop(tmp_path, ".hidden.tif")
    (tmp_path / "notes.doc").write_bytes(b"x")
    (tmp_path / "folder.tif").mkdir()
    watch = FocusWatch(tmp_path, score=mean_grey)
    assert [watch.poll() for _ in range(3)] == [[], [], []]
    assert watch.waiting == []


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    watch = FocusWatch(tmp_path / "later", score=mean_grey)
    assert watch.poll() == []
    (tmp_path / "later").mkdir()
    drop(tmp_path / "later", "a.tif")
    watch.poll()
    assert len(watch.poll()) == 1


def test_a_file_is_no_folder_and_a_damaged_ledger_is_said(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.tif")
    with pytest.raises(InvalidSettings, match="no folder"):
        FocusWatch(path)
    (tmp_path / "ledger.json").write_text("{}")
    with pytest.raises(UnreadableFile, match="no record"):
        FocusWatch(tmp_path, ledger=tmp_path / "ledger.json")
