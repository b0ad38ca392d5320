"""Categories of images are learned from a folder, without leaks, and survive a kill."""

from __future__ import annotations

import csv
import json
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

import napari_sem_tools as sem
from napari_sem_tools.errors import InvalidSettings, InvalidTrainingSet, SemError, UntrustedModel
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training.classification.duplicates import (
    Duplicates,
    find_duplicates,
    joined_groups,
    thumb_of,
)
from napari_sem_tools.training.classification.listing import list_images
from napari_sem_tools.training.classification.parts import divide, fold_parts
from napari_sem_tools.training.classification.pictures import PictureSource
from napari_sem_tools.training.classification.plan import resolve
from napari_sem_tools.training.classification.settings import ClassificationTraining

TINY = {
    "rows": 32,
    "columns": 40,
    "epochs": 9,
    "steps_per_epoch": 5,
    "batch": 8,
    "learning_rate": 1e-3,
    "average": 0.0,
    "noise": "none",
    "rotation_degrees": 5.0,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
}


def draw(kind, seed, shape=(72, 88)):
    """A picture of bright lines, of discs, or of something soft."""
    rng = np.random.default_rng((seed, len(kind)))
    y, x = np.mgrid[: shape[0], : shape[1]]
    if kind == "lines":
        angle = rng.uniform(0, 3)
        along = x * np.cos(angle) + y * np.sin(angle)
        near = np.abs(along[..., None] - rng.uniform(-88, 160, 30)).min(-1)
        grey = np.where(near < 1.5, 1.0, -1.0)
    else:
        grey = np.full(shape, -1.0)
        for _ in range(8):
            at = rng.uniform(0, shape)
            grey[(y - at[0]) ** 2 + (x - at[1]) ** 2 < rng.uniform(4, 9) ** 2] = 1
    return np.clip(120 + 60 * grey + 10 * rng.standard_normal(shape), 0, 255).astype(np.uint8)


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of the test's own."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sem.models.configure()
    yield sem.models.on_disk
    if "torch" in __import__("sys").modules:
        sem.models.unload()
    sem.models.configure()


@pytest.fixture
def folder(tmp_path, registry):
    """Ten pictures of each of two categories; one is there twice, and some cannot be used."""
    place = tmp_path / "two kinds"
    for kind in ("lines", "discs"):
        for seed in range(10):
            write_tiff(place / kind / f"{kind}_{seed}.tif", draw(kind, seed))
    noise = np.random.default_rng(9).integers(-6, 7, (72, 88))
    again = np.clip(draw("discs", 0).astype(int) + noise, 0, 255).astype(np.uint8)
    write_tiff(place / "discs" / "again.tif", again)
    (place / "lines" / "broken.tif").write_bytes(b"II*\x00 not a picture")
    write_tiff(place / "lines" / "pixel.tif", np.zeros((1, 1), np.uint8))
    (place / "discs" / ".DS_Store").write_bytes(b"x")
    return place


def plan_of(folder, registry, **changes):
    return resolve(folder, ClassificationTraining.from_dict(TINY | changes), registry)


