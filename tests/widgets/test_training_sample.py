"""An image and its labels become a sample of a training set, as they are and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

import napari_sem_tools as sem
from napari_sem_tools.errors import OutputExists, SemError
from napari_sem_tools.layers import image_arguments
from napari_sem_tools.training import check_folder
from napari_sem_tools.training.data.folder import read_pair
from napari_sem_tools.widgets.train import sample as module
from napari_sem_tools.widgets.train.sample import sample_of, save_sample


@pytest.fixture
def viewer() -> Any:
    """A micrograph with a label strip, and particles drawn on it."""
    from napari.components import ViewerModel

    grey = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)
    image = sem.Micrograph(
        grey, sem.Calibration((2.0, 2.0), "tag", "test = 2 nm", 0.01), data_bar=(50, 60)
    )
    model = ViewerModel()
    layer = model.add_image(image.pixels, **image_arguments(image, "grains: a/b"))
    labels = np.zeros((60, 80), np.uint16)
    labels[5:15, 5:15], labels[20:30, 30:45] = 1, 300
    model.add_labels(labels, name="drawn", scale=layer.scale, units=layer.units)
    return model


def test_pixels_labels_and_scale_come_back_from_the_training_set(
    viewer: Any, tmp_path: Path
) -> None:
    written = save_sample(sample_of(viewer), tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in written) == [
        "ignore/grains- a-b.tif",
        "images/grains- a-b.tif",
        "masks/grains- a-b.tif",
    ]
    checked = check_folder(tmp_path)
    assert not checked.faults
    pair = read_pair(checked.samples[0])
    assert np.array_equal(pair.image.pixels, viewer.layers[0].data)
    assert np.array_equal(pair.mask, viewer.layers["drawn"].data)
    assert pair.image.calibration.pixel_size == pytest.approx((2.0, 2.0))
    assert pair.ignore[50:].all(), "nobody learns from the label strip"
    assert not pair.ignore[:50].any()


def test_strokes_made_while_it_is_saved_do_not_reach_it(viewer: Any, tmp_path: Path) -> None:
    sample = sample_of(viewer)
    viewer.layers["drawn"].data[:] = 7
    save_sample(sample, tmp_path)
    assert read_pair(check_folder(tmp_path).samples[0]).mask.max() == 300


def test_nothing_is_overwritten_unless_it_is_wished(viewer: Any, tmp_path: Path) -> None:
    sample = sample_of(viewer)
    (tmp_path / "images").mkdir()
    other = tmp_path / "images" / f"{sample.name}.png"
    other.write_bytes(b"someone's picture")
    with pytest.raises(OutputExists, match=r"images/grains- a-b\.png"):
        save_sample(sample, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [other]
    save_sample(sample, tmp_path, overwrite=True)
    assert not other.exists(), "two images of one name cannot be trained on"
    assert not check_folder(tmp_path).faults


@pytest.mark.parametrize("answer", [True, False])
def test_it_asks_before_it_overwrites(
    answer: bool, viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(module, "_asked", lambda parent, name, folder: asked.append(name) or answer)
    first = module.add_to_training_set(viewer, tmp_path, None)
    first(None, None)
    assert not asked
    viewer.layers["drawn"].data[5:15, 5:15] = 9
    again = module.add_to_training_set(viewer, tmp_path, None)
    assert asked == ["grains- a-b"]
    assert (again is not None) is answer
    if again is not None:
        again(None, None)
    mask = read_pair(check_folder(tmp_path).samples[0]).mask
    assert bool((mask == 9).any()) is answer


def test_the_selected_labels_count_and_their_image(viewer: Any) -> None:
    viewer.add_image(np.zeros((60, 80), np.uint8), name="another")
    viewer.add_labels(np.ones((60, 80), np.uint8), name="grains: a/b particles")
    viewer.layers.selection = {viewer.layers["grains: a/b particles"]}
    assert sample_of(viewer).name == "grains- a-b", "the labels bear its name"
    viewer.layers.selection = {viewer.layers["drawn"], viewer.layers["another"]}
    sample = sample_of(viewer)
    assert sample.name == "another"
    assert sample.mask.max() == 300


def test_a_page_of_a_stack_is_one_sample(tmp_path: Path) -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    model.add_image(np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30), name="series")
    model.add_labels(np.stack([np.full((20, 30), n + 1) for n in range(3)]), name="drawn")
    model.dims.set_current_step(0, 1)
    sample = sample_of(model)
    assert sample.name == "series 1"
    assert (sample.mask == 2).all()
    assert sample.image.pixels.min() == 600
    save_sample(sample, tmp_path)
    assert not check_folder(tmp_path).faults


def test_it_says_what_is_missing(viewer: Any) -> None:
    viewer.layers.remove(viewer.layers["drawn"])
    with pytest.raises(SemError, match="no labels"):
        sample_of(viewer)
    viewer.add_labels(np.ones((9, 9), np.uint8), name="small")
    with pytest.raises(SemError, match="No image has the size of small"):
        sample_of(viewer)
