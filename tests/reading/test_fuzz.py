"""Damaged files of any kind: one of our errors or an image, soon and in little memory."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_sem_tools as sem
from napari_sem_tools.errors import SemError
from napari_sem_tools.reading.formats import can_read

from . import makers
from .makers import MAKERS, specimen

SECONDS = 10.0
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "vendor"

FAST = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
LONG = settings(max_examples=4000, deadline=None, suppress_health_check=list(HealthCheck))


def survives(path: Path) -> None:
    """Read a damaged file: an image, or one of our errors in a sentence."""
    start = time.process_time()
    try:
        image = sem.read(path)
    except SemError as error:
        assert str(error).strip().endswith(".")
        assert error.hint
    else:
        assert image.pixels.nbytes < 1 << 28
        assert image.field.shape == image.shape
        if image.calibration.pixel_size is not None:
            assert all(1e-4 <= side <= 1e7 for side in image.calibration.pixel_size)
    can_read(path)
    assert time.process_time() - start < SECONDS


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the bytes of one small file of each maker."""
    folder = tmp_path_factory.mktemp("whole")
    made = {}
    for name, maker in MAKERS.items():
        if name == "velox":
            pytest.importorskip("h5py")
        path = maker.make(folder, specimen(24, 32))
        made[path.name] = path.read_bytes()
    return made


flips = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=8)


def _flipped(content: bytes, changes: list[tuple[int, int]]) -> bytes:
    damaged = bytearray(content)
    for at, value in changes:
        if damaged:
            damaged[at % len(damaged)] = value
    return bytes(damaged)


def _check_flips(whole: dict[str, bytes], folder: Path, which: int, changes: object) -> None:
    name = sorted(whole)[which % len(whole)]
    path = folder / name
    path.write_bytes(_flipped(whole[name], changes))  # type: ignore[arg-type]
    survives(path)


@FAST
@given(which=st.integers(0, 40), changes=flips)
def test_flipped_bytes(
    which: int, changes: list[tuple[int, int]], whole: dict[str, bytes], tmp_path: Path
) -> None:
    _check_flips(whole, tmp_path, which, changes)


@pytest.mark.slow
@LONG
@given(which=st.integers(0, 40), changes=flips)
def test_flipped_bytes_for_long(
    which: int, changes: list[tuple[int, int]], whole: dict[str, bytes], tmp_path: Path
) -> None:
    _check_flips(whole, tmp_path, which, changes)


@FAST
@given(which=st.integers(0, 40), share=st.floats(0, 1), tail=st.binary(max_size=40))
def test_cut_files(
    which: int, share: float, tail: bytes, whole: dict[str, bytes], tmp_path: Path
) -> None:
    name = sorted(whole)[which % len(whole)]
    content = whole[name]
    (tmp_path / name).write_bytes(content[: int(len(content) * share)] + tail)
    survives(tmp_path / name)


# Values that break readers: nothing, one, the largest of each size, negative ones.
numbers = st.sampled_from([0, 1, 2, 3, 7, 8, 255, 65535, 1 << 20, 2**31 - 1, 2**31, 2**32 - 1])


def _tiff(entries: list[tuple[int, int, int, int]], following: int, body: bytes) -> bytes:
    """Write a TIFF directory of (code, type, count, value or offset)."""
    directory = struct.pack("<H", len(entries))
    for code, kind, count, value in entries:
        directory += struct.pack("<HHII", code & 0xFFFF, kind & 0xFFFF, count, value)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + body


SANE = {256: (4, 1, 16), 257: (4, 1, 12), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
        273: (4, 1, 300), 277: (3, 1, 1), 278: (4, 1, 12), 279: (4, 1, 192)}  # fmt: skip

codes = st.sampled_from(
    [*SANE, 254, 270, 274, 284, 317, 320, 322, 323, 324, 325, 330, 338, 339, 282, 283,
     34118, 34119, 34680, 34682, 34683, 50431, 33560, 33471, 37706, 65003, 65009, 40092]
)  # fmt: skip
kinds = st.integers(0, 18)


def _check_directory(
    changes: list[tuple[int, int, int, int]], following: int, body: bytes, folder: Path
) -> None:
    tags = {code: (kind, count, value) for code, (kind, count, value) in SANE.items()}
    tags |= {code: (kind, count, value) for code, kind, count, value in changes}
    path = folder / "fuzz.tif"
    entries = [(code, *rest) for code, rest in sorted(tags.items())]
    path.write_bytes(_tiff(entries, following, body + bytes(600)))
    survives(path)


@FAST
@given(
    changes=st.lists(st.tuples(codes, kinds, numbers, numbers), min_size=1, max_size=4),
    following=numbers,
    body=st.binary(max_size=60),
)
def test_any_directory(
    changes: list[tuple[int, int, int, int]], following: int, body: bytes, tmp_path: Path
) -> None:
    _check_directory(changes, following, body, tmp_path)


