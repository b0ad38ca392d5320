"""A training learns, judges on whole images, and goes on after a crash as if there was none."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sem_tools.errors import (
    Cancelled,
    InvalidSettings,
    InvalidTrainingSet,
    OutputExists,
    SemError,
)
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training.running.logs import read_log
from napari_sem_tools.training.settings import TrainingSettings
from napari_sem_tools.training.trainings import TRAININGS, training

pytestmark = pytest.mark.torch

TINY = TrainingSettings(
    start="none",
    arguments='{"widths": [8, 16]}',
    epochs=3,
    steps_per_epoch=4,
    batch=2,
    crop_px=64,
    learning_rate=5e-3,
    augmentation="sem",
    threads=1,
    device="cpu",
    precision="fp32",
)


@pytest.fixture
def store(tmp_path):
    return Store([Place(tmp_path / "models", "user")])


def train(folder, run, store, settings=TINY, **options):
    from napari_sem_tools.training.running.plan import resolve
    from napari_sem_tools.training.running.session import learn

    events = []
    plan = resolve(folder, settings, store)
    card = learn(plan, run, "tiny", store, tell=events.append, **options)
    return card, events


class CrashError(Exception):
    """Stands for a power cut."""


def crash_in(run, epoch):
    """A cancel that pulls the plug in the middle of an epoch."""
    calls = []

    def cancel():
        if len(read_log(run)) >= epoch - 1:
            calls.append(1)
        if len(calls) > 2:
            raise CrashError
        return False

    return cancel


def test_a_cut_run_ends_with_the_same_weights_as_one_that_was_not(make_set, tmp_path, store):
    folder = make_set(3)
    whole, _ = train(folder, tmp_path / "whole", store)
    run = tmp_path / "cut"
    for epoch in (2, 3):
        with pytest.raises(CrashError):
            train(folder, run, store, cancel=crash_in(run, epoch))
        assert len(read_log(run)) == epoch - 1
    cut, events = train(folder, tmp_path / "cut", Store([Place(tmp_path / "other", "user")]))
    assert any("Going on after epoch" in event.text for event in events)
    assert cut.weights.sha256 == whole.weights.sha256
    assert cut.scores == whole.scores
    for part in ("epoch", "step", "loss", "learning_rate", "pq"):
        first, second = (
            [row[part] for row in read_log(tmp_path / run)] for run in ("whole", "cut")
        )
        assert first == second


def test_a_batch_depends_on_epoch_and_step_alone(make_set):
    from napari_sem_tools.models.card import InputSpec
    from napari_sem_tools.training.data.folder import check_folder, read_pair
    from napari_sem_tools.training.data.sampler import Sampler
    from napari_sem_tools.training.data.scaled import prepare

    samples = check_folder(make_set(3)).samples
    scenes = [prepare(s.name, read_pair(s), InputSpec(), targets="instances") for s in samples]
    options = {
        "crop_px": 64,
        "batch": 3,
        "instances": True,
        "augmentation": "RDZ",
        "foreground": 0.7,
        "seed": 5,
    }
    first, second = Sampler(scenes, **options), Sampler(scenes, **options)
    first.batch(1, 0)
    images, targets = first.batch(2, 1)
    again = second.batch(2, 1)
    assert np.array_equal(images, again[0])
    assert np.array_equal(targets, again[1])
    assert images.shape == (3, 1, 64, 64)
    assert targets.shape == (3, 4, 64, 64)
    assert not np.array_equal(images, second.batch(3, 1)[0])


def test_a_finished_run_returns_its_model_and_another_one_is_refused(make_set, tmp_path, store):
    folder, run = make_set(3), tmp_path / "run"
    card, events = train(folder, run, store)
    kinds = [event.kind for event in events]
    assert kinds.count("epoch") == 3
    assert all((run / name).exists() for name in ("log.csv", "card.json", "best.safetensors"))
    assert all(path.endswith(".png") for event in events for path in event.previews)
    again, later = train(folder, run, store)
    assert again == card
    assert not later
    with pytest.raises(OutputExists, match="other settings or other images"):
        train(folder, run, store, TINY.replace(seed=1))
    new, _ = train(folder, run, store, TINY.replace(seed=1), overwrite=True)
    assert new.key == "tiny@1.1.0"
    masks = folder / "masks" / "field_0.tif"
    write_tiff(masks, np.pad(np.ones((40, 40), np.uint16), ((0, 56), (0, 56))))
    with pytest.raises(OutputExists):
        train(folder, run, store, TINY.replace(seed=1))


def test_cancelling_keeps_the_best_so_far(make_set, tmp_path, store):
    folder = make_set(3)
    with pytest.raises(Cancelled):
        train(folder, tmp_path / "a", store, cancel=lambda: True)
    assert not store.names()
    run = tmp_path / "b"
    card, _ = train(folder, run, store, cancel=lambda: bool(read_log(run)))
    assert "Stopped by the user" in card.description
    assert store.names() == ("tiny",)
    full, _ = train(folder, run, store)
    assert full.key == "tiny@1.1.0"


def test_classes_are_learned_with_every_loss(make_set, tmp_path, store):
    from napari_sem_tools.training.losses import CLASS_LOSSES

    folder = make_set(3, classes=True)
    for loss in CLASS_LOSSES:
        settings = TINY.replace(
            targets="classes", loss=loss, epochs=2, augmentation="flips", validation_share=0.34
        )
        card, events = train(folder, tmp_path / loss, store, settings)
        assert [channel.activation for channel in card.outputs] == ["softmax"] * 3
        assert [one.name for one in card.classes] == ["class 1", "class 2"]
        scores = [event.scores for event in events if event.kind == "epoch"]
        assert {"iou_1", "iou_2", "mean_iou", "mean_dice"} <= set(scores[-1])
        losses = [event.loss for event in events if event.kind == "epoch"]
        assert losses[-1] < losses[0]


def test_discs_are_told_from_their_ground(make_set, tmp_path, store):
    settings = TINY.replace(
        targets="foreground", epochs=8, steps_per_epoch=12, augmentation="flips", loss="bce"
    )
    card, _ = train(make_set(3), tmp_path / "run", store, settings)
    scores = {score.metric: score.value for score in card.scores}
    assert scores["Dice"] > 0.9


def test_the_loss_of_classes_prefers_the_truth():
    import torch

    from napari_sem_tools.training.losses import CLASS_LOSSES, class_loss

    truth = torch.zeros(1, 2, 24, 24)
    truth[:, 0, 4:12, 4:20], truth[:, 0, 14:20, 4:20], truth[:, 1] = 1, 2, 1
    right = torch.nn.functional.one_hot(truth[:, 0].long(), 3).movedim(-1, 1) * 8.0 - 4
    for kind in CLASS_LOSSES:
        good, bad = (class_loss(m, truth, kind=kind, balance=3.0) for m in (right, -right))
        assert good < 0.3 * bad
        one = (truth[:, :1] > 0) * 8.0 - 4
        assert class_loss(one, truth, kind=kind) < class_loss(-one, truth, kind=kind)
        ignored = truth.clone()
        ignored[:, 1] = 0
        assert class_loss(-right, ignored, kind=kind) <= class_loss(-right, truth, kind=kind)


def test_frozen_layers_stay_and_the_head_begins_anew(make_set, tmp_path, store):
    from safetensors.numpy import load_file

    folder = make_set(3)
    first, _ = train(folder, tmp_path / "first", store)
    before = load_file(store.weights(first.key))
    cases = {"encoder": ("encoder.",), "all but head": ("encoder.", "decoder.")}
    for what, frozen in cases.items():
        settings = TINY.replace(start="tiny@1.0.0", freeze=what, epochs=1, arguments="")
        card, events = train(folder, tmp_path / what.replace(" ", "-"), store, settings)
        assert "Fine-tuned from tiny@1.0.0" in card.description
        assert "at the start it was" in card.description
        start = next(event for event in events if event.kind == "epoch")
        assert start.epoch == 0
        assert start.scores["pq"] >= 0
        after = load_file(store.weights(card.key))
        for name, value in after.items():
            assert np.array_equal(value, before[name]) == name.startswith(frozen), name
    stages = TINY.replace(start="tiny@1.0.0", freeze="stages", frozen_stages=1, epochs=1)
    after = load_file(store.weights(train(folder, tmp_path / "s", store, stages)[0].key))
    assert np.array_equal(after["encoder.0.0.weight"], before["encoder.0.0.weight"])
    assert not np.array_equal(after["encoder.1.0.weight"], before["encoder.1.0.weight"])
    other = TINY.replace(start="tiny@1.0.0", targets="foreground", epochs=1)
    card, events = train(folder, tmp_path / "o", store, other)
    assert len(card.outputs) == 1
    assert any("head" in event.text and "begin anew" in event.text for event in events)


def test_images_are_resampled_to_the_size_that_the_start_knows(make_set, tmp_path, store):
    from napari_sem_tools.training.running.plan import resolve
    from napari_sem_tools.training.running.session import SegmentationSession

    plan = resolve(make_set(3), TINY.replace(object_size_px=8.0), store)
    session = SegmentationSession(plan, tmp_path, "tiny", store, "x", lambda event: None)
    scene = session.scenes["field_0"]
    assert scene.ratio == pytest.approx(0.5, abs=0.15)
    assert scene.truth.shape == (96, 96)
    assert scene.grey.shape == scene.mask.shape == scene.ignore.shape
    assert scene.grey.shape[0] == round(96 * scene.ratio)
    card, _ = train(make_set(3, name="b"), tmp_path / "b", store, plan.settings)
    assert card.input.object_size_px == 8.0
    assert all("size known" in score.split for score in card.scores)


def test_settings_that_do_not_go_together_are_refused(make_set, tmp_path, store):
    from napari_sem_tools.training.running.plan import resolve

    folder = make_set(3)
    with pytest.raises(InvalidSettings, match="needs a model to go on from"):
        resolve(folder, TINY.replace(freeze="encoder"), store)
    with pytest.raises(InvalidSettings, match="no JSON"):
        resolve(folder, TINY.replace(arguments="{widths"), store)
    with pytest.raises(InvalidTrainingSet, match="has a column"):
        resolve(folder, TINY.replace(split_by="EBC1"), store)
    with pytest.raises(InvalidSettings, match="not a multiple of 64"):
        deep = TINY.replace(arguments='{"widths": [4, 4, 4, 4, 4, 4]}', crop_px=96)
        train(folder, tmp_path / "deep", store, deep)
    with pytest.raises(InvalidSettings, match="no score of foreground"):
        train(folder, tmp_path / "by", store, TINY.replace(targets="foreground", judge_by="pq"))


def test_a_split_of_the_users_own_is_obeyed_and_its_leaks_are_said(make_set, store):
    from napari_sem_tools.training.running.plan import resolve

    folder = make_set(4)
    rows = ["field_0,A,train", "field_1,B,train", "field_2,B,val", "field_3,C,test"]
    (folder / "images.csv").write_text("\n".join(["name,group,mine", *rows]) + "\n")
    plan = resolve(folder, TINY.replace(split_by="mine"), store)
    assert plan.split.train == ("field_0", "field_1")
    assert plan.split.validation == ("field_2",)
    assert any("images of B on both sides" in note for note in plan.notes)
    fair = resolve(folder, TINY.replace(validation_share=0.34), store)
    assert not any("both sides" in note for note in fair.notes)


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence():
    import torch

    from napari_sem_tools.training.running.learner import Learner, Pace

    learner = Learner(
        torch.nn.Conv2d(1, 1, 1), lambda maps, truth: (maps * torch.nan).mean(), Pace(0.1, 10)
    )
    images = np.zeros((1, 1, 8, 8), np.float32)
    with pytest.raises(SemError, match="diverged at step 1"):
        learner.step(images, images)


def test_early_stop_ends_when_nothing_is_gained(make_set, tmp_path, store):
    settings = TINY.replace(learning_rate=1e-7, patience=2, epochs=50, schedule="constant")
    _, events = train(make_set(3), tmp_path / "run", store, settings)
    epochs = [event for event in events if event.kind == "epoch"]
    assert 3 <= len(epochs) < 50
    assert not any(event.best for event in epochs[-2:])


@pytest.mark.parametrize("name", TRAININGS)
def test_every_training_by_name_begins(name, make_set, tmp_path, store):
    small = {
        "unet-tem": '{"widths": [4, 8]}',
        "multires": '{"filters": 4}',
        "folded-unet": '{"widths": [4, 8]}',
    }
    wish = training(name).settings
    classes = wish.targets == "classes"
    settings = wish.replace(
        arguments=small[wish.architecture],
        crop_px=64,
        epochs=2,
        steps_per_epoch=1,
        batch=2,
        threads=1,
        device="cpu",
        precision="fp32",
    )
    card, events = train(make_set(3, classes=classes), tmp_path / "run", store, settings)
    assert card.architecture == wish.architecture
    if wish.split == "each epoch":
        assert any("drawn anew" in event.text for event in events)


def test_one_image_trains_without_a_judge(make_set, tmp_path, store):
    card, events = train(
        make_set(1), tmp_path / "run", store, TINY.replace(validation_share=0, epochs=2)
    )
    assert card.scores == ()
    assert [event.best for event in events if event.kind == "epoch"] == [True, True]


def test_curves_go_to_tensorboard_where_it_is_installed(make_set, tmp_path, store, monkeypatch):
    import importlib.util
    import sys
    import types

    written = []

    class Writer:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, step))

        def flush(self):
            pass

        def close(self):
            written.append("closed")

    stub = types.ModuleType("torch.utils.tensorboard")
    stub.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stub)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: found("json") if n == "tensorboard" else found(n)
    )
    train(make_set(3), tmp_path / "run", store)
    assert ("loss", 1) in written
    assert ("pq", 3) in written
    assert written[-1] == "closed"


def test_one_cycle_is_that_of_torch():
    import torch

    from napari_sem_tools.training.running.learner import Pace

    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.AdamW([weight], lr=3e-3)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=301, pct_start=0.1)
    pace = Pace(rate=3e-3, steps=300)
    for step in range(300):
        group = optimiser.param_groups[0]
        assert pace.rate_at(step) == pytest.approx(group["lr"], rel=1e-9)
        assert pace.momentum_at(step) == pytest.approx(group["betas"][0], rel=1e-9)
        optimiser.step()
        theirs.step()


def test_a_plateau_rises_stays_and_falls_to_nothing_in_the_last_quarter():
    from napari_sem_tools.training.running.learner import Pace

    pace = Pace(rate=2.0, steps=8000, schedule="plateau")
    rates = [pace.rate_at(step) for step in range(8001)]
    assert rates[0] < 0.01
    assert np.all(np.diff(rates[:300]) > 0)
    assert set(rates[300:6000]) == {2.0}
    assert np.all(np.diff(rates[6000:]) < 0)
    assert rates[7000] == pytest.approx(1.0)
    assert rates[8000] == 0


@pytest.mark.usefixtures("networks_extra")
@pytest.mark.parametrize("name", ["smp:unet:resnet18", "timm:resnet18"])
def test_networks_of_other_libraries_learn_as_well(name, make_set, tmp_path, store):
    settings = TINY.replace(architecture=name, arguments="", epochs=1, steps_per_epoch=1)
    card, _ = train(make_set(3), tmp_path / "run", store, settings)
    assert card.architecture == name
    assert len(card.outputs) == 3
    more = settings.replace(start=card.key, freeze="encoder", targets="foreground")
    again, _ = train(make_set(3, name="b"), tmp_path / "b", store, more)
    assert "Fine-tuned from tiny@1.0.0" in again.description
