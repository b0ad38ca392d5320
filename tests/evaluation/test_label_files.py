"""Which label image belongs to which: files, folders, data sets and results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidSettings, UnreadableFile
from napari_sem_tools.evaluation import evaluate, evaluate_classes, pair_files, read_labels
from napari_sem_tools.tiff import write_tiff


def labels(*, shift: int = 0) -> np.ndarray:
    image = np.zeros((30, 30), np.uint16)
    image[5:15, 5 + shift : 15 + shift], image[18:26, 18:26] = 1, 2
    return image


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Images and masks, and results of other programs beside them."""
    for name in ("a", "b"):
        write_tiff(tmp_path / "set" / "masks" / f"{name}.tif", labels())
        write_tiff(tmp_path / "set" / "images" / f"{name}.tif", labels())
        write_tiff(tmp_path / "out" / "labels" / f"{name}.tif", labels(shift=1))
    return tmp_path


def test_folders_are_paired_by_the_names_of_their_files(data_set: Path):
    pairs = pair_files(data_set / "set", data_set / "out")
    assert [pair.name for pair in pairs] == ["a", "b"]
    assert pairs[0].image == data_set / "set" / "images" / "a.tif"
    scores = evaluate(data_set / "set", data_set / "out")
    assert [image.name for image in scores.images] == ["a", "b"]
    assert scores["ap50"] == 1
    assert scores["fg_iou"] == pytest.approx(154 / 174)


def test_single_files_need_not_share_a_name(data_set: Path):
    np.save(data_set / "mine.npy", labels())
    scores = evaluate(data_set / "mine.npy", str(data_set / "out" / "labels" / "a.tif"))
    assert scores.images[0].name == "mine"
    assert scores["ap75"] == pytest.approx(1)


def test_classes_are_read_from_folders_too(data_set: Path):
    scores = evaluate_classes(data_set / "set", data_set / "out")
    assert scores.names == ("a", "b")
    assert scores.classes == (0, 1, 2)


def test_what_is_missing_is_named_or_counts_as_empty(data_set: Path):
    (data_set / "out" / "labels" / "b.tif").unlink()
    with pytest.raises(InvalidSettings, match="nothing for b"):
        pair_files(data_set / "set", data_set / "out")
    pair = pair_files(data_set / "set", data_set / "out", missing_is_empty=True)[1]
    truth, found = pair.labels()
    assert truth.any()
    assert not found.any()


def test_two_files_of_one_name_are_refused(data_set: Path):
    np.save(data_set / "set" / "masks" / "a.npy", labels())
    with pytest.raises(InvalidSettings, match=r"a\.npy and a\.tif"):
        pair_files(data_set / "set", data_set / "out")


def test_a_file_beside_a_folder_is_refused(data_set: Path):
    with pytest.raises(InvalidSettings, match="a file and a folder"):
        pair_files(data_set / "set" / "masks" / "a.tif", data_set / "out")


def test_a_folder_without_label_images_is_refused(data_set: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidSettings, match="no label images"):
        pair_files(tmp_path / "empty", data_set / "out")


def test_a_path_that_is_not_there_is_named(data_set: Path):
    with pytest.raises(UnreadableFile, match="nowhere"):
        pair_files(data_set / "nowhere", data_set / "out")


@pytest.mark.parametrize(
    ("stored", "reason"),
    [(np.full((4, 4), 0.5), "fractions"), (np.zeros((4, 4, 3), np.uint8), "shape")],
)
def test_what_is_no_label_image_is_refused(stored: np.ndarray, reason: str, tmp_path: Path):
    np.save(tmp_path / "image.npy", stored)
    with pytest.raises(InvalidSettings, match=reason):
        read_labels(tmp_path / "image.npy")


def test_a_damaged_array_is_named(tmp_path: Path):
    (tmp_path / "bad.npy").write_bytes(b"no array")
    with pytest.raises(UnreadableFile, match=r"bad\.npy"):
        read_labels(tmp_path / "bad.npy")


def test_large_numbers_in_a_tiff_of_floats_are_labels(tmp_path: Path):
    write_tiff(tmp_path / "many.tif", labels().astype(np.float32) * 70_000)
    assert set(np.unique(read_labels(tmp_path / "many.tif"))) == {0, 70_000, 140_000}