@pytest.mark.slow
@LONG
@given(
    changes=st.lists(st.tuples(codes, kinds, numbers, numbers), min_size=1, max_size=6),
    following=numbers,
    body=st.binary(max_size=200),
)
def test_any_directory_for_long(
    changes: list[tuple[int, int, int, int]], following: int, body: bytes, tmp_path: Path
) -> None:
    _check_directory(changes, following, body, tmp_path)


words = st.sampled_from(
    [b"PixelWidth", b"PixelSizeX", b"=", b" = ", b"nm", b"\xb5m", b"1e-9", b"nan", b"1e400", b"-1",
     b"[Scan]", b"[MAIN]", b"\r\n", b"\r", b"\0", b"AP_WIDTH", b"DP_IMAGE_STORE", b"0 * 0",
     b"ResolutionX", b"ResolutionY", b"0", b"999999999999999999999", b"<FeiImage>", b"<Metadata>",
     b"<pixelWidth unit='nm'>", b"</pixelWidth>", b"&amp;", b"<!ENTITY a 'b'>", b"ImageJ=1\n",
     b"unit=nm\n", b"images=4000000000\n", b"\\u00B5m", b"<OME", b"<TemReporter>", b"\xff\xfe",
     b"SizeX='0'", b"$CM_FULL_SIZE 0 0\r\n", b"$$SM_MICRON_BAR 0\r\n", b"DataSize=0x0"]
)  # fmt: skip
texts = st.lists(words, max_size=30).map(b"".join)


@FAST
@given(text=texts, code=st.sampled_from([34118, 34119, 34682, 34680, 34683, 50431, 40092, 270]))
def test_any_text_in_a_tag(text: bytes, code: int, tmp_path: Path) -> None:
    path = tmp_path / "text.tif"
    start = 8 + 2 + 12 * (len(SANE) + 1) + 4
    tags = {**SANE, code: (1 if code != 270 else 2, max(len(text), 5), start)}
    tags[273] = (4, 1, start + max(len(text), 5))
    entries = [(key, *rest) for key, rest in sorted(tags.items())]
    path.write_bytes(_tiff(entries, 0, text.ljust(5, b"\0") + bytes(200)))
    survives(path)


@FAST
@given(text=texts, name=st.sampled_from(["a.txt", "a-tif.hdr"]))
def test_any_text_beside_a_picture(text: bytes, name: str, tmp_path: Path) -> None:
    makers.write_tiff(tmp_path / "a.tif", specimen(12, 16), {})
    head = b"[SemImageFile]\r\n" if name == "a.txt" else b"[MAIN]\r\n"
    (tmp_path / name).write_bytes(head + text)
    survives(tmp_path / "a.tif")
    (tmp_path / name).write_bytes(b"$CM_FORMAT JEOL-SEM\r\n" + text)
    survives(tmp_path / "a.tif")


@FAST
@given(
    fields=st.lists(st.tuples(st.integers(0, 55), numbers), min_size=1, max_size=4),
    extra=st.binary(max_size=30),
)
def test_any_mrc_header(fields: list[tuple[int, int]], extra: bytes, tmp_path: Path) -> None:
    def change(head: bytes) -> bytes:
        damaged = bytearray(head)
        for place, value in fields:
            struct.pack_into("<I", damaged, 4 * place, value)
        return bytes(damaged) + extra

    survives(makers.mrc(tmp_path, specimen(12, 16), change))


@FAST
@given(fields=st.lists(st.tuples(st.integers(0, 80), numbers), min_size=1, max_size=4))
def test_any_series_header(fields: list[tuple[int, int]], tmp_path: Path) -> None:
    def change(head: bytes) -> bytes:
        damaged = bytearray(head)
        for place, value in fields:
            struct.pack_into("<I", damaged, min(4 + place, len(damaged) - 4), value)
        return bytes(damaged)

    survives(makers.ser(tmp_path, specimen(12, 16), change))


@pytest.mark.parametrize("depth", [1, 10, 63, 64, 65, 500, 5000])
def test_a_dm_tree_of_any_depth(depth: int, tmp_path: Path) -> None:
    body = makers._dm_number("leaf", 5, "I", 1)
    for _ in range(depth):
        body = makers._dm_entry("g", makers._dm_group([body]), 20)
    root = makers._dm_group([body])
    (tmp_path / "deep.dm3").write_bytes(struct.pack(">III", 3, len(root), 1) + root)
    survives(tmp_path / "deep.dm3")


