"""The whole way on three simulated images: train, kill, resume, evaluate, register, segment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.errors import Cancelled, InvalidSettings, InvalidTrainingSet, SemError
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training import read_log

pytestmark = pytest.mark.torch

SCENE = sem.SimulationSettings(
    width_px=192, height_px=160, particles=14, diameter_nm=44, agglomeration=0.3
)
CHANGES = {
    "start": "none",
    "arguments": '{"widths": [16, 32, 48]}',
    "epochs": 14,
    "steps_per_epoch": 10,
    "batch": 4,
    "crop_px": 96,
    "learning_rate": 1e-2,
    "average": 0.9,
    "augmentation": "flips",
    "threads": 1,
    "device": "cpu",
}


@pytest.fixture
def toy_set(tmp_path, monkeypatch):
    """Three images with labels, and a registry of the test's own."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sem.models.configure()
    folder = tmp_path / "toy set"
    for seed in range(3):
        made = sem.simulate(SCENE, seed)
        write_tiff(folder / "images" / f"field_{seed}.tif", made.image.pixels)
        write_tiff(folder / "masks" / f"field_{seed}.tif", made.labels)
    yield folder
    sem.models.unload()
    sem.models.configure()


def until_epoch(run, epoch):
    """Wait for the end of an epoch; return what was told."""
    seen = []
    while run.running:
        seen += run.poll()
        if any(event.kind == "epoch" and event.epoch >= epoch for event in seen):
            return seen
        time.sleep(0.02)
    pytest.fail(f"the training ended: {seen[-1:]} {run.poll()}")


def test_train_kill_resume_evaluate_register_segment(toy_set):
    run = sem.TrainingRun.start(toy_set, "toy", **CHANGES)
    until_epoch(run, 2)
    os.kill(run.pid, signal.SIGKILL)
    with pytest.raises(SemError, match="ended by itself"):
        run.wait()
    assert run.poll()[-1].kind == "failed"
    done = len(read_log(run.folder))
    assert 2 <= done < CHANGES["epochs"]

    said = []
    card = sem.train_segmentation(
        toy_set, "toy", progress=lambda done, total, what: said.append((done, what)), **CHANGES
    )
    log = read_log(run.folder)
    assert [row["epoch"] for row in log] == list(range(1, 15))  # none twice, none missing
    assert [at for at, _ in said] == sorted(at for at, _ in said)
    assert f"epoch {done} of" not in " ".join(what for _, what in said)

    assert sem.models["toy"] == card
    scores = {score.metric: score.value for score in card.scores}
    assert {"AP@0.5", "PQ", "AJI"} <= set(scores)
    assert "1 of 3 images" in card.scores[0].split

    new = sem.simulate(SCENE, seed=77)
    settings = sem.NetworkSettings(diameter_px=22)
    found = sem.segment(new.image, "toy", settings=settings)
    assert found.model.startswith("toy@1.0.0 sha256:")
    assert sem.evaluate(new.labels, found)["ap50"] > 0.5


def test_a_cancelled_run_keeps_its_best_epoch(toy_set):
    run = sem.TrainingRun.start(toy_set, "toy", **CHANGES)
    until_epoch(run, 1)
    run.cancel()
    card = run.wait(timeout=600)
    assert "Stopped by the user" in card.description
    assert run.poll()[-1].kind == "cancelled"
    assert not run.running
    with pytest.raises(Cancelled):
        sem.train_segmentation(toy_set, "other", cancel=lambda: True, **CHANGES)
    assert list(sem.models) == [name for name in sem.models if name != "other"]


def test_a_model_of_the_foreground_segments_by_the_published_watershed(toy_set):
    from napari_sem_tools.training.running.plan import resolve
    from napari_sem_tools.training.running.session import learn

    changes = CHANGES | {"targets": "foreground", "epochs": 4, "loss": "bce+dice"}
    store = sem.models.on_disk
    plan = resolve(toy_set, sem.TrainingSettings(**changes), store)
    card = learn(plan, toy_set / "training" / "ground", "ground", store)
    found = sem.segment(toy_set / "images" / "field_0.tif", card.name)
    assert found.count > 3
    assert found.settings["result"] == "watershed"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_training_stops_when_who_started_it_is_gone(toy_set, tmp_path):
    code = (
        "import json, sys, time\n"
        "import napari_sem_tools as sem\n"
        f"run = sem.TrainingRun.start({str(toy_set)!r}, 'toy', **json.loads(sys.argv[1]))\n"
        "while not any(e.kind == 'epoch' for e in run.poll()): time.sleep(0.02)\n"
        "print(run.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    changes = json.dumps(CHANGES | {"epochs": 5000})
    parent = subprocess.Popen(
        [sys.executable, "-c", code, changes], stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 300
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        if _is_zombie(child):
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()
    assert read_log(toy_set / "training" / "toy")


def _is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and only its parent has not looked."""
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_what_fails_there_is_raised_here_as_the_same_error(toy_set):
    with pytest.raises(InvalidSettings, match="epochs = 0"):
        sem.TrainingRun.start(toy_set, "toy", epochs=0)
    packaged = next(e for e in sem.models.on_disk.entries() if e.origin == "packaged")
    with pytest.raises(InvalidSettings, match="not yours"):
        sem.TrainingRun.start(toy_set, packaged.card.name)
    write_tiff(toy_set / "masks" / "field_1.tif", np.zeros((5, 5), np.uint8))
    with pytest.raises(InvalidTrainingSet, match=r"masks/field_1\.tif") as error:
        sem.train_segmentation(toy_set, "toy", **CHANGES)
    assert "train check" in error.value.hint
