"""Check 11: labels that the suite saves come back, here and in ImageJ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

PLUGIN = "napari-sem-tools"


@pytest.mark.parametrize(
    ("dtype", "largest"),
    [
        (np.uint8, 200),
        (np.uint16, 60_000),
        (np.int32, 300),
        (np.int64, 1_000_000),
        (np.int64, 2**31 - 1),
        (np.int32, -5),
    ],
)
@pytest.mark.parametrize("units", [("nm", "nm"), ("um", "um"), ("pixel", "pixel")])
def test_labels_come_back_as_they_were(
    model: Any, tmp_path: Path, dtype: Any, largest: int, units: tuple[str, str]
) -> None:
    data = np.zeros((40, 50), dtype)
    data[5:10, 5:10] = 7
    data[20:30, 20:30] = largest
    scale = (7.34375, 7.3) if units[0] != "pixel" else (1, 1)
    layer = model.add_labels(data, scale=scale, units=units, name="grains")
    layer.features = pd.DataFrame({"index": [7, largest], "ecd_nm": [5.64, 11.28]})
    path = tmp_path / "grains.tif"
    written = layer.save(str(path), plugin=PLUGIN)
    assert [Path(one).name for one in written] == ["grains.tif", "grains.csv"]

    model.layers.clear()
    back = model.open(path, plugin=PLUGIN)[0]
    assert type(back).__name__ == "Labels"
    assert np.array_equal(back.data, data)
    factor = {"nm": 1, "um": 1000, "pixel": 1}[units[0]]
    error = np.abs(np.array(back.scale) / (np.array(scale) * factor) - 1).max()
    print(f"{np.dtype(dtype)} up to {largest}, {units[0]}: scale off by {error:.1e}")
    imagej_holds_it = abs(largest) < 2**24
    if imagej_holds_it:
        assert error < 1e-6
        assert {str(u) for u in back.units} == {"pixel" if units[0] == "pixel" else "nanometer"}
    assert list(back.features["index"]) == [7, largest]
    assert list(back.features["ecd_nm"]) == [5.64, 11.28]


def test_imagej_reads_the_scale_of_saved_labels(model: Any, tmp_path: Path) -> None:
    layer = model.add_labels(np.ones((4, 6), np.uint16), scale=(2.5, 2.5), units=("nm", "nm"))
    path = tmp_path / "labels.tif"
    layer.save(str(path), plugin=PLUGIN)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.imagej_metadata["unit"] == "nm"
        above, below = tiff.pages[0].tags["XResolution"].value
        assert above / below == pytest.approx(1 / 2.5, rel=1e-6)


def test_a_stack_and_four_axes_of_labels_keep_their_pixels(model: Any, tmp_path: Path) -> None:
    for shape in ((3, 8, 9), (2, 3, 8, 9)):
        data = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
        path = tmp_path / f"{len(shape)}.tif"
        model.add_labels(data).save(str(path), plugin=PLUGIN)
        assert np.array_equal(tifffile.imread(path), data)