@pytest.mark.parametrize("count", [2**31 - 1, 2**32 - 1])
def test_a_dm_tree_with_a_huge_count(count: int, tmp_path: Path) -> None:
    root = struct.pack(">BBI", 1, 0, count)
    (tmp_path / "many.dm3").write_bytes(struct.pack(">III", 3, 6, 1) + root + bytes(4000))
    survives(tmp_path / "many.dm3")


@pytest.mark.parametrize("ending", [".tif", ".dm3", ".emd", ".mrc", ".ser", ".png", ".xyz", ""])
@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"x", bytes(5000), b"\xff" * 5000, b"MZ" + bytes(300), b"II*\0" + b"\xff" * 100,
     b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM" + bytes(60), b"\x89HDF\r\n\x1a\n" + bytes(90),
     b"II\x97\x01\x20\x02" + bytes(40), b"BZh9" + bytes(90), b"\x1f\x8b" + bytes(90),
     b"\0\0\0\3" + bytes(30), b"\0\0\0\4" + bytes(30), b"GIF89a" + bytes(20)],
)  # fmt: skip
def test_no_image_with_any_ending(content: bytes, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    with pytest.raises(SemError):
        sem.read(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e38])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (64, 64), (3, 64, 64)])
def test_constant_and_tiny_pictures(value: float, shape: tuple[int, ...], tmp_path: Path) -> None:
    makers.write_tiff(tmp_path / "a.tif", np.full(shape, value, np.float32), {})
    image = sem.read(tmp_path / "a.tif")
    assert image.field.any() == bool(np.isfinite(value))
    assert image.data_bar is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_signalling_nan_is_left_out_without_a_warning(order: str, tmp_path: Path) -> None:
    bits = np.full((40, 40), 0x3F800000, np.uint32)
    bits[3, 4] = 0x7F800001  # found by flipping bytes of a series of TIA
    bits[5:9, 7:] = 0x7F7FFFFF  # the largest float
    image = bits.view(np.float32)
    makers.write_tiff(tmp_path / "a.tif", image, {}, byteorder=order)
    assert not sem.read(tmp_path / "a.tif").field[3, 4]
    survives(makers.mrc(tmp_path, image))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i1", "i2", "i4", "u4", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_any_type_is_kept(dtype: str, order: str, tmp_path: Path) -> None:
    image = specimen(20, 30).astype(dtype)
    makers.write_tiff(tmp_path / "a.tif", image, {}, byteorder=order)
    read = sem.read(tmp_path / "a.tif").pixels
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("sides", [(2**31, 2**31), (400_000, 400_000), (70_000, 70_000)])
def test_a_huge_size_in_a_small_file_is_refused_before_reading(
    sides: tuple[int, int], tmp_path: Path
) -> None:
    entries = {**SANE, 256: (4, 1, sides[1]), 257: (4, 1, sides[0]), 278: (4, 1, sides[0])}
    for compression in (1, 5, 8, 7):
        entries[259] = (3, 1, compression)
        rows = [(code, *rest) for code, rest in sorted(entries.items())]
        (tmp_path / "huge.tif").write_bytes(_tiff(rows, 0, bytes(600)))
        with pytest.raises(SemError):
            sem.read(tmp_path / "huge.tif")


def test_directories_that_point_at_each_other(tmp_path: Path) -> None:
    entries = [(code, *rest) for code, rest in sorted(SANE.items())]
    (tmp_path / "loop.tif").write_bytes(_tiff(entries, 8, bytes(600)))
    survives(tmp_path / "loop.tif")


# --- byte flips of real headers -------------------------------------------------------------

REAL = sorted(
    path for path in SHARED.glob("*") if path.suffix not in (".csv", ".md", ".txt", ".hdr", ".emi")
)


def _check_real(path: Path, changes: list[tuple[int, int]], back: bool, folder: Path) -> None:
    content = path.read_bytes()
    places = [(len(content) - 1 - at if back else at, value) for at, value in changes]
    damaged = folder / path.name
    damaged.write_bytes(_flipped(content, places))
    survives(damaged)


@pytest.mark.data
@pytest.mark.skipif(not REAL, reason="the shared real images are absent")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(which=st.integers(0, 100), changes=flips, back=st.booleans())
def test_real_headers_with_flipped_bytes(
    which: int, changes: list[tuple[int, int]], back: bool, tmp_path: Path
) -> None:
    _check_real(REAL[which % len(REAL)], changes, back, tmp_path)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="the shared real images are absent")
@LONG
@given(which=st.integers(0, 100), changes=flips, back=st.booleans())
def test_real_headers_with_flipped_bytes_for_long(
    which: int, changes: list[tuple[int, int]], back: bool, tmp_path: Path
) -> None:
    _check_real(REAL[which % len(REAL)], changes, back, tmp_path)
