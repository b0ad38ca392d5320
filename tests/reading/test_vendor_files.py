"""Every vendor file of the shared set: size, type, pages, scale, strip, metadata, notes."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.errors import SemError
from napari_sem_tools.micrograph import Micrograph

pytestmark = pytest.mark.data

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

EXPECTED = SHARED / "vendor" / "expected.csv"
ROWS = list(csv.DictReader(EXPECTED.read_text().splitlines())) if EXPECTED.is_file() else []
BY_NAME = {row["file"]: row for row in ROWS}


@pytest.fixture(params=sorted(BY_NAME))
def row(request: pytest.FixtureRequest, shared_data: Path) -> dict[str, str]:
    return BY_NAME[request.param]


def _read(shared_data: Path, name: str) -> Micrograph:
    return sem.read(shared_data / "vendor" / name)


def _says(image: Micrograph, *words: str) -> bool:
    """Tell whether one note holds all the words."""
    return any(all(word.lower() in note.lower() for word in words) for note in image.notes)


def test_size_type_and_pages(row: dict[str, str], shared_data: Path) -> None:
    image = _read(shared_data, row["file"])
    assert image.shape == (int(row["height"]), int(row["width"]))
    assert str(image.pixels.dtype) == row["dtype"]
    pages = int(row["n_pages_or_frames"])
    if row["file"].startswith("olympus"):
        assert len(sem.read_all(shared_data / "vendor" / row["file"])) == pages
    else:
        assert image.n_pages == pages


def test_pixel_size(row: dict[str, str], shared_data: Path) -> None:
    calibration = _read(shared_data, row["file"]).calibration
    if row["calibrated"] == "refuse":
        pytest.fail("no file of this kind was known when the test was written")
    if row["calibrated"] == "no":
        assert calibration.pixel_size is None
        assert calibration.reciprocal is None
        assert calibration.origin == "none"
        return
    wanted = (float(row["pixel_size_y"]), float(row["pixel_size_x"]))
    tolerance = float(row["rel_tol"])
    if row["unit"] == "nm":
        assert calibration.pixel_size == pytest.approx(wanted, rel=tolerance)
        assert calibration.unit == "nm"
        assert 0.01 < (calibration.relative_uncertainty or 0) < 0.05
    else:
        assert calibration.pixel_size is None
        assert calibration.unit == row["unit"] == "1/nm"
        assert calibration.reciprocal == pytest.approx(wanted, rel=tolerance)
    assert calibration.origin in ("tag", "sidecar")
    assert calibration.evidence


def test_label_strip(row: dict[str, str], shared_data: Path) -> None:
    image = _read(shared_data, row["file"])
    if not row["data_bar_first"]:
        assert image.data_bar is None
        return
    first, stop = int(row["data_bar_first"]), int(row["data_bar_stop"])
    assert image.data_bar == (first, stop)
    assert first == int(row["field_rows"])
    assert not image.field[first:stop].any()
    assert image.field[:first].any()


NUMBERS = ["accelerating_voltage_kV", "working_distance_mm", "magnification", "tilt_deg"]


@pytest.mark.parametrize("key", [*NUMBERS, "detector", "instrument", "acquired"])
def test_metadata(row: dict[str, str], shared_data: Path, key: str) -> None:
    wanted = row["date" if key == "acquired" else key]
    if not wanted:
        return
    found = _read(shared_data, row["file"]).metadata[key]
    if key in NUMBERS:
        assert found == pytest.approx(float(wanted), rel=1e-5, abs=5.1e-5)
    else:
        assert found == wanted


def test_raw_metadata_are_kept_and_persons_stay_there(
    row: dict[str, str], shared_data: Path
) -> None:
    image = _read(shared_data, row["file"])
    said = str(dict(image.metadata)).lower()
    for person in ("supervisor", "liberato", "umnuser", "klausi"):
        assert person not in said
    if not row["file"].startswith("plain"):
        assert image.raw_metadata


# --- what the notes of the table say, file by file -----------------------------------------


@pytest.mark.parametrize(
    "name", ["jeol_8530f_1000x_resized_800.bmp", "fei_resized_after_acquisition.tif",
             "zeiss_resized_um_latin1.tif"],
)  # fmt: skip
def test_a_resize_is_said_and_the_tag_stays_in_the_evidence(shared_data: Path, name: str) -> None:
    image = _read(shared_data, name)
    assert _says(image, "resized after acquisition")
    assert "rescaled by" in image.calibration.evidence


def test_cropped_and_resized_is_uncalibrated_and_offers_the_tag(shared_data: Path) -> None:
    image = _read(shared_data, "fei_cropped_and_resized.tif")
    assert image.calibration.offered == pytest.approx((100, 100))
    assert _says(image, "uncalibrated", "100 nm")


def test_tilt_without_correction_is_said_with_its_cosine(shared_data: Path) -> None:
    assert _says(_read(shared_data, "fei_tilt54_not_corrected.tif"), "54", "without", "0.588")
    assert _says(_read(shared_data, "tescan_vega3_hdr.tif"), "52", "without", "0.616")
    assert _says(_read(shared_data, "fei_helios_g4_34680_34682_34683.tif"), "19.3", "without")


def test_tilt_correction_is_said_with_its_angle(shared_data: Path) -> None:
    image = _read(shared_data, "zeiss_auriga_multipage_2048.tif")
    assert _says(image, "tilt correction was on", "-37", "52.6")
    assert image.metadata.tilt_correction is True


def test_every_zeiss_page_has_its_own_tag(shared_data: Path) -> None:
    image = _read(shared_data, "zeiss_auriga_multipage_2048.tif")
    times = [page.acquired for page in image.pages]
    assert times == ["2016-04-18T22:42:02", "2016-04-18T22:45:19"]
    second = sem.read(shared_data / "vendor" / "zeiss_auriga_multipage_2048.tif", page=1)
    assert second.metadata.acquired == times[1]
    assert second.axes == "YX"


@pytest.mark.parametrize(
    "name", ["jeol_sightx_saed.tif", "dm3_diffraction.dm3", "tia_diffraction_acquire_1.ser",
             "velox_complex_fft.emd"],
)  # fmt: skip
def test_diffraction_is_said_and_has_no_lengths(shared_data: Path, name: str) -> None:
    image = _read(shared_data, name)
    assert _says(image, "diffraction", "no lengths")
    assert image.metadata.mode == "diffraction"
    assert image.data_bar is None


def test_a_series_of_diffraction_without_emi_is_told_by_its_impossible_pixel(
    shared_data: Path,
) -> None:
    image = _read(shared_data, "tia_diffraction_without_emi_1.ser")
    assert _says(image, "probably a diffraction pattern")


def test_a_stem_image_is_no_diffraction_though_its_mode_says_so(shared_data: Path) -> None:
    for name in ("tia_stem_bf_df_1.ser", "velox_stem_four_detectors.emd", "dm3_stem_nm.dm3"):
        image = _read(shared_data, name)
        assert image.calibration.is_calibrated
        assert image.metadata.mode == "STEM"


def test_wavelength_is_no_length(shared_data: Path) -> None:
    assert _says(_read(shared_data, "hamamatsu_streak_focus.tif"), "wavelength")


def test_mixed_units_and_unequal_pixels_are_said(shared_data: Path) -> None:
    image = _read(shared_data, "dm3_nonsquare_mixed_units.dm3")
    assert _says(image, "different units")
    assert _says(image, "not square")
    assert _says(_read(shared_data, "ome_nm_nonsquare_z2.ome.tif"), "not square")
    # 0.6 of a millionth is rounding, no unequal pixel
    assert not _says(_read(shared_data, "fei_helios_navcam.tif"), "not square")


def test_steps_of_a_stack_are_in_the_metadata(shared_data: Path) -> None:
    ome = _read(shared_data, "ome_nm_nonsquare_z2.ome.tif").metadata
    assert (ome.frame_spacing, ome.frame_unit) == (30.0, "nm")
    imagej = _read(shared_data, "imagej_u00b5m_stack.tif").metadata
    assert imagej.frame_spacing == 0.5


def test_a_stack_without_microscope_info_of_its_own_finds_that_at_creation(
    shared_data: Path,
) -> None:
    metadata = _read(shared_data, "dm3_stack_um.dm3").metadata
    assert metadata.accelerating_voltage_kV == 200
    assert metadata.magnification == 200000
    assert metadata.frame_unit is None


def test_a_scale_derived_from_the_magnification_is_said_to_be_weaker(shared_data: Path) -> None:
    image = _read(shared_data, "hitachi_s4700_no_pixelsize.tif")
    assert _says(image, "no pixel size", "3 %")
    assert image.calibration.relative_uncertainty == pytest.approx(0.03, abs=1e-4)
    assert "derived" in image.calibration.evidence


def test_hitachi_in_the_tag_alone_is_read(shared_data: Path, tmp_path: Path) -> None:
    origin = shared_data / "vendor" / "hitachi_tm4000_utf16.tif"
    (tmp_path / "renamed.tif").write_bytes(origin.read_bytes())
    image = sem.read(tmp_path / "renamed.tif")
    assert image.calibration.pixel_size == pytest.approx((330.7292, 330.7292))
    assert image.calibration.origin == "tag"
    assert image.metadata.accelerating_voltage_kV == 15


def test_an_older_tag_holds_the_same_text(shared_data: Path) -> None:
    assert "34680" in _read(shared_data, "fei_sfeg_34680.tif").calibration.evidence
    newer = _read(shared_data, "fei_helios_g4_34680_34682_34683.tif").calibration
    assert "34683" in newer.evidence
    assert newer.pixel_size == pytest.approx((385.41666667, 385.41666667), rel=1e-10)


def test_gamma_is_said(shared_data: Path) -> None:
    assert _says(_read(shared_data, "fei_helios_ebeam_8bit.tif"), "gamma 1.6")


def test_an_optical_overview_may_have_large_pixels(shared_data: Path) -> None:
    image = _read(shared_data, "fei_helios_navcam.tif")
    assert image.metadata.mode == "optical"
    assert "accelerating_voltage_kV" not in image.metadata


def test_white_is_zero_is_inverted(shared_data: Path) -> None:
    inverted = _read(shared_data, "plain_miniswhite_dpi300.tif").pixels
    np.testing.assert_array_equal(inverted, _read(shared_data, "plain_dpi96.png").pixels)


def test_nan_pixels_are_kept_and_not_measured(shared_data: Path) -> None:
    image = _read(shared_data, "plain_float32_nan.tif")
    assert np.isnan(image.pixels).sum() == 40 == (~image.field).sum()
    assert _says(image, "40 pixels")


def test_signed_values_stay_negative(shared_data: Path) -> None:
    assert _read(shared_data, "plain_int16_negative.tif").pixels.min() < 0


def test_annotation_of_the_zeiss_palette_is_not_measured(shared_data: Path) -> None:
    image = _read(shared_data, "zeiss_ultra55_512.tif")
    assert image.pixels.ndim == 2
    assert image.pixels[:350].max() <= 255
    assert image.field[383].all()  # below the strip is picture again


def test_the_axiovision_palette_is_mapped_to_grey(shared_data: Path) -> None:
    assert _read(shared_data, "zeiss_axiovision_palette_dpi.tif").axes == "YX"


def test_three_equal_channels_are_one_plane(shared_data: Path) -> None:
    assert _read(shared_data, "fei_rgb_saved_grey.tif").axes == "YX"


def test_loss_is_said(shared_data: Path) -> None:
    image = _read(shared_data, "jeol_8530f_100x.jpg")
    assert image.metadata.lossy is True
    assert _says(image, "with loss")
    assert "lossy" not in _read(shared_data, "jeol_8530f_95x.tif").metadata


def test_the_calibrated_page_of_olympus_comes_first_and_the_preview_by_choice(
    shared_data: Path,
) -> None:
    path = shared_data / "vendor" / "olympus_sis_quemesa.tif"
    assert sem.read(path).page == 1
    preview = sem.read(path, page=0)
    assert not preview.calibration.is_calibrated
    assert preview.pixels.dtype == np.uint8


def test_every_detector_of_a_scan_is_an_image(shared_data: Path) -> None:
    images = sem.read_all(shared_data / "vendor" / "velox_stem_four_detectors.emd")
    assert sorted(image.metadata.detector or "" for image in images) == [
        "BF", "DF2", "DF4", "HAADF",
    ]  # fmt: skip
    assert [image.page for image in images] == [0, 1, 2, 3]


def test_a_negative_cell_is_no_scale(shared_data: Path) -> None:
    image = _read(shared_data, "mrc_negative_cell.mrc")
    assert _says(image, "cell of -80 x -40", "uncalibrated")


def test_a_burnt_in_bar_is_not_measured(shared_data: Path) -> None:
    image = _read(shared_data, "tvips_f416.tif")
    below_left = image.field[image.shape[0] // 2 :, : image.shape[1] // 2]
    assert not below_left.all()


# --- other shared sets ----------------------------------------------------------------------


def test_all_bam_images(shared_data: Path) -> None:
    files = sorted((shared_data / "bam" / "images").glob("*.tif"))
    assert len(files) == 34
    for file in files:
        image = sem.read(file)
        assert image.calibration.pixel_size == (7.34375, 7.34375)
        assert image.data_bar == (712, 766)
        assert image.field[766:].all()
        assert image.pixels.shape == (768, 1024)


@pytest.mark.parametrize(
    ("part", "strip"),
    [("L6_0a6f1870", (630, 692)), ("L6_0a6f78b3", (675, 751)), ("Patteerned_surf", (635, 697))],
)
def test_nffa_originals_keep_their_picture_rows_below_the_strip(
    shared_data: Path, part: str, strip: tuple[int, int]
) -> None:
    file = next(p for p in sorted((shared_data / "nffa").rglob("*")) if part in p.name)
    image = sem.read(file)
    assert image.data_bar == strip
    assert image.field[strip[1] + 3 :].mean() > 0.9
    assert not image.calibration.is_calibrated


@pytest.mark.parametrize(
    ("name", "nm", "rows"),
    [
        ("gelatin_fibres_10pct.tif", 31.006, 884),
        ("gelatin_fibres_20pct.tif", 31.006, 884),
        ("zeiss_merlin_2000x.tif", 55.825, 768),
    ],
)
def test_raw_sem_files(shared_data: Path, name: str, nm: float, rows: int) -> None:
    image = sem.read(shared_data / "more" / "raw-sem" / "images" / name)
    assert image.calibration.pixel_size == pytest.approx((nm, nm), rel=1e-4)
    first = image.data_bar[0] if image.data_bar else image.shape[0]
    assert first == rows


def test_a_record_of_every_file_survives_pickling(shared_data: Path) -> None:
    import pickle

    for name in BY_NAME:
        image = _read(shared_data, name)
        again = pickle.loads(pickle.dumps(image))
        assert again.calibration == image.calibration
        assert again.notes == image.notes


@pytest.mark.parametrize("fraction", [0.3, 0.7, 0.95])
def test_a_truncated_file_is_told_in_a_sentence_or_read_in_part(
    row: dict[str, str], shared_data: Path, tmp_path: Path, fraction: float
) -> None:
    origin = shared_data / "vendor" / row["file"]
    content = origin.read_bytes()
    cut = tmp_path / origin.name
    cut.write_bytes(content[: int(len(content) * fraction)])
    try:
        image = sem.read(cut)
    except SemError as error:
        assert str(error).endswith(".")
        return
    whole = _read(shared_data, row["file"]).calibration
    _no_other_scale(image, whole, float(row["rel_tol"] or 1e-3))


def _no_other_scale(image: Micrograph, whole: object, tolerance: float) -> None:
    """Check that a damaged file never has another scale than the whole one."""
    known = dataclasses.asdict(whole)["pixel_size"]  # type: ignore[call-overload]
    if image.calibration.pixel_size is not None:
        assert known is not None
        assert image.calibration.pixel_size == pytest.approx(known, rel=max(tolerance, 1e-6))
