"""Files for other programs: what is read back is what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.draw import polygon2mask

import napari_sem_tools as sem
from napari_sem_tools.errors import InvalidSettings, SemError
from napari_sem_tools.reading import read_regions, region_mask
from napari_sem_tools.reporting import LabelledImage
from napari_sem_tools.reporting.exports import (
    write_coco,
    write_geojson,
    write_parquet,
    write_rois,
    write_workbook,
)

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
LABELS = hnp.arrays(np.int32, SHAPES, elements=st.integers(0, 4))
FOLDER = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def scene() -> np.ndarray:
    """A ring, two discs that touch, a particle in two parts, one at the edge."""
    labels = np.zeros((40, 50), np.int32)
    y, x = np.mgrid[:40, :50]
    distance = np.hypot(y - 10, x - 10)
    labels[(distance < 8) & (distance > 3)] = 1
    labels[(y - 28) ** 2 + (x - 12) ** 2 < 40] = 2
    labels[((y - 28) ** 2 + (x - 23) ** 2 < 30) & (labels == 0)] = 5
    labels[5:9, 30:34] = labels[9:12, 34:37] = 9
    labels[36:, 40:] = 12
    return labels


def measured(nm: tuple[float, float] | None = (2.0, 2.0)) -> LabelledImage:
    labels = scene()
    calibration = sem.Calibration(nm, "typed") if nm else sem.Calibration()
    image = sem.Micrograph(np.full(labels.shape, 90, np.uint8), calibration=calibration)
    with np.errstate(all="ignore"):
        table = sem.measure(labels, image)
    return LabelledImage("a", labels, table, file="a.tif", calibration=calibration, sha256="ab")


def fill(shape: tuple[int, int], rings: list[list[list[float]]]) -> np.ndarray:
    """Fill rings of (x, y) from the corner by the rule of even and odd crossings."""
    mask = np.zeros(shape, bool)
    for ring in rings:
        mask ^= polygon2mask(shape, np.asarray(ring, float)[:, ::-1] - 0.5)
    return mask


# --- ImageJ ---------------------------------------------------------------------------------


def rois_to_labels(path: Path, shape: tuple[int, int]) -> np.ndarray:
    import roifile

    again = np.zeros(shape, np.int32)
    read = roifile.roiread(path)
    for roi in read if isinstance(read, list) else [read]:
        rings = [ring.tolist() for ring in roi.coordinates(multi=True)]
        again[fill(shape, rings)] = int(roi.name)
    return again


@FOLDER
@given(labels=LABELS)
def test_rois_filled_again_are_the_labels(labels: np.ndarray, tmp_path: Path) -> None:
    path = write_rois(tmp_path / "a.zip", LabelledImage("a", labels))
    if labels.any():
        np.testing.assert_array_equal(rois_to_labels(path, labels.shape), labels)


def test_rois_carry_number_box_and_the_colour_of_what_became_of_the_particle(
    tmp_path: Path,
) -> None:
    import roifile

    image = measured()
    rois = {roi.name: roi for roi in roifile.roiread(write_rois(tmp_path / "a.zip", image))}
    assert set(rois) == {"1", "2", "5", "9", "12"}
    assert (rois["12"].left, rois["12"].top, rois["12"].right, rois["12"].bottom) == (
        40,
        36,
        50,
        40,
    )
    assert image.table.loc[12, "edge"]
    assert rois["12"].stroke_color != rois["2"].stroke_color
    assert rois["12"].stroke_color[0:1] == b"\xff"


def test_a_roi_is_read_as_a_region_of_exactly_its_pixels(tmp_path: Path) -> None:
    labels = np.where(scene() == 1, 1, 0)
    path = write_rois(tmp_path / "a.zip", LabelledImage("a", labels))
    np.testing.assert_array_equal(region_mask(path, labels.shape), labels == 1)


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_rois(tmp_path / "a.zip", measured()).read_bytes()
    assert write_rois(tmp_path / "b.zip", measured()).read_bytes() == first


def test_images_beyond_imagejs_corners_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="60535"):
        write_rois(tmp_path / "a.zip", LabelledImage("a", np.zeros((1, 60_536), np.uint8)))
    wide = np.zeros((2, 60_000), np.uint8)
    wide[:, 59_990:] = 1
    path = write_rois(tmp_path / "a.zip", LabelledImage("a", wide))
    np.testing.assert_array_equal(rois_to_labels(path, wide.shape), wide)


# --- GeoJSON --------------------------------------------------------------------------------


def polygons_of(feature: dict) -> list[list]:
    coordinates = feature["geometry"]["coordinates"]
    return coordinates if feature["geometry"]["type"] == "MultiPolygon" else [coordinates]


@FOLDER
@given(labels=LABELS)
def test_geojson_filled_again_is_the_labels(labels: np.ndarray, tmp_path: Path) -> None:
    content = json.loads(write_geojson(tmp_path / "a.json", LabelledImage("a", labels)).read_text())
    again = np.zeros_like(labels)
    for feature in content["features"]:
        for rings in polygons_of(feature):
            assert all(ring[0] == ring[-1] and len(ring) > 4 for ring in rings)
            again[fill(labels.shape, rings)] = feature["properties"]["label"]
    np.testing.assert_array_equal(again, labels)


def test_geojson_properties_are_the_row_of_the_table(tmp_path: Path) -> None:
    image = measured()
    content = json.loads(write_geojson(tmp_path / "a.geojson", image).read_text("utf-8"))
    assert content["properties"]["pixel_size_nm"] == [2.0, 2.0]
    assert [f["properties"]["name"] for f in content["features"]] == ["1", "2", "5", "9", "12"]
    for feature in content["features"]:
        row = image.table.loc[feature["properties"]["label"]]
        for name, value in row.items():
            told = feature["properties"][name]
            assert told == value or (told is None and pd.isna(value)), name
        assert feature["properties"]["measurements"]["ecd_nm"] == row["ecd_nm"]
        assert feature["properties"]["objectType"] == "detection"
    assert content["features"][-1]["properties"]["classification"]["name"] == "cut by the edge"


def test_geojson_outlines_are_where_the_particles_are_when_read_as_regions(tmp_path: Path) -> None:
    labels = scene()
    path = write_geojson(tmp_path / "a.geojson", LabelledImage("a", labels))
    assert len(read_regions(path)) == 6
    np.testing.assert_array_equal(region_mask(path, labels.shape), labels > 0)


# --- COCO -----------------------------------------------------------------------------------


def decoded(segmentation: dict) -> np.ndarray:
    rows, columns = segmentation["size"]
    counts = segmentation["counts"]
    values = np.repeat(np.arange(len(counts)) % 2, counts)
    assert values.size == rows * columns
    return values.reshape(columns, rows).T.astype(bool)


@FOLDER
@given(labels=LABELS)
def test_coco_masks_areas_and_boxes_are_those_of_the_labels(
    labels: np.ndarray, tmp_path: Path
) -> None:
    content = json.loads(write_coco(tmp_path / "a.json", [LabelledImage("a", labels)]).read_text())
    again = np.zeros_like(labels)
    for annotation in content["annotations"]:
        mask = decoded(annotation["segmentation"])
        again[mask] = annotation["attributes"]["label"]
        rows, columns = np.nonzero(mask)
        assert annotation["area"] == mask.sum()
        assert annotation["bbox"] == [
            columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
        ]  # fmt: skip
    np.testing.assert_array_equal(again, labels)


def test_coco_holds_several_images_and_their_classes(tmp_path: Path) -> None:
    first = measured()
    table = first.table.assign(**{"class": ["rod", "disc", "disc", "", "rod"]})
    second = LabelledImage("b", first.labels, table, file="b.tif")
    content = json.loads(write_coco(tmp_path / "c.json", [first, second]).read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.tif", "b.tif"]
    assert [a["id"] for a in content["annotations"]] == list(range(1, 11))
    assert [a["image_id"] for a in content["annotations"]] == [1] * 5 + [2] * 5
    names = {one["id"]: one["name"] for one in content["categories"]}
    told = [names[a["category_id"]] for a in content["annotations"]]
    assert told == ["particle"] * 5 + ["rod", "disc", "disc", "particle", "rod"]
    with pytest.raises(InvalidSettings, match=r"a\.tif"):
        write_coco(tmp_path / "d.json", [first, first])


# --- tables ---------------------------------------------------------------------------------


def test_a_workbook_keeps_every_number_and_runs_no_text(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    table = measured().table
    table.loc[2, "image"] = '=HYPERLINK("http://x")'
    texts = pd.DataFrame({"what": ["\x07bell", "x" * 40_000, "-1"], "n": [np.inf, np.nan, 3.5]})
    path = write_workbook(
        tmp_path / "a.xlsx", {"particles": table, "method": texts}, titles={"ecd_nm": "ecd [nm]"}
    )
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["particles", "method"]
    sheet = book["particles"]
    head = [cell.value for cell in sheet[1]]
    assert sheet.freeze_panes == "B2"
    assert sheet["A1"].font.bold
    read = pd.DataFrame(sheet.iter_rows(min_row=2, values_only=True), columns=head)
    np.testing.assert_array_equal(read["label"], table.index)
    np.testing.assert_array_equal(read["ecd [nm]"], table["ecd_nm"])
    np.testing.assert_array_equal(read["solidity"], table["solidity"])
    assert read["edge"].tolist() == table["edge"].tolist()
    cell = sheet.cell(3, head.index("image") + 1)
    assert (cell.value, cell.data_type) == ('=HYPERLINK("http://x")', "s")
    rows = list(book["method"].iter_rows(min_row=2, values_only=True))
    assert rows[0] == (" bell", None)
    assert len(rows[1][0]) == 32_767
    assert rows[2] == ("-1", 3.5)


@pytest.mark.parametrize("name", ["a/b", "", "x" * 32])
def test_a_sheet_that_no_workbook_can_hold_is_refused(name: str, tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    with pytest.raises(InvalidSettings):
        write_workbook(tmp_path / "a.xlsx", {name: pd.DataFrame({"a": [1]})})
    many = pd.DataFrame({"a": np.zeros(1_048_576, np.int8)})
    with pytest.raises(InvalidSettings, match="1048576"):
        write_workbook(tmp_path / "a.xlsx", {"a": many})
    assert not list(tmp_path.iterdir())


def test_parquet_gives_back_the_table_and_says_the_units(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    table = measured().table
    table.attrs["doubt"] = float("nan")
    path = write_parquet(
        tmp_path / "a.parquet", table, columns={"ecd_nm": {"unit": "nm", "formula": "√(4A/π)"}},
        metadata={"calibration": sem.Calibration((2, 2), "typed").describe()},
    )  # fmt: skip
    again = pd.read_parquet(path)
    assert again.index.dtype == np.int32
    assert again.attrs["doubt"] is None
    assert again["image"].dtype == "category"
    for name in table:
        expected = table[name].astype(again[name].dtype)
        pd.testing.assert_series_equal(again[name], expected, check_index_type=False)
    schema = pq.read_schema(path)
    assert schema.field("ecd_nm").metadata == {b"unit": b"nm", b"formula": "√(4A/π)".encode()}
    assert "2" in json.loads(schema.metadata[b"napari_sem_tools"])["calibration"]


def test_pixels_that_are_not_square_keep_nm_in_the_rows_and_px_in_the_outlines(
    tmp_path: Path,
) -> None:
    image = measured((4.0, 2.0))
    content = json.loads(write_geojson(tmp_path / "a.geojson", image).read_text())
    assert content["properties"]["pixel_size_nm"] == [4.0, 2.0]
    feature = content["features"][-1]  # 4 rows of 10 px at the corner
    assert feature["geometry"]["coordinates"] == [
        [[40, 36], [50, 36], [50, 40], [40, 40], [40, 36]]
    ]
    assert feature["properties"]["area_nm2"] == pytest.approx(40 * 4.0 * 2.0)


def test_labels_that_the_table_does_not_know_are_named(tmp_path: Path) -> None:
    image = measured()
    short = LabelledImage("a", image.labels, image.table.drop(index=5))
    for write in (write_geojson, lambda path, one: write_coco(path, [one])):
        with pytest.raises(InvalidSettings, match="label 5"):
            write(tmp_path / "x.json", short)
    with pytest.raises(InvalidSettings, match="two rows"):
        LabelledImage("a", image.labels, pd.concat([image.table, image.table]))
    with pytest.raises(InvalidSettings, match="one plane"):
        LabelledImage("a", np.zeros((2, 3, 3), int))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", range(5))
def test_a_place_that_cannot_be_written_gives_one_sentence(number: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "x"
    image = measured()
    for needed in {3: ["pyarrow"], 4: ["openpyxl"]}.get(number, []):
        pytest.importorskip(needed)
    write = [
        lambda: write_rois(path, image),
        lambda: write_geojson(path, image),
        lambda: write_coco(path, [image]),
        lambda: write_parquet(path, image.table),
        lambda: write_workbook(path, {"a": image.table}),
    ][number]
    with pytest.raises(SemError, match="could not be written"):
        write()
