"""The table of formats, inputs, regions and what a resize does to real files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

import napari_sem_tools as sem
from napari_sem_tools.calibration.resized import compare_sizes
from napari_sem_tools.errors import InvalidSettings, MissingExtra, UnknownFormat, UnreadableFile
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading import as_micrograph, list_files, read_regions, region_mask, regions
from napari_sem_tools.reading.formats import FORMATS, can_read

from . import makers
from .makers import specimen

# --- the table -----------------------------------------------------------------------------


def test_every_row_has_a_reader_and_a_name_of_its_own() -> None:
    assert len({row.name for row in FORMATS}) == len(FORMATS)
    for row in FORMATS:
        module = row.load()
        assert callable(module.sniff)
        assert callable(module.read)
        assert all(suffix.startswith(".") for suffix in row.suffixes)


def test_every_row_is_in_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
    text = page.read_text(encoding="utf-8")
    for row in FORMATS:
        assert f"`{row.name}`" in text


def test_listing_the_formats_imports_nothing_heavy() -> None:
    code = (
        "import sys, napari_sem_tools.reading.formats as f; f.FORMATS; "
        "heavy = {'tifffile', 'skimage', 'scipy', 'pandas', 'h5py', 'PIL', 'imagecodecs'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("h5py")
    path = makers.velox(tmp_path, specimen(12, 16))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match="h5py") as caught:
        sem.read(path)
    assert "formats" in caught.value.hint


def test_hdf5_of_another_kind_is_unknown(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = [1]
    with pytest.raises(UnknownFormat):
        sem.read(tmp_path / "a.h5")
    assert not can_read(tmp_path / "a.h5")


def test_can_read_goes_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("no image")
    (tmp_path / "cut.tif").write_bytes(b"II*\0")
    named = makers.zeiss(tmp_path, specimen()).rename(tmp_path / "zeiss.dat")
    assert not can_read(tmp_path / "a.tif")
    assert can_read(tmp_path / "cut.tif")  # so that its fault is told by us
    assert can_read(named)
    assert not can_read(tmp_path)


# --- pages ---------------------------------------------------------------------------------


def test_pages_of_one_kind_are_a_stack_and_others_images_of_their_own(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for seed in range(3):
            writer.write(specimen(20, 30) + np.uint8(seed), photometric="minisblack", metadata=None)
        writer.write(specimen(10, 30), photometric="minisblack", metadata=None)
        writer.write(specimen(5, 15), photometric="minisblack", metadata=None, subfiletype=1)
    images = sem.read_all(tmp_path / "a.tif")
    assert [image.pixels.shape for image in images] == [(3, 20, 30), (10, 30)]
    assert sem.read(tmp_path / "a.tif", page=3).shape == (10, 30)
    assert any("page= opens them" in note for note in sem.read(tmp_path / "a.tif").notes)
    second = sem.read(tmp_path / "a.tif", page=1)
    assert not any("page=" in note for note in second.notes)
    np.testing.assert_array_equal(second.pixels, specimen(20, 30) + np.uint8(1))
    for page in (4, 99, -1):
        with pytest.raises(InvalidSettings):
            sem.read(tmp_path / "a.tif", page=page)


def test_pages_of_different_scale_are_no_stack(tmp_path: Path) -> None:
    tags = [makers.ZEISS, makers.ZEISS.replace("2.500000e-09", "5.000000e-09")]
    tags[1] = tags[1].replace("10.00 nm", "20.00 nm").replace("2.560 µm", "5.120 µm")
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for text in tags:
            tag = text.encode("latin-1")
            extra = [(34118, 1, len(tag), tag, True)]
            writer.write(specimen(), photometric="minisblack", metadata=None, extratags=extra)
    images = sem.read_all(tmp_path / "a.tif")
    assert [image.calibration.pixel_size for image in images] == [
        pytest.approx((10, 10)), pytest.approx((20, 20)),
    ]  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_swaps_the_pixel_size(orientation: int, tmp_path: Path) -> None:
    upright = np.arange(12, dtype=np.uint8).reshape(3, 4)
    as_stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: upright.T[::-1], 7: upright.T[::-1, ::-1], 8: upright.T[:, ::-1],
    }[orientation]  # fmt: skip
    tifffile.imwrite(
        tmp_path / "a.tif", np.ascontiguousarray(as_stored), metadata=None,
        description=b"ImageJ=1.54f\nunit=nm\nyunit=nm\n", resolution=(1 / 2, 1 / 5),
        extratags=[(274, 3, 1, orientation, True)],
    )  # fmt: skip
    image = sem.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels, upright)
    turned = orientation >= 5
    assert image.calibration.pixel_size == pytest.approx((2, 5) if turned else (5, 2))


def test_colour_is_kept_only_where_it_says_something(tmp_path: Path) -> None:
    grey = specimen(40, 60)
    equal = np.stack([grey] * 3, axis=-1)
    drawn = equal.copy()
    drawn[5:8, 10:30] = (255, 0, 0)
    colour = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)
    for name, rgb in (("equal", equal), ("drawn", drawn), ("colour", colour)):
        tifffile.imwrite(tmp_path / f"{name}.tif", rgb, photometric="rgb", metadata=None)
    assert sem.read(tmp_path / "equal.tif").axes == "YX"
    marked = sem.read(tmp_path / "drawn.tif")
    assert marked.axes == "YX"
    assert not marked.field[5:8, 10:30].any()
    assert marked.marks is not None
    assert marked.field[20:].all()
    assert sem.read(tmp_path / "colour.tif").axes == "YXC"


def test_alpha_is_left_out_with_a_note(tmp_path: Path) -> None:
    grey = specimen(20, 30)
    rgba = np.stack([grey, grey, grey, grey], axis=-1)
    tifffile.imwrite(
        tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"], metadata=None
    )
    image = sem.read(tmp_path / "a.tif")
    assert image.pixels.ndim == 2
    assert any("alpha" in note for note in image.notes)


def test_16_bit_colour_of_png_keeps_its_depth(tmp_path: Path) -> None:
    import imagecodecs

    grey = specimen(20, 30).astype(np.uint16) * 200
    rgb = np.stack([grey] * 3, axis=-1)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(rgb))
    np.testing.assert_array_equal(sem.read(tmp_path / "a.png").pixels, grey)


def test_a_huge_plain_picture_is_mapped_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sem_tools.reading import tiffpages

    monkeypatch.setattr(tiffpages, "MAP_FROM_PX", 1000)
    tifffile.imwrite(tmp_path / "a.tif", specimen(40, 60), metadata=None)
    image = sem.read(tmp_path / "a.tif")
    assert isinstance(image.pixels, np.memmap)
    np.testing.assert_array_equal(image.pixels, specimen(40, 60))


def test_a_file_that_ends_too_early_says_after_how_many_rows(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", specimen(768, 100), metadata=None, rowsperstrip=768)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) - 75600])
    with pytest.raises(UnreadableFile, match="ends after 12 of 768 rows"):
        sem.read(tmp_path / "a.tif")


# --- inputs --------------------------------------------------------------------------------


def test_whatever_is_an_image_becomes_a_record(tmp_path: Path) -> None:
    path = makers.zeiss(tmp_path, specimen())
    assert as_micrograph(path).calibration.is_calibrated
    record = sem.read(path)
    assert as_micrograph(record) is record
    assert not as_micrograph(specimen()).calibration.is_calibrated
    assert as_micrograph(specimen(), pixel_size=3).calibration.pixel_size == (3, 3)
    assert as_micrograph(np.zeros((20, 30, 3), np.uint8)).axes == "YXC"
    for thing in (object(), "text\0", np.zeros(3), np.array([["a"]]), np.zeros((0, 4))):
        with pytest.raises(sem_error()):
            as_micrograph(thing)


def sem_error() -> type[Exception]:
    from napari_sem_tools.errors import SemError

    return SemError


def test_a_layer_is_known_by_its_attributes(tmp_path: Path) -> None:
    record = sem.read(makers.zeiss(tmp_path, specimen()))
    own = SimpleNamespace(data=record.pixels, scale=(10, 10), metadata={"sem": record})
    assert as_micrograph(own).calibration == record.calibration
    other = SimpleNamespace(
        data=specimen(), scale=(0.01, 0.02), units=("micrometer", "micrometer"), metadata={}
    )
    assert as_micrograph(other).calibration.pixel_size == pytest.approx((10, 20))
    plain = SimpleNamespace(data=specimen(), scale=(1, 1), units=("pixel", "pixel"), metadata={})
    assert isinstance(as_micrograph(plain), Micrograph)
    assert not as_micrograph(plain).calibration.is_calibrated


def test_files_of_folders_patterns_and_lists(tmp_path: Path) -> None:
    for name in ("image10.tif", "image2.tif", "image1.png", "notes.txt", ".hidden.tif"):
        (tmp_path / name).write_bytes(b"x")
    names = [path.name for path in list_files(tmp_path)]
    assert names == ["image1.png", "image2.tif", "image10.tif"]
    assert [p.name for p in list_files(str(tmp_path / "*2.tif"))] == ["image2.tif"]
    (tmp_path / "list.csv").write_text("label,path\na,image2.tif\nb,image10.tif\n")
    assert [p.name for p in list_files([tmp_path / "list.csv", tmp_path / "image2.tif"])] == [
        "image2.tif", "image10.tif",
    ]  # fmt: skip
    (tmp_path / "bad.csv").write_text("path\nmissing.tif\n")
    for wrong in (tmp_path / "missing.tif", tmp_path / "bad.csv", str(tmp_path / "*.zzz")):
        with pytest.raises(UnreadableFile):
            list_files(wrong)


# --- regions -------------------------------------------------------------------------------

SQUARE = [[1.5, 2.5], [1.5, 6.5], [5.5, 6.5], [5.5, 2.5]]


def _is_the_square(path: Path) -> None:
    mask = region_mask(read_regions(path), (10, 12))
    wanted = np.zeros((10, 12), bool)
    wanted[2:6, 3:7] = True
    np.testing.assert_array_equal(mask, wanted)


def test_shapes_of_napari(tmp_path: Path) -> None:
    rows = [f"0,rectangle,{i},{y},{x}" for i, (y, x) in enumerate(SQUARE)]
    head = "index,shape-type,vertex-index,axis-0,axis-1"
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]))
    _is_the_square(tmp_path / "a.csv")


def test_an_ellipse_of_napari_has_its_area(tmp_path: Path) -> None:
    box = [(10, 10), (10, 70), (50, 70), (50, 10)]
    rows = [f"0,ellipse,{i},{y},{x}" for i, (y, x) in enumerate(box)]
    (tmp_path / "a.csv").write_text(
        "index,shape-type,vertex-index,axis-0,axis-1\n" + "\n".join(rows)
    )
    mask = region_mask(tmp_path / "a.csv", (60, 80))
    assert mask.sum() == pytest.approx(np.pi * 20 * 30, rel=0.01)


def test_regions_of_imagej(tmp_path: Path) -> None:
    import zipfile

    import roifile

    corners = np.array([[x + 0.5, y + 0.5] for y, x in SQUARE])
    roi = roifile.ImagejRoi.frompoints(corners)
    (tmp_path / "a.roi").write_bytes(roi.tobytes())
    _is_the_square(tmp_path / "a.roi")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.roi", roi.tobytes())
    _is_the_square(tmp_path / "a.zip")


@pytest.mark.parametrize("wrap", ["geometry", "feature", "collection", "list"])
def test_regions_of_geojson(wrap: str, tmp_path: Path) -> None:
    ring = [[x, y] for y, x in [*SQUARE, SQUARE[0]]]
    shape: object = {"type": "Polygon", "coordinates": [ring]}
    if wrap != "geometry":
        shape = {"type": "Feature", "geometry": shape, "properties": {}}
    if wrap == "collection":
        shape = {"type": "FeatureCollection", "features": [shape]}
    if wrap == "list":
        shape = [shape]
    (tmp_path / "a.geojson").write_text(json.dumps(shape))
    _is_the_square(tmp_path / "a.geojson")


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b"Iout", b"PK\x03\x04", b"hello", b"[[[["])
def test_no_regions_are_told_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.roi").write_bytes(content)
    with pytest.raises(sem_error()):
        read_regions(tmp_path / "a.roi")


def test_regions_outside_of_the_image_are_told() -> None:
    with pytest.raises(InvalidSettings, match="No pixel"):
        region_mask([np.array([[100, 100], [100, 120], [120, 120]])], (10, 10))
    with pytest.raises(InvalidSettings):
        region_mask(np.ones((3, 3), bool), (4, 4))


# --- resized or cropped ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "size", "rows", "kind", "factor"),
    [
        ((768, 1024), (768, 1024), [], "as acquired", 1),
        ((442, 512), (471, 512), [442], "as acquired", 1),
        ((192, 256), (96, 128), [], "resized", 0.5),
        ((960, 1280), (640, 800), [600], "resized", 0.625),
        ((768, 1024), (500, 1024), [], "rows cropped", 1),
        ((192, 256), (150, 128), [], "unclear", 1),
        ((768, 1024), (768, 2048), [], "unclear", 1),
        ((768, 1024), (1536, 2048), [], "unclear", 1),
        ((None, None), (768, 1024), [], "unknown", 1),
        ((None, 1024), (768, 1024), [], "as acquired", 1),
        ((None, 1024), (768, 512), [], "unclear", 1),
    ],
)
def test_verdicts_of_resizing(
    stored: tuple[int | None, int | None],
    size: tuple[int, int],
    rows: list[int],
    kind: str,
    factor: float,
) -> None:
    verdict = compare_sizes(stored, size, picture_rows=rows)
    assert verdict.kind == kind
    assert verdict.factor == pytest.approx((factor, factor))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "codes", "nm"),
    [
        ("bam/images/1908248.tif", (34118,), 7.34375),
        ("vendor/fei_helios_g4_34680_34682_34683.tif", (34682, 34683), 385.41666667),
        ("vendor/fei_rgb_saved_grey.tif", (34682,), 72.8516),
        ("more/raw-sem/images/zeiss_merlin_2000x.tif", (34118,), 55.825),
    ],
)
def test_real_files_saved_again_by_another_program(
    name: str, codes: tuple[int, ...], nm: float, shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / name
    image = sem.read(path)
    rows = image.data_bar[0] if image.data_bar and "fei" in name else image.shape[0]
    pixels = np.asarray(image.pixels)[:rows]
    with tifffile.TiffFile(path) as file:
        tags = {}
        for code in codes:
            tag = file.pages[0].tags[code]
            file.filehandle.seek(tag.valueoffset)
            tags[code] = file.filehandle.read(tag.valuebytecount)
    cases = {
        "half": (pixels[::2, ::2], 2 * nm),
        "rows": (pixels[:100], nm),
        "crop": (pixels[:200, :200], None),
        "twice": (np.kron(pixels, np.ones((2, 2), np.uint8)), None),
    }
    for case, (changed, size) in cases.items():
        saved = makers.write_tiff(tmp_path / f"{case}.tif", np.ascontiguousarray(changed), tags)
        calibration = sem.read(saved).calibration
        if size is None:
            assert calibration.pixel_size is None, case
            assert calibration.offered == pytest.approx((nm, nm), rel=1e-3), case
        else:
            assert calibration.pixel_size == pytest.approx((size, size), rel=1e-3), case


@pytest.mark.parametrize("kind", ["Polygon", "MultiPolygon"])
def test_holes_of_a_geojson_stay_holes(kind: str, tmp_path: Path) -> None:
    rings = [_square(0.5, 50.5), _square(10.5, 20.5), _square(30.5, 41.5)]
    corners = rings if kind == "Polygon" else [rings, [_square(60.5, 70.5)]]
    (tmp_path / "a.json").write_text(json.dumps({"type": kind, "coordinates": corners}))
    expected = np.zeros((80, 90), bool)
    expected[1:51, 1:51] = True
    expected[11:21, 11:21] = expected[31:42, 31:42] = False
    expected[61:71, 61:71] = kind == "MultiPolygon"
    np.testing.assert_array_equal(region_mask(tmp_path / "a.json", (80, 90)), expected)


def test_a_path_inside_another_is_a_hole_and_one_inside_that_is_filled() -> None:
    squares = [(0.5, 50.5), (10.5, 40.5), (20.5, 30.5), (60.5, 70.5)]
    polygons = regions._nested([np.array(_square(*ends)) for ends in squares])
    expected = np.zeros((80, 90), bool)
    for first, stop in squares:
        expected[int(first) + 1 : int(stop) + 1, int(first) + 1 : int(stop) + 1] ^= True
    np.testing.assert_array_equal(region_mask(polygons, (80, 90)), expected)


def _square(first: float, stop: float) -> list[list[float]]:
    return [[first, first], [stop, first], [stop, stop], [first, stop], [first, first]]


def test_numbers_other_than_0_are_a_mask_and_two_columns_are_corners() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[3:6, 4:9] = 7
    np.testing.assert_array_equal(region_mask(mask, (20, 30)), mask > 0)
    corners = np.array([[3, 4], [3, 8], [5, 8], [5, 4]])
    np.testing.assert_array_equal(region_mask(corners, (20, 30)), mask > 0)


def test_a_page_that_is_no_number_is_refused(tmp_path: Path) -> None:
    makers.zeiss(tmp_path, specimen())
    for page in ("0", 0.5):
        with pytest.raises(InvalidSettings, match="is no page"):
            sem.read(tmp_path / "zeiss.tif", page=page)  # type: ignore[arg-type]


def test_a_page_carries_its_own_raw_metadata(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for second in range(3):
            tag = makers.ZEISS.replace("8:20:42", f"8:20:1{second}").encode("latin-1")
            extra = [(34118, 1, len(tag), tag, True)]
            writer.write(specimen(), photometric="minisblack", metadata=None, extratags=extra)
    for page in range(3):
        image = sem.read(tmp_path / "a.tif", page=page)
        assert image.raw_metadata["CZ_SEM"]["AP_TIME"] == f"8:20:1{page}"
        assert image.metadata.acquired == f"2018-09-25T08:20:1{page}"
