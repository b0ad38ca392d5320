"""Every vendor's layout, from files made here: scale, metadata, damage, resaving."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.errors import SemError
from napari_sem_tools.reading import zeiss

from . import makers
from .makers import MAKERS, specimen

NM = 10.0
TOLERANCE = 1e-4


@pytest.fixture(params=sorted(MAKERS))
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "velox":
        pytest.importorskip("h5py")
    return str(request.param)


def test_a_made_file_has_its_scale_and_voltage(name: str, tmp_path: Path) -> None:
    maker = MAKERS[name]
    image = sem.read(maker.make(tmp_path, specimen()))
    assert image.calibration.pixel_size == pytest.approx((NM, NM), rel=TOLERANCE)
    assert image.metadata.accelerating_voltage_kV == maker.kilovolts
    assert image.shape == (192, 256)
    assert image.data_bar is None
    np.testing.assert_array_equal(np.asarray(image.pixels, float), specimen().astype(float))


def test_reading_warns_of_nothing_and_logs_nothing(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = MAKERS[name].make(tmp_path, specimen())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sem.read(path)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


STATING = sorted(key for key, maker in MAKERS.items() if maker.states_size)


@pytest.mark.parametrize("key", STATING)
def test_saved_again_by_half_the_pixels_are_twice_as_large(key: str, tmp_path: Path) -> None:
    image = sem.read(MAKERS[key].make(tmp_path, specimen()[::2, ::2].copy()))
    assert image.calibration.pixel_size == pytest.approx((2 * NM, 2 * NM), rel=TOLERANCE)
    assert any("resized" in note.lower() for note in image.notes)


@pytest.mark.parametrize("key", STATING)
def test_with_rows_cut_off_the_pixel_size_holds_and_it_is_said(key: str, tmp_path: Path) -> None:
    image = sem.read(MAKERS[key].make(tmp_path, specimen()[:100].copy()))
    assert image.calibration.pixel_size == pytest.approx((NM, NM), rel=TOLERANCE)
    assert any("cropped" in note.lower() for note in image.notes)


@pytest.mark.parametrize("key", STATING)
@pytest.mark.parametrize("shape", [(150, 128), (80, 200), (192, 100), (192, 512), (384, 512)])
def test_cropped_or_put_together_it_is_uncalibrated_and_offers(
    key: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    image = sem.read(MAKERS[key].make(tmp_path, specimen(*shape)))
    assert image.calibration.pixel_size is None
    assert image.calibration.offered == pytest.approx((NM, NM), rel=TOLERANCE)
    assert any("uncalibrated" in note.lower() for note in image.notes)


def _keys(text: bytes) -> list[bytes]:
    """List what can be taken away: lines, and XML elements."""
    found = re.findall(rb"<(\w+)[^<>/]*>[^<]*</\1>", text)
    elements = [m.group(0) for m in re.finditer(rb"<(\w+)[^<>/]*>[^<]*</\1>", text)]
    return elements if found else [line for line in text.splitlines(keepends=True) if line.strip()]


TEXTS = sorted(key for key, maker in MAKERS.items() if maker.text and key != "velox")


def _no_other_scale(path: Path, factor: float) -> None:
    try:
        image = sem.read(path)
    except SemError as error:
        assert str(error).endswith(".")
        return
    size = image.calibration.pixel_size
    assert size is None or size == pytest.approx((factor * NM, factor * NM), rel=1e-2)


@pytest.mark.parametrize("key", TEXTS)
@pytest.mark.parametrize("step", [1, 2])
def test_without_any_one_line_or_element_there_is_no_other_scale(
    key: str, step: int, tmp_path: Path
) -> None:
    maker = MAKERS[key]
    if step == 2 and not maker.states_size:
        return
    image = specimen()[::step, ::step].copy()
    whole: list[bytes] = []
    maker.make(tmp_path, image, lambda text: whole.append(text) or text)
    for piece in _keys(whole[0])[step - 1 :: step]:
        _no_other_scale(maker.make(tmp_path, image, lambda t, p=piece: t.replace(p, b"", 1)), step)


@pytest.mark.parametrize("key", TEXTS)
def test_cut_at_any_byte_there_is_no_other_scale(key: str, tmp_path: Path) -> None:
    maker = MAKERS[key]
    image = specimen()
    whole: list[bytes] = []
    maker.make(tmp_path, image, lambda text: whole.append(text) or text)
    for stop in range(0, len(whole[0]), len(whole[0]) // 37 + 1):
        _no_other_scale(maker.make(tmp_path, image, lambda t, s=stop: t[:s]), 1)


@pytest.mark.slow
@pytest.mark.parametrize("key", TEXTS)
def test_cut_at_really_any_byte_there_is_no_other_scale(key: str, tmp_path: Path) -> None:
    maker = MAKERS[key]
    for step in (1, 2) if maker.states_size else (1,):
        image = specimen()[::step, ::step].copy()
        whole: list[bytes] = []
        maker.make(tmp_path, image, lambda text, w=whole: w.append(text) or text)
        for stop in range(len(whole[0])):
            _no_other_scale(maker.make(tmp_path, image, lambda t, s=stop: t[:s]), step)


@pytest.mark.parametrize("key", [key for key in TEXTS if key != "hitachi_tag"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp037"])
def test_a_wrong_encoding_costs_the_scale_at_most(key: str, encoding: str, tmp_path: Path) -> None:
    def change(text: bytes) -> bytes:
        return text.decode("latin-1").encode(encoding)

    _no_other_scale(MAKERS[key].make(tmp_path, specimen(), change), 1)


@pytest.mark.parametrize("key", ["zeiss", "fei", "fei_old", "jeol", "hitachi", "tescan_hdr"])
@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_any_line_end_is_understood(key: str, end: bytes, tmp_path: Path) -> None:
    path = MAKERS[key].make(tmp_path, specimen(), lambda text: text.replace(b"\r\n", end))
    assert sem.read(path).calibration.pixel_size == pytest.approx((NM, NM), rel=TOLERANCE)


@pytest.mark.parametrize("key", ["fei", "jeol", "hitachi", "tescan_hdr", "zeiss"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8", "latin-1"])
def test_any_usual_encoding_is_understood(key: str, encoding: str, tmp_path: Path) -> None:
    def change(text: bytes) -> bytes:
        return text.decode("latin-1").encode(encoding)

    path = MAKERS[key].make(tmp_path, specimen(), change)
    assert sem.read(path).calibration.pixel_size == pytest.approx((NM, NM), rel=TOLERANCE)


def test_the_head_of_a_zeiss_tag_is_meant_for_1024_columns() -> None:
    text = "0\r\n0\r\n0\r\n9.766e-08\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 48.83 nm\r\n"
    numbers, entries = zeiss.parse(text + "DP_IMAGE_STORE\r\nStore resolution = 2048 * 1536\r\n")
    size, *_ = zeiss._pixel_size(numbers, entries, (1536, 2048))
    assert size == pytest.approx(48.83, rel=1e-4)


def test_zeiss_text_and_head_that_disagree_are_both_said(tmp_path: Path) -> None:
    path = makers.zeiss(tmp_path, specimen(), lambda t: t.replace(b"10.00 nm", b"12.00 nm"))
    image = sem.read(path)
    assert image.calibration.pixel_size == pytest.approx((12, 12))
    assert any("10 nm" in note and "12 nm" in note for note in image.notes)


def test_a_scale_set_later_in_imagej_wins_and_both_are_said(tmp_path: Path) -> None:
    import tifffile

    tag = makers.ZEISS.encode("latin-1")
    tifffile.imwrite(
        tmp_path / "a.tif", specimen(), description=b"ImageJ=1.54f\nunit=um\n", metadata=None,
        resolution=(50, 50), extratags=[(34118, 1, len(tag), tag, True)],
    )  # fmt: skip
    image = sem.read(tmp_path / "a.tif")
    assert image.calibration.pixel_size == pytest.approx((20, 20))
    assert any("Zeiss" in note and "ImageJ" in note for note in image.notes)
    assert image.metadata.accelerating_voltage_kV == 5


def test_diffraction_in_dm_is_no_length(tmp_path: Path) -> None:
    calibration = sem.read(makers.dm3(tmp_path, specimen(), unit="1/nm")).calibration
    assert calibration.pixel_size is None
    assert calibration.reciprocal == pytest.approx((NM, NM))
    per_metre = sem.read(makers.dm3(tmp_path, specimen(), unit="1/µm")).calibration
    assert per_metre.reciprocal == pytest.approx((NM / 1e3, NM / 1e3))


@pytest.mark.parametrize("value", ["0", "-1e-8", "nan", "inf", "1e-20", "0.5"])
def test_a_pixel_size_that_cannot_be_is_no_scale(value: str, tmp_path: Path) -> None:
    def change(text: bytes) -> bytes:
        return text.replace(b"10.0e-9", value.encode())

    assert sem.read(makers.tescan(tmp_path, specimen(), change)).calibration.pixel_size is None


def test_one_bad_value_does_not_stop_the_rest(tmp_path: Path) -> None:
    path = makers.fei(tmp_path, specimen(), lambda t: t.replace(b"HV=2000", b"HV=notafloat"))
    image = sem.read(path)
    assert image.calibration.is_calibrated
    assert image.metadata.detector == "ETD"


def test_a_stated_strip_is_taken_and_checked(tmp_path: Path) -> None:
    with_strip = np.vstack([specimen(192, 256), np.full((30, 256), 4, np.uint8)])
    with_strip[200:210:2, 20:60:3] = 250
    assert sem.read(makers.fei(tmp_path, with_strip)).data_bar == (192, 222)

    def change(text: bytes) -> bytes:
        return text.replace(b"ImageStripSize=0", b"ImageStripSize=60")

    image = sem.read(makers.tescan(tmp_path, with_strip, change))
    assert image.data_bar != (162, 222)
    assert any("label strip" in note for note in image.notes)