@pytest.mark.torch
def test_train_kill_resume_evaluate_register_predict(folder):
    run = sem.TrainingRun.start(folder, "toy", kind="classification", recipe="categories", **TINY)
    end = time.monotonic() + 200
    while run.running and time.monotonic() < end:
        if any(event.kind == "epoch" and event.epoch >= 2 for event in run.poll()):
            break
        time.sleep(0.02)
    assert run.running, run.poll()
    os.kill(run.pid, signal.SIGKILL)
    with pytest.raises(SemError, match="ended by itself"):
        run.wait()

    card = sem.train_classifier(folder, "toy", **TINY)
    log = sem.training.read_log(run.folder)
    assert [row["epoch"] for row in log] == list(range(1, 10))  # none twice, none missing
    assert sem.models["toy"] == card
    scores = {score.metric: score.value for score in card.scores}
    assert {"accuracy", "macro-F1", "ECE", "temperature", "coverage at 99 % accuracy"} <= set(
        scores
    )
    assert scores["accuracy"] >= 0.75
    assert "1 pairs of near-duplicates" in card.description

    said = rows_of(run.folder / "predictions.csv")
    right = np.mean([row["category"] == row["named"] for row in said])
    assert right == pytest.approx(
        json.loads((run.folder / "scores.json").read_text())["values"]["accuracy"]
    )
    parts = {row["path"]: row for row in rows_of(run.folder / "split.csv")}
    assert parts["discs/again.tif"]["part"] == parts["discs/discs_0.tif"]["part"]
    faults = [row["path"] for row in rows_of(run.folder / "faults.csv")]
    assert sorted(faults) == ["lines/broken.tif", "lines/pixel.tif"]

    new = [draw("lines", 77), draw("discs", 78), draw("lines", 79), draw("discs", 80)]
    table = sem.classify(new, "toy")
    chosen = table[["p discs", "p lines"]].to_numpy().argmax(1)
    assert (chosen == [1, 0, 1, 0]).mean() >= 0.75
    judged = sem.classify([folder / row["path"] for row in said], "toy")
    theirs = np.array([[float(row["p discs"]), float(row["p lines"])] for row in said])
    assert np.abs(judged[["p discs", "p lines"]].to_numpy() - theirs).max() < 5e-3  # half precision
    assert sem.train_classifier(folder, "toy", **TINY) == card  # done: nothing to do


def test_a_split_keeps_near_duplicates_together_and_says_what_another_would_have_leaked(
    folder, registry
):
    plan = plan_of(folder, registry)
    names = [one.name for one in plan.seen.images]
    twins = [names.index(f"discs/{name}.tif") for name in ("discs_0", "again")]
    assert plan.groups[twins[0]] == plan.groups[twins[1]]
    assert plan.leak.pairs == 1
    assert plan.leak.pairs_across == 0
    assert plan.leak.groups == 20
    assert np.bincount(plan.part).tolist() in ([17, 4], [16, 5])
    assert "2 images cannot be used" in str(plan)
    apart = plan_of(folder, registry, duplicates=0.0)
    assert apart.leak.groups == 21
    assert plan.identity != apart.identity


def test_a_shifted_field_is_a_near_duplicate_and_another_field_of_the_kind_is_not():
    large = draw("discs", 5, (96, 128))
    first, second, other = large[:72, :96], large[14:86, 18:114], draw("discs", 6, (72, 96))
    shrunk = [picture[::3, ::3].repeat(2, 0).repeat(2, 1) for picture in (first, second, other)]
    thumbs = np.stack([thumb_of(one) for one in shrunk])
    vectors = np.ones((3, 4), np.float32) / 2
    found = find_duplicates(thumbs, vectors, ["a", "b", "c"], least=0.6)
    assert found.pairs.tolist() == [[0, 1]]
    assert found.leak(np.array([0, 1, 0])) == (1, 1.0)
    equal = find_duplicates(np.zeros_like(thumbs), vectors, ["a", "b", "a"], least=0.6)
    assert equal.pairs.tolist() == [[0, 2]]  # blank ones are compared by their pixels


def test_a_chain_of_near_duplicates_is_one_group():
    pairs = Duplicates(np.array([[0, 1], [1, 2]]), np.ones(2), 5)
    assert joined_groups(pairs, [""] * 5).tolist() == [0, 0, 0, 1, 2]


def test_every_part_has_its_share_of_every_category_and_no_group_is_cut():
    rng = np.random.default_rng(0)
    groups = np.sort(rng.integers(0, 120, 600))
    _, groups = np.unique(groups, return_inverse=True)
    labels = (groups % 3 == 0).astype(np.intp)
    part = divide(labels, groups, (0.7, 0.2, 0.1), seed=1)
    for group in range(groups.max() + 1):
        assert len(set(part[groups == group])) == 1
    for label in (0, 1):
        share = np.bincount(part[labels == label], minlength=3) / (labels == label).sum()
        assert np.abs(share - (0.7, 0.2, 0.1)).max() < 0.05
    held = [fold_parts(labels, groups, folds=5, fold=fold, seed=1) for fold in range(5)]
    assert (np.sum(held, axis=0) == 1).all()  # every image judges once


