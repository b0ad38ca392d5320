"""Plain pictures and ImageJ files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_sem_tools as sem
from napari_sem_tools.errors import UnknownFormat, UnreadableFile


def test_a_resolution_in_dpi_is_no_scale(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((20, 30), np.uint8), resolution=(300, 300), resolutionunit=2
    )
    assert not sem.read(tmp_path / "a.tif").calibration.is_calibrated


@pytest.mark.parametrize(("unit", "nm"), [("nm", 2.0), ("um", 2e3), ("\\u00B5m", 2e3), ("Å", 0.2)])
def test_imagej_scale_is_pixels_per_its_unit(tmp_path: Path, unit: str, nm: float) -> None:
    image = np.zeros((20, 30), np.uint8)
    text = f"ImageJ=1.54f\nunit={unit}\nmin=0\n".encode()
    tifffile.imwrite(
        tmp_path / "a.tif", image, resolution=(0.5, 0.5), description=text, metadata=None
    )
    assert sem.read(tmp_path / "a.tif").calibration.pixel_size == pytest.approx((nm, nm))


@pytest.mark.parametrize("unit", ["pixel", "", "furlong"])
def test_imagej_without_a_unit_of_length_is_uncalibrated(tmp_path: Path, unit: str) -> None:
    text = f"ImageJ=1.54f\nunit={unit}\n"
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((20, 30), np.uint8),
        resolution=(0.5, 0.5),
        description=text,
        metadata=None,
    )
    assert not sem.read(tmp_path / "a.tif").calibration.is_calibrated


def test_a_typed_width_counts_as_typed(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 50), np.uint8))
    calibration = sem.read(tmp_path / "a.tif", width=100.0).calibration
    assert calibration.pixel_size == (2.0, 2.0)
    assert calibration.origin == "typed"


@pytest.mark.parametrize("content", [b"", b"II*\0", b"II*\0\x08\0\0\0"])
def test_an_empty_or_cut_file_is_told_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UnreadableFile):
        sem.read(tmp_path / "a.tif")


def test_a_text_named_tif_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("hello")
    with pytest.raises(UnknownFormat):
        sem.read(tmp_path / "a.tif")
