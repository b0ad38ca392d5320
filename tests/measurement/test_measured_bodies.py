"""Labels of a stack measured as bodies: volume, surface, axes and what is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import regionprops_table

from napari_sem_tools.errors import InvalidSettings, NotCalibrated
from napari_sem_tools.measurement import VOLUME_COLUMNS, MeasureSettings, measure
from napari_sem_tools.micrograph import Calibration, Metadata, Micrograph

BODIES = MeasureSettings(stack="bodies", slice_nm=5.0, engine="numpy")
NM = (5.0, 2.0, 3.0)  # distance of slices, height and width of a pixel


def stack(labels: np.ndarray, size: tuple[float, float] | None = NM[1:]) -> Micrograph:
    calibration = Calibration(size, "typed") if size else Calibration()
    grey = np.random.default_rng(0).integers(0, 200, labels.shape).astype(np.uint8)
    return Micrograph(grey, calibration)


def test_a_cuboid_has_its_volume_surface_axes_and_place() -> None:
    labels = np.zeros((9, 14, 20), int)
    labels[2:6, 3:9, 4:14] = 7  # 4 x 6 x 10 voxels, 20 x 12 x 30 nm
    row = measure(labels, stack(labels), settings=BODIES).loc[7]
    assert row["volume_px"] == 240 and row["volume_nm3"] == 240 * 30
    assert row["esd_nm"] == pytest.approx((6 * 7200 / np.pi) ** (1 / 3))
    assert row["surface_nm2"] == pytest.approx(4 / 3 * (20 * 12 + 12 * 30 + 20 * 30))
    assert (row["centroid_z_px"], row["centroid_y_px"], row["centroid_x_px"]) == (3.5, 5.5, 8.5)
    sides = [3**2 * (10**2 - 1), 5**2 * (4**2 - 1), 2**2 * (6**2 - 1)]
    axes = sorted((2 * np.sqrt(5 * s / 12) for s in sides), reverse=True)
    assert [row[f"axis_{k}_nm"] for k in (1, 2, 3)] == pytest.approx(axes)
    assert not row["edge"] and row["included"]


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0)])
def test_a_ball_has_its_diameter_and_a_sphericity_of_one(voxel: tuple[float, ...]) -> None:
    z, y, x = np.mgrid[-32:33, -32:33, -32:33] * np.reshape(voxel, (3, 1, 1, 1)) + 0.3
    ball = (np.sqrt(z**2 + y**2 + x**2) <= 25).astype(int)
    settings_ = BODIES.replace(slice_nm=voxel[0])
    row = measure(ball, stack(ball, (1.0, 1.0)), settings=settings_).loc[1]
    assert row["esd_nm"] == pytest.approx(50, rel=2e-3)
    assert row["sphericity"] == pytest.approx(1, abs=0.02)
    assert [row[f"axis_{k}_nm"] for k in (1, 2, 3)] == pytest.approx([50] * 3, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=8),
                  elements=st.integers(0, 4)))  # fmt: skip
def test_bodies_agree_with_scikit_image_and_with_counting(labels: np.ndarray) -> None:
    image = stack(labels, None)
    table = measure(labels, image, settings=BODIES)
    names = ("area", "centroid", "bbox", "intensity_mean", "inertia_tensor_eigvals")
    truth = regionprops_table(labels, np.asarray(image.pixels), properties=names)
    if not len(table):
        return
    assert not [name for name in table if "nm" in name]
    assert table["volume_px"].to_numpy() == pytest.approx(truth["area"])
    for k, axis in enumerate("zyx"):
        assert table[f"centroid_{axis}_px"].to_numpy() == pytest.approx(truth[f"centroid-{k}"])
    assert table["intensity_mean_grey"].to_numpy() == pytest.approx(truth["intensity_mean"])
    nm = measure(labels, stack(labels), settings=BODIES)
    for label in nm.index:
        mask = np.pad(labels == label, 1)
        faces = [np.count_nonzero(np.diff(mask.astype(int), axis=k) == 1) for k in range(3)]
        area = [NM[1] * NM[2], NM[0] * NM[2], NM[0] * NM[1]]
        assert nm.loc[label, "surface_nm2"] == pytest.approx(4 / 3 * np.dot(faces, area))


def test_a_body_at_any_side_of_the_stack_is_cut() -> None:
    for axis in range(3):
        for end in (0, -1):
            labels = np.zeros((8, 9, 10), int)
            labels[3:5, 3:5, 3:5] = 1
            np.moveaxis(labels, axis, 0)[end, 4, 4] = 2
            table = measure(labels, stack(labels), settings=BODIES)
            assert table["edge"].tolist() == [False, True]
            assert table["doubt_reason"].tolist() == ["", "edge"]


def test_the_distance_of_slices_comes_from_the_file_or_is_asked_for() -> None:
    labels = np.zeros((4, 9, 9), int)
    labels[1:3, 2:5, 2:5] = 1
    asked = BODIES.replace(slice_nm=0)
    with pytest.raises(NotCalibrated, match="slices"):
        measure(labels, stack(labels), settings=asked)
    said = stack(labels).replace(metadata=Metadata(frame_spacing=0.01, frame_unit="um"))
    assert measure(labels, said, settings=asked).loc[1, "volume_nm3"] == 18 * 10 * 2 * 3
    with pytest.raises(InvalidSettings, match="fit"):
        measure(labels, stack(labels[:3]), settings=BODIES)


@pytest.mark.parametrize("row", [row for row, _ in VOLUME_COLUMNS], ids=lambda row: row.name)
def test_every_column_of_bodies_says_its_unit_formula_and_source(row) -> None:
    assert row.formula and row.source and row.title
    assert row.needs_calibration == (row.unit in ("nm", "nm2", "nm3"))