def test_large_groups_are_not_all_on_one_side():
    groups = np.repeat(np.arange(60), np.where(np.arange(60) < 20, 20, 1))
    sides = [divide(np.zeros_like(groups), groups, (0.8, 0.2), seed=seed) for seed in range(6)]
    mean = [np.bincount(groups)[np.unique(groups[side == 1])].mean() for side in sides]
    assert 1 < np.mean(mean) < 20


def test_a_set_is_listed_from_a_csv_and_categories_are_left_out_by_name(folder):
    rows = [("path", "category", "group", "part")]
    rows += [(f"lines/lines_{n}.tif", "thin", f"g{n // 2}", "train") for n in range(4)]
    rows += [(f"discs/discs_{n}.tif", "round", "", "val") for n in range(3)]
    with (folder / "set.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    listed = list_images(folder, split_by="part")
    assert listed == list_images(folder / "set.csv", split_by="part")
    assert {(one.category, one.part) for one in listed} == {("thin", "train"), ("round", "val")}
    (folder / "set.csv").unlink()
    write_tiff(folder / "films" / "deep" / "one.tif", draw("lines", 3))
    assert {one.category for one in list_images(folder)} == {"discs", "films", "lines"}
    left = list_images(folder, leave_out="films")
    assert {one.category for one in left} == {"discs", "lines"}
    with pytest.raises(InvalidTrainingSet, match="no category 'wires'"):
        list_images(folder, leave_out="wires")
    with pytest.raises(InvalidTrainingSet, match="fewer than two"):
        list_images(folder, leave_out="films, lines")


def test_a_category_of_one_group_is_refused_by_name(folder, registry):
    write_tiff(folder / "films" / "one.tif", draw("lines", 3))
    with pytest.raises(InvalidTrainingSet, match="'films'"):
        plan_of(folder, registry)


def test_weights_that_are_not_free_are_refused_until_their_licence_is_named(folder, registry):
    wish = {"weights": "a.safetensors", "weights_licence": "CC-BY-NC-4.0"}
    with pytest.raises(UntrustedModel, match="CC-BY-NC") as error:
        plan_of(folder, registry, **wish)
    assert "accept_licence" in error.value.hint
    assert plan_of(folder, registry, **wish, accept_licence="CC-BY-NC-4.0")
    with pytest.raises(InvalidSettings, match="not both"):
        plan_of(folder, registry, **wish, start="my-model")
    with pytest.raises(InvalidSettings, match="SHA-256"):
        plan_of(folder, registry, weights="https://example.org/a.safetensors")
    with pytest.raises(UntrustedModel, match="LicenseRef-unknown"):
        plan_of(folder, registry, weights="a.safetensors")


def test_pictures_of_large_sets_lie_in_a_file_and_are_the_same(folder, registry, monkeypatch):
    from napari_sem_tools.training.classification import looking

    plan = plan_of(folder, registry, duplicates=0.0)
    monkeypatch.setattr(looking, "_MOST_IN_MEMORY", 100)
    mapped = plan_of(folder, registry, duplicates=0.0)
    assert isinstance(mapped.seen.pictures, np.memmap)
    assert np.array_equal(plan.seen.pictures, mapped.seen.pictures)
    assert plan.identity == mapped.identity


def source(**changes):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (40, 24, 32), np.uint8)
    labels = np.repeat([0, 1, 2], [30, 8, 2]).astype(np.intp)
    wish = ClassificationTraining.from_dict(TINY | {"batch": 20} | changes)
    return PictureSource(pictures, labels, 3, np.arange(40), wish)


def test_a_batch_depends_on_seed_epoch_and_step_alone():
    drawn = source(noise="sem")
    first, again, other = drawn.batch(2, 1), drawn.batch(2, 1), drawn.batch(2, 0)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert first[0].shape == (20, 1, 24, 32)


@pytest.mark.parametrize("way", ["mixup", "cutmix"])
def test_mixed_images_have_mixed_probabilities(way):
    images, targets = source(**{way: 4.0}, label_smoothing=0.0).batch(1, 0)
    assert np.isfinite(images).all()
    assert np.allclose(targets.sum(1), 1, atol=1e-6)
    assert ((targets > 0.01) & (targets < 0.99)).any()


