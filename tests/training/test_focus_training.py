"""A focus score is learned from scored images or from sharp ones, and survives a kill."""

from __future__ import annotations

import csv
import os
import signal
import time

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.cli.main import main
from napari_sem_tools.errors import InvalidSettings, InvalidTrainingSet, SemError
from napari_sem_tools.simulation.defocus import Probe, defocused
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training.focus.exposures import empty_frame, exposed
from napari_sem_tools.training.focus.frames import Drawing, FrameSource, SharpPicture
from napari_sem_tools.training.focus.truths import PLANES

SCENE = sem.SimulationSettings(width_px=160, height_px=128, particles=14, diameter_nm=44)
TINY = {
    "start": "none",
    "arguments": '{"widths": [8, 8, 16, 16], "depths": [0, 0, 1, 0], "hidden": 16}',
    "epochs": 6,
    "steps_per_epoch": 6,
    "batch": 4,
    "rows": 96,
    "columns": 128,
    "learning_rate": 1e-2,
    "average": 0.9,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
}


def scene(seed):
    return sem.simulate(SCENE, seed).image.pixels.astype(np.float32)


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Twelve frames of four fields, scored by the blur that they got; a registry of its own."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sem.models.configure()
    folder = tmp_path / "frames"
    rows = []
    for number in range(12):
        blur = 0.4 * (number % 3) * 4
        grey = defocused(scene(number // 3), Probe(blur))
        write_tiff(folder / f"f{number}.tif", np.clip(grey, 0, 255).astype(np.uint8))
        rows.append((f"f{number}.tif", 10 - blur / 0.4, f"field{number // 3}", 2000))
    with (folder / "scores.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "score", "group", "magnification"), *rows])
    yield folder
    if "torch" in __import__("sys").modules:
        sem.models.unload()
    sem.models.configure()


@pytest.fixture(scope="module")
def source():
    pictures = [SharpPicture("a", scene(1), native_px=0.5), SharpPicture("b", scene(2))]
    drawing = Drawing(rows=64, columns=96, empty=0.1)
    return FrameSource(pictures, drawing, seed=3)


def plane(truth, name):
    return truth[:, PLANES.index(name)]


def test_a_batch_depends_on_seed_and_number_alone(source):
    first, again, other = source.batch(5, 4), source.batch(5, 4), source.batch(6, 4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_frames_are_scaled_and_their_truths_agree(source):
    images, truth = source.batch(0, 60)
    assert images.shape == (60, 3, 64, 96)
    assert np.abs(images[:, 0].mean((1, 2))).max() < 0.1
    assert truth.shape == (60, len(PLANES), 4, 6)
    assert plane(truth, "score").min() >= 0
    assert plane(truth, "score").max() <= 10
    informs = plane(truth, "information").mean((1, 2)) > 0
    assert 0.5 < informs.mean() < 1  # some show nothing
    whole = informs & (plane(truth, "image_weight").mean((1, 2)) == 1)
    blur, score = plane(truth, "ln_blur_px")[whole], plane(truth, "score")[whole]
    seen = score > 0
    assert (np.exp(blur[seen]) >= 0.4 * (10 - score[seen]) - 1e-4).all()  # native blur adds to it


def test_a_dose_is_counted_and_its_snr_is_said():
    clean = np.full((128, 128), 0.5, np.float32)
    clean[:, 64:] = 0.7
    rng = np.random.default_rng(2)
    drawn = [exposed(clean, rng, plain=True) for _ in range(12)]
    for frame, snr in drawn:
        if snr is not None and 0.05 < snr < 20:
            noise = (frame[:, 70:].astype(float).var() + frame[:, :58].var()) / 2
            signal = (frame[:, 70:].mean() - frame[:, :58].mean()) ** 2 / 4
            assert signal / noise == pytest.approx(snr, rel=0.35)
    assert any(snr is None for _, snr in drawn) or any(snr for _, snr in drawn)


def test_empty_frames_have_no_structure():
    rng = np.random.default_rng(0)
    for _ in range(20):
        frame = empty_frame((64, 64), rng).astype(float)
        rows = frame - frame.mean(0)  # a slope along the lines may be there
        neighbours = (rows[:, 1:] * rows[:, :-1]).mean()
        assert abs(neighbours) <= 0.1 * max(rows.var(), 1e-9) + 1


@pytest.mark.torch
def test_train_kill_resume_evaluate_register_score(scored):
    run = sem.TrainingRun.start(scored, "toy", kind="focus", recipe="focus", **TINY)
    end = time.monotonic() + 200
    while run.running and time.monotonic() < end:
        if any(event.kind == "epoch" and event.epoch >= 2 for event in run.poll()):
            break
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    with pytest.raises(SemError, match="ended by itself"):
        run.wait()

    card = sem.train_focus(scored, "toy", recipe="focus", **TINY)
    log = sem.training.read_log(run.folder)
    assert [row["epoch"] for row in log] == list(range(1, 7))  # none twice, none missing
    assert log[-1]["loss"] < log[0]["loss"]
    assert sem.models["toy"] == card
    assert card.task == "focus"
    scores = {score.metric: score.value for score in card.scores}
    assert {"RMSE", "MAE", "RMSE of a constant"} <= set(scores)
    assert "3 of 12 images, by group" in card.scores[0].split

    from napari_sem_tools.focus.measures.picture import picture_of
    from napari_sem_tools.focus.network import score_by_network

    found = score_by_network(picture_of(scored / "f0.tif"), "cpu", model="toy")
    assert 0 <= found.interval[0] <= found.score <= found.interval[1] <= 10
    assert sem.train_focus(scored, "toy", recipe="focus", **TINY) == card  # done: nothing to do


@pytest.mark.torch
def test_sharp_images_alone_teach_defocus(scored):
    (scored / "scores.csv").unlink()
    card = sem.train_focus(scored, "sharp", **TINY | {"epochs": 1, "steps_per_epoch": 2})
    assert "focus by defocus" in card.description
    assert {score.metric for score in card.scores} >= {"RMSE", "RMSE of a constant"}


@pytest.mark.torch
def test_the_papers_network_is_trained_by_one_command(scored, capsys):
    small = ["--arguments", '{"widths": [4, 8, 8, 16]}', "--rows", "96", "--columns", "128"]
    words = ["train", "focus", str(scored), "-n", "paper", "--recipe", "paper-resnet18"]
    assert main([*words, "--epochs", "1", "--threads", "1", "--quiet", *small]) == 0
    card = sem.models["paper"]
    assert card.architecture == "resnet18-focus"
    assert card.input.channels == 2
    assert "RMSE of a constant" in capsys.readouterr().out

    from napari_sem_tools.focus.measures.picture import picture_of
    from napari_sem_tools.focus.network import score_by_network

    found = score_by_network(picture_of(scored / "f0.tif"), "cpu", model="paper")
    assert 0 <= found.score <= 10


def test_bad_scores_and_folders_are_refused(scored):
    from napari_sem_tools.training.focus.plan import resolve
    from napari_sem_tools.training.focus.settings import FocusTraining

    store, wish = sem.models.on_disk, FocusTraining(start="none")
    plan = resolve(scored, wish, store)
    assert plan.truth == "scores"
    assert not {p.group for p in plan.chosen(plan.split.train)} & {
        p.group for p in plan.chosen(plan.split.validation)
    }
    with pytest.raises(InvalidSettings, match="multiple of 16"):
        resolve(scored, wish.replace(rows=100), store)
    with pytest.raises(InvalidSettings, match="not from defocus"):
        resolve(scored, wish.replace(architecture="resnet18-focus", truth="defocus"), store)
    table = scored / "scores.csv"
    text = table.read_text()
    table.write_text(text.replace("f3.tif,10.0", "f3.tif,eleven"))
    with pytest.raises(InvalidTrainingSet, match="f3 is 'eleven'"):
        resolve(scored, wish, store)
    table.write_text(text.replace("f3.tif", "f99.tif"))
    with pytest.raises(InvalidTrainingSet, match="f99"):
        resolve(scored, wish, store)
    table.unlink()
    with pytest.raises(InvalidTrainingSet, match="columns 'file' and 'score'"):
        resolve(scored, wish.replace(truth="scores"), store)
