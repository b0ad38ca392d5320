"""Training renders, learns, is killed and goes on."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidTrainingSet
from napari_sem_tools.training.crops import Crops
from napari_sem_tools.training.scenes import SceneFolder, render_scenes

TOY = """
from pathlib import Path
from napari_sem_tools.training.loop import SeparationTraining, train_separation
if __name__ == "__main__":
    settings = SeparationTraining(
        steps=30, batch=2, crop_px=64, processes=1, save_every=5, letters=0.3)
    train_separation(Path({scenes!r}), Path({run!r}), settings=settings, widths=(4, 8))
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    return render_scenes(folder, 1, seed=3, size_px=96)


def test_scenes_that_are_there_are_not_rendered_again(scenes):
    before = {p.name: p.stat().st_mtime_ns for p in scenes.glob("*.npz")}
    render_scenes(scenes, 1, seed=3, size_px=96)
    assert {p.name: p.stat().st_mtime_ns for p in scenes.glob("*.npz")} == before


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InvalidTrainingSet, match="no rendered scenes"):
        SceneFolder.load(tmp_path)


def test_scenes_of_several_files_stand_in_their_order(scenes, tmp_path):
    one = scenes / "scenes-0000.npz"
    for name in ("scenes-0000.npz", "scenes-0001.npz"):
        (tmp_path / name).write_bytes(one.read_bytes())
    twice, single = SceneFolder.load(tmp_path), SceneFolder.load(scenes)
    assert len(twice.images) == len(twice.recipes) == 50
    for name in ("images", "targets", "labels"):
        assert np.array_equal(getattr(twice, name)[25:], getattr(single, name))
    assert not SceneFolder.load(scenes, labels=False).labels.size


def test_crops_have_range_shape_and_matching_truth(scenes):
    crops = Crops(SceneFolder.load(scenes), 64, np.random.default_rng(0))
    images, targets = crops.batch(6)
    assert images.shape == (6, 1, 64, 64)
    assert targets.shape == (6, 4, 64, 64)
    assert np.isfinite(images).all()
    assert targets.min() >= 0
    assert targets.max() <= 1


@pytest.mark.torch
@pytest.mark.slow
def test_a_killed_training_goes_on_where_it_stopped(scenes, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TOY.format(scenes=str(scenes), run=str(tmp_path / "run")))
    first = subprocess.Popen([sys.executable, str(script)])
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert checkpoint.exists()
    done = subprocess.run([sys.executable, str(script)], check=True, timeout=300)
    assert done.returncode == 0
    rows = list(csv.reader((tmp_path / "run" / "log.csv").read_text().splitlines()))
    assert rows[0] == ["step", "loss", "seconds"]
    assert rows[-1][0] == "30"
    assert (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.torch
def test_the_loss_prefers_the_truth():
    import torch

    from napari_sem_tools.training.losses import separation_loss
    from napari_sem_tools.training.targets import separation_targets

    labels = np.zeros((32, 32), int)
    labels[4:16, 4:16], labels[16:28, 4:16] = 1, 2
    targets = torch.from_numpy(separation_targets(labels)[None].astype(np.float32) / 255)
    good = torch.logit(targets[:, :3].clamp(0.01, 0.99))
    assert separation_loss(good, targets) < separation_loss(torch.zeros_like(good), targets)
    assert separation_loss(good, targets) < separation_loss(-good, targets)
    nothing = torch.cat([targets[:, :3], torch.zeros_like(targets[:, 3:])], 1)
    assert separation_loss(-good, nothing) == pytest.approx(0.0, abs=1e-6)
