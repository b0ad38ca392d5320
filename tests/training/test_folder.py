"""A training set is looked at whole before anything is learned from it."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidTrainingSet
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.training.data.folder import Sample, check_folder, read_pair
from napari_sem_tools.training.data.splits import (
    folds,
    repeated_splits,
    split_by_column,
    split_by_group,
)
from napari_sem_tools.training.data.tables import read_column


def named_faults(folder, **options):
    return {fault.file: fault.reason for fault in check_folder(folder, **options).faults}


def test_a_good_set_has_no_faults(make_set):
    checked = check_folder(make_set(3)).require_good()
    assert [sample.name for sample in checked.samples] == ["field_0", "field_1", "field_2"]
    assert checked.groups == ("field_0", "field_1", "field_2")
    pair = read_pair(checked.samples[0])
    assert pair.image.shape == pair.mask.shape == pair.ignore.shape
    assert pair.mask.dtype == np.int64


def test_every_bad_file_is_named_in_one_go(make_set):
    folder = make_set(12)
    (folder / "masks" / "field_0.tif").unlink()
    (folder / "images" / "field_1.tif").unlink()
    write_tiff(folder / "masks" / "field_2.tif", np.ones((10, 10), np.uint8))
    tifffile.imwrite(folder / "masks" / "field_3.tif", np.full((96, 96), 0.5, np.float32))
    write_tiff(folder / "masks" / "field_4.tif", np.zeros((96, 96), np.uint8))
    (folder / "images" / "field_5.tif").write_bytes(b"")
    (folder / "masks" / "field_6.tif").write_bytes(b"II*\0broken")
    colour = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    tifffile.imwrite(folder / "masks" / "field_7.tif", colour, photometric="rgb")
    copy = (folder / "images" / "field_8.tif").read_bytes()
    (folder / "images" / "field_9.tif").write_bytes(copy)
    write_tiff(folder / "images" / "field_10.png.tif", np.zeros((96, 96), np.uint8))
    (folder / "images" / "field_11.tiff").write_bytes(copy)
    tifffile.imwrite(folder / "masks" / "field_10.tif", np.full((96, 96), -1, np.int16))
    faults = named_faults(folder)
    expected = {
        "images/field_0.tif": "no mask",
        "masks/field_1.tif": "no image",
        "masks/field_2.tif": "10 x 10 px, the image 96 x 96",
        "masks/field_3.tif": "fractions",
        "masks/field_4.tif": "nothing is marked",
        "images/field_5.tif": "empty",
        "masks/field_6.tif": "",
        "masks/field_7.tif": "colour picture",
        "images/field_9.tif": "same picture as field_8.tif",
        "images/field_10.png.tif": "no mask",
        "images/field_11.tiff": "the same name",
        "masks/field_10.tif": "below 0",
    }
    assert faults.keys() == expected.keys()
    for file, words in expected.items():
        assert words in faults[file], file
    with pytest.raises(InvalidTrainingSet) as error:
        check_folder(folder).require_good()
    assert all(file in error.value.message for file in expected)


def test_the_bare_ground_is_taken_when_it_is_meant(make_set):
    folder = make_set(2)
    write_tiff(folder / "masks" / "field_0.tif", np.zeros((96, 96), np.uint8))
    assert named_faults(folder)
    assert not named_faults(folder, allow_empty=True)


def test_ignored_regions_are_read_from_masks_and_from_regions(make_set):
    folder = make_set(2)
    ignore = np.zeros((96, 96), np.uint8)
    ignore[:10] = 255
    write_tiff(folder / "ignore" / "field_0.tif", ignore)
    shapes = "index,shape-type,vertex-index,axis-0,axis-1\n"
    corners = [(0, 0), (0, 20), (96, 20), (96, 0)]
    shapes += "".join(f"0,polygon,{n},{y},{x}\n" for n, (y, x) in enumerate(corners))
    (folder / "ignore" / "field_1.csv").write_text(shapes)
    first, second = check_folder(folder).require_good().samples
    assert read_pair(first).ignore[:10].all()
    assert not read_pair(first).ignore[10:].any()
    assert read_pair(second).ignore[:, :19].all()
    assert not read_pair(second).ignore[:, 22:].any()
    write_tiff(folder / "ignore" / "field_0.tif", ignore[:5])
    assert "size" in named_faults(folder)["ignore/field_0.tif"]


def test_classes_have_names_or_are_counted(make_set):
    folder = make_set(2, classes=True)
    assert [row.name for row in check_folder(folder, targets="classes").classes] == [
        "class 1",
        "class 2",
    ]
    (folder / "classes.csv").write_text("value,name,colour\n0,ground,\n1,matrix,#FF0000\n")
    faults = named_faults(folder, targets="classes")
    assert set(faults) == {"masks/field_0.tif", "masks/field_1.tif"}
    assert "no value 2" in faults["masks/field_0.tif"]
    (folder / "classes.csv").write_text("value,name,colour\n1,matrix,#FF0000\n2,pore,red\n")
    rows = check_folder(folder, targets="classes").require_good().classes
    assert [(row.name, row.colour) for row in rows] == [("matrix", "#ff0000"), ("pore", "#808080")]


def test_groups_come_from_a_column_or_a_pattern(make_set):
    folder = make_set(4)
    assert check_folder(folder, group_by="(field)_").groups == ("field",)
    rows = ["name,specimen,split", "field_0,A,train", "field_1.tif,A,train", "field_2,B,val"]
    (folder / "images.csv").write_text("\n".join(rows) + "\n")
    assert check_folder(folder, group_by="specimen").groups == ("A", "B", "field_3")
    split = split_by_column(check_folder(folder).samples, read_column(folder, "split") or {})
    assert split.train == ("field_0", "field_1")
    assert split.validation == ("field_2",)
    with pytest.raises(InvalidTrainingSet, match="no column"):
        check_folder(folder, group_by="doi")
    with pytest.raises(InvalidTrainingSet, match="does not fit"):
        check_folder(folder, group_by="(x)_")


def samples_of(groups):
    return [Sample(f"{n}", None, None, None, group=g) for n, g in enumerate(groups)]


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40),
    st.floats(0.01, 0.99),
    st.integers(0, 99),
)
def test_no_specimen_trains_and_judges(groups, share, seed):
    samples = samples_of(groups)
    if len(set(groups)) == 1:
        with pytest.raises(InvalidTrainingSet, match="one group"):
            split_by_group(samples, share=share, seed=seed)
        return
    split = split_by_group(samples, share=share, seed=seed)
    side = {name: groups[int(name)] for name in split.train}
    other = {name: groups[int(name)] for name in split.validation}
    assert side
    assert other
    assert not set(side.values()) & set(other.values())
    assert len(side) + len(other) == len(samples)
    assert split == split_by_group(samples, share=share, seed=seed)


def test_ten_passes_are_ten_draws_and_folds_judge_every_image_once():
    samples = samples_of("aabbccddeeffgghhiijj")
    passes = repeated_splits(samples, passes=10, seed=3)
    assert len({split.validation for split in passes}) > 5
    assert all(len(split.validation) == 4 for split in passes)
    assert passes[:3] == repeated_splits(samples, passes=3, seed=3)
    judged = [name for split in folds(samples, count=5) for name in split.validation]
    assert sorted(judged) == sorted(sample.name for sample in samples)
    with pytest.raises(InvalidTrainingSet, match="folds"):
        folds(samples_of("ab"), count=3)
