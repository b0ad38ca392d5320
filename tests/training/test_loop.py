"""Training renders, learns, is killed and goes on."""

from __future__ import annotations

import csv
import functools
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidTrainingSet
from napari_sem_tools.simulation.training_scene import (
    enlarged_scene,
    stacked_scene,
    training_scene,
)
from napari_sem_tools.training.data.crops import Crops, MixedCrops
from napari_sem_tools.training.data.scenes import SceneFolder, render_scenes, write_scenes

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


def test_scenes_are_drawn_as_one_wishes(tmp_path):
    draw = functools.partial(training_scene, diameters_px=(20.0, 21.0))
    folder = SceneFolder.load(render_scenes(tmp_path, 1, seed=3, size_px=96, draw=draw))
    drawn = [r["diameter_px"] for r in folder.recipes if r["arrangement"] != "giants"]
    assert 20 <= min(drawn) <= max(drawn) <= 21


def test_pictures_of_other_origin_are_learned_from_like_scenes(tmp_path):
    image = np.full((64, 64), 90, np.uint8)
    labels = np.zeros((64, 64), np.uint16)
    labels[20:40, 20:40] = 7
    write_scenes(tmp_path / "scenes-9000.npz", [(image, labels, labels == 0)], [{}])
    folder = SceneFolder.load(tmp_path)
    foreground, _, _, weight = folder.targets[0]
    assert np.array_equal(foreground > 0, labels > 0)
    assert np.array_equal(weight > 0, labels > 0)


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


def test_scenes_that_are_mapped_are_those_that_were_rendered(scenes, tmp_path):
    folder = tmp_path / "scenes"
    shutil.copytree(scenes, folder, ignore=shutil.ignore_patterns("*.npy"))
    whole, mapped = SceneFolder.load(folder), SceneFolder.mapped(folder)
    np.testing.assert_array_equal(mapped.images, whole.images)
    np.testing.assert_array_equal(mapped.targets, whole.targets)
    (copy,) = folder.glob("targets-*.npy")
    shutil.copy(folder / "scenes-0000.npz", folder / "scenes-0001.npz")
    assert len(SceneFolder.mapped(folder).images) == 2 * len(whole.images)
    assert not copy.exists(), "the copy of fewer scenes is gone"


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

    from napari_sem_tools.training.data.targets import separation_targets
    from napari_sem_tools.training.losses import separation_loss

    labels = np.zeros((32, 32), int)
    labels[4:16, 4:16], labels[16:28, 4:16] = 1, 2
    targets = torch.from_numpy(separation_targets(labels)[None].astype(np.float32) / 255)
    good = torch.logit(targets[:, :3].clamp(0.01, 0.99))
    assert separation_loss(good, targets) < separation_loss(torch.zeros_like(good), targets)
    assert separation_loss(good, targets) < separation_loss(-good, targets)
    nothing = torch.cat([targets[:, :3], torch.zeros_like(targets[:, 3:])], 1)
    assert separation_loss(-good, nothing) == pytest.approx(0.0, abs=1e-6)


def test_several_folders_give_the_crops_by_their_shares(scenes, tmp_path):
    other = render_scenes(tmp_path / "other", 1, seed=4, size_px=96)
    sources = [Crops(SceneFolder.load(each), 64, None) for each in (scenes, other)]
    drawn = [0, 0]

    def counted(place, source):
        def batch(count):
            drawn[place] += count
            return Crops.batch(source, count)

        return batch

    for place, source in enumerate(sources):
        source.batch = counted(place, source)
    mixed = MixedCrops(sources, [3, 1])
    mixed.seed(1, 2)
    first = mixed.batch(4)[0]
    for _ in range(9):
        mixed.batch(4)
    assert first.shape == (4, 1, 64, 64)
    assert sum(drawn) == 40
    assert 24 <= drawn[0] <= 36
    mixed.seed(1, 2)
    assert np.array_equal(mixed.batch(4)[0], first)


@pytest.mark.torch
def test_a_later_stage_begins_with_the_weights_of_the_one_before(scenes, tmp_path):
    from safetensors.torch import load_file

    from napari_sem_tools.training.loop import SeparationTraining, train_separation

    once = SeparationTraining(
        steps=2, batch=1, crop_px=64, processes=1, learning_rate=1e-6, save_every=2
    )
    weights = train_separation(scenes, tmp_path / "one", settings=once, widths=(4, 8))
    later = train_separation(
        {scenes: 1.0}, tmp_path / "two", settings=once.replace(seed=5), widths=(4, 8), start=weights
    )
    before, after = load_file(weights), load_file(later)
    learned = [name for name in before if name.endswith(".weight")]
    assert all(np.allclose(before[name], after[name], atol=1e-4) for name in learned)


def test_stacked_scenes_are_small_particles_that_mostly_touch():
    scene = stacked_scene((5, 1), size_px=128)
    assert 14 <= scene.recipe.diameter_px <= 60
    assert scene.recipe.arrangement != "nothing"


def test_an_enlarged_scene_is_one_of_half_the_size_with_its_outlines():
    scene = enlarged_scene((5, 1), size_px=128)
    assert scene.image.shape == scene.labels.shape == scene.ignore.shape == (128, 128)
    assert scene.recipe.size_px == 64
    assert np.array_equal(scene.labels[::2, ::2], scene.labels[1::2, 1::2])
    rough = np.abs(np.diff(scene.image.astype(float), axis=1)).mean()
    again = np.abs(np.diff(scene.image[:, ::2].astype(float), axis=1)).mean()
    assert rough < 0.6 * again, "an enlarged picture is soft: steps are half as high"
