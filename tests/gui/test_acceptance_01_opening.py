"""Check 1: every vendor file opens in napari with the scale that it states."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_sem_tools as sem

PLUGIN = "napari-sem-tools"
EXPECTED = Path(__file__).resolve().parents[3] / "shared" / "data" / "vendor" / "expected.csv"
TEXT = EXPECTED.read_text(encoding="utf-8") if EXPECTED.is_file() else ""
ROWS = list(csv.DictReader(TEXT.splitlines()))


@pytest.mark.data
@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_a_vendor_file_opens_with_the_stated_scale(row: dict[str, str], model: Any) -> None:
    path = EXPECTED.parent / row["file"]
    layers = model.open(path, plugin=PLUGIN)
    assert layers, "nothing was opened"
    layer = next((one for one in layers if _size_fits(one, row)), layers[0])
    record = layer.metadata["sem"]
    stack = record.axes == "NYX"
    assert tuple(layer.axis_labels) == (("page", "y", "x") if stack else ("y", "x"))
    assert Path(layer.source.path) == path
    units = [str(unit) for unit in layer.units][-2:]
    if row["calibrated"] != "yes":
        assert record.calibration.pixel_size is None
        assert "(uncalibrated)" in layer.name
        assert units == ["pixel", "pixel"]
        assert np.allclose(layer.scale, 1)
        return
    stated = float(row["pixel_size_y"]), float(row["pixel_size_x"])
    factor = {"nm": 1, "um": 1e3, "1/nm": 1}[row["unit"]]
    error = max(abs(s / (v * factor) - 1) for s, v in zip(layer.scale[-2:], stated, strict=True))
    print(f"{row['file']}: {layer.scale[-1]:.6g} {units[-1]}, off by {error:.1e}")
    assert error <= float(row["rel_tol"])
    if row["unit"] == "1/nm":
        assert units == ["1 / nanometer"] * 2
        assert record.calibration.pixel_size is None
    else:
        assert units == ["nanometer"] * 2
        read = [one.calibration.pixel_size for one in sem.read_all(path)]
        assert tuple(layer.scale[-2:]) in read
    if stack:
        assert layer.scale[0] == 1
        assert str(layer.units[0]) == "pixel"


def _size_fits(layer: Any, row: dict[str, str]) -> bool:
    """Say whether a layer has the size that the row states."""
    return layer.metadata["sem"].shape == (int(row["height"]), int(row["width"]))


def test_a_plain_tiff_opens_by_preference_and_by_naparis_own_reader(
    model: Any, tmp_path: Path
) -> None:
    import tifffile
    from napari.settings import get_settings

    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.arange(600, dtype=np.uint8).reshape(20, 30))
    get_settings().plugins.extension2reader = {"*.tif": PLUGIN}
    try:
        ours = model.open(path, plugin=None)[0]
    finally:
        get_settings().plugins.extension2reader = {}
    assert ours.name == "plain (uncalibrated)"
    own = model.open(path, plugin="napari")[0]
    assert np.array_equal(own.data, ours.data)


def test_a_damaged_tiff_is_left_to_other_readers(tmp_path: Path) -> None:
    from napari_sem_tools.layers import napari_get_reader

    path = tmp_path / "broken.tif"
    path.write_bytes(b"II*\0" + bytes(40))
    assert napari_get_reader(str(path)) is None
    assert napari_get_reader(str(tmp_path / "absent.tif")) is None
    assert napari_get_reader([]) is None