@pytest.mark.parametrize(("balance", "share"), [("images", 0.05), ("categories", 1 / 3)])
def test_rare_categories_are_drawn_as_often_as_the_settings_say(balance, share):
    drawn = source(balance=balance, label_smoothing=0.0)
    seen = np.concatenate([drawn.batch(e, s)[1] for e in range(10) for s in range(2)])
    assert seen[:, 2].mean() == pytest.approx(share, abs=0.06)


def test_an_unchanged_picture_stays_as_it_is():
    still = {"rotation_degrees": 0.0, "shift": 0.0, "zoom": 0.0, "flips": "none"}
    drawn = source(**still, balance="images")
    images, _ = drawn.batch(1, 0)
    order = np.random.default_rng((0, 1)).permutation(40)
    assert np.array_equal(np.rint(images[:, 0] * 255), drawn.pictures[order[:20]])


@pytest.mark.torch
@pytest.mark.parametrize("freeze", ["all but head", "all but last stages", "progressive"])
def test_frozen_layers_stay_and_the_others_learn(freeze):
    from napari_sem_tools.models.architectures import build
    from napari_sem_tools.training.classification.network import soft_loss
    from napari_sem_tools.training.classification.unfreezing import Layers
    from napari_sem_tools.training.running.learner import Learner, Pace

    network = build(
        "classifier", {"arguments": {"widths": [4, 4, 8, 8]}, "embedding": 8, "outputs": 3}
    )
    wish = ClassificationTraining.from_dict(TINY | {"freeze": freeze, "layer_decay": 0.5})
    layers = Layers(network, wish, "resnet18-small")
    learner = Learner(network, soft_loss, Pace(rate=1e-2, steps=9), groups=layers.groups())
    assert [len(stage) > 0 for stage in layers.stages] == [True] * 5
    drawn = source()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learner.frozen = layers.apply(1)
    learner.train()
    learner.step(*drawn.batch(1, 0))
    moved = {n for n, value in network.state_dict().items() if not value.equal(before[n])}
    inner = {name.split(".")[1] for name in moved if name.startswith("network.")}
    assert "head.weight" in moved
    assert inner == ({"layer4"} if freeze == "all but last stages" else set())
    late = layers.frozen(wish.epochs)
    assert bool(late) == (freeze != "progressive")


@pytest.mark.torch
def test_the_layers_of_the_paper_are_those_of_its_network_alone():
    from napari_sem_tools.models.architectures import build
    from napari_sem_tools.training.classification.unfreezing import Layers

    wish = ClassificationTraining.from_dict(TINY | {"freeze": "paper-15-30"})
    network = build("classifier", {"arguments": {"widths": [4, 4, 8, 8]}, "embedding": 8})
    with pytest.raises(InvalidSettings, match="inception-resnet-v2"):
        Layers(network, wish, "resnet18-small")


def test_of_a_mixed_folder_every_good_image_is_taken_and_every_bad_one_named(folder, registry):
    one = draw("lines", 50)
    place = folder / "lines"
    write_tiff(place / "16bit.tif", one.astype(np.uint16) * 200)
    Image.fromarray(np.stack([one] * 3, axis=-1)).save(place / "rgb.png")
    Image.fromarray(one).convert("P").save(place / "palette.png")
    write_tiff(place / "huge.tif", np.kron(one, np.ones((20, 20), np.uint8)))
    (place / "empty.png").write_bytes(b"")
    plan = plan_of(folder, registry)
    assert sorted(fault.file for fault in plan.seen.faults) == [
        "lines/broken.tif",
        "lines/empty.png",
        "lines/pixel.tif",
    ]
    names = [image.name for image in plan.seen.images]
    same = [names.index(f"lines/{n}") for n in ("16bit.tif", "rgb.png", "palette.png", "huge.tif")]
    pictures = plan.seen.pictures[same].astype(int)
    assert np.abs(pictures[:3] - pictures[0]).max() <= 1  # the format of a file tells nothing
    assert len(set(plan.groups[same])) == 1  # and does not hide a near-duplicate
