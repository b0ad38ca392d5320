"""Sizes of the manual masks of the TiO2 set are those that are stated, image by image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_sem_tools.measurement import MeasureSettings, measure, pool
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.statistics import summarize

pytestmark = pytest.mark.data

# image; objects, kept; ECD mean, median, SD; mean Feret min, max; corner min, max; of >= 9 px:
# number, ECD mean, median, SD.  Pixels of 7.34375 nm, rows 0 to 711, cut within 1 px of the edge.
_TEXT = """
1908248 143 140 165.73 179.84 97.69 147.53 214.67 149.57 217.70 121 190.03 190.77 81.64
1908250 26 26 167.03 178.86 75.82 155.10 218.66 158.24 221.79 24 180.25 185.44 62.24
1908252 101 92 174.18 167.28 92.09 157.07 216.42 159.29 219.62 83 192.05 176.37 78.14
1908254 123 119 196.94 198.01 92.13 176.45 253.85 178.39 256.92 112 208.52 202.38 81.98
1908256 234 222 159.75 156.35 90.88 142.39 207.53 144.50 210.65 197 178.59 171.23 78.39
1908258 36 36 206.97 203.88 70.16 185.32 256.35 187.86 259.43 36 206.97 203.88 70.16
1908260 77 74 189.83 193.09 94.34 172.21 245.64 174.39 248.98 69 202.98 199.05 83.40
1908264 52 52 201.51 198.25 85.29 181.44 254.00 183.76 257.10 49 213.27 205.67 72.67
1908266 16 15 255.97 240.02 53.49 230.72 311.38 232.80 314.54 15 255.97 240.02 53.49
1908270 42 40 220.44 224.86 79.61 200.13 274.02 202.81 277.37 40 220.44 224.86 79.61
1908272 51 49 190.66 188.96 87.54 171.17 242.97 173.54 246.23 47 198.42 193.81 80.56
1908274 158 148 170.00 169.01 83.47 153.53 220.13 155.62 223.09 141 177.90 173.23 77.37
1908276 148 144 174.76 176.76 89.20 154.69 228.25 157.19 231.44 135 185.65 181.55 81.10
1908280 103 92 187.21 191.12 87.31 165.82 242.80 168.21 245.88 88 195.28 195.04 80.37
1908286 70 70 177.50 175.36 69.54 155.80 229.95 157.95 233.06 69 179.74 178.50 67.47
1908288 57 57 185.95 183.62 78.73 167.35 241.26 169.29 244.48 56 189.06 185.56 75.82
1908290 54 54 174.37 163.01 78.96 153.54 223.00 155.79 226.02 52 180.75 170.14 73.18
1908292 378 359 168.66 176.17 86.61 151.87 215.70 154.00 218.82 333 180.94 179.65 77.46
1908294 166 156 176.27 183.13 88.08 156.54 228.78 159.08 231.77 146 187.67 195.39 79.06
1908296 298 281 162.59 166.97 81.47 145.14 211.95 147.45 214.96 263 173.01 172.63 73.43
1908298 65 65 191.50 199.22 82.95 170.73 251.06 172.95 254.14 64 194.17 199.48 80.73
1908300 131 127 146.55 148.47 88.25 131.42 190.67 133.74 193.76 114 162.03 162.89 79.52
1908302 198 177 145.80 144.00 84.91 129.26 196.18 131.57 199.23 161 159.34 153.24 76.74
1908306 220 220 157.19 161.22 88.53 139.83 205.04 142.27 208.16 197 174.18 174.02 77.32
1908308 77 77 132.64 142.33 96.17 115.67 177.53 117.90 180.42 59 169.32 179.84 79.10
1908310 87 86 149.74 165.32 94.63 134.39 189.38 136.88 192.46 71 179.12 187.14 76.48
1908312 101 101 147.09 150.76 94.60 131.77 193.16 133.94 196.15 89 165.70 162.59 84.98
1908314 282 274 156.92 158.53 89.00 140.32 204.87 142.56 207.82 246 173.68 172.13 77.89
1908316 76 76 150.81 154.36 89.04 133.91 201.52 136.14 204.47 67 169.64 160.47 77.27
1908318 290 275 148.16 151.44 85.90 130.85 194.27 133.07 197.20 240 168.08 164.59 72.97
1908320 571 508 145.81 148.12 85.23 129.60 195.15 131.92 198.17 451 162.88 159.61 74.70
1908322 182 177 142.90 145.43 87.15 126.65 191.68 128.96 194.76 157 159.76 157.88 77.67
1908324 299 287 140.98 136.41 85.96 127.82 183.53 130.02 186.53 249 160.82 152.57 74.38
1908326 604 577 138.88 140.14 78.85 123.80 185.44 126.16 188.48 526 151.41 149.27 71.00
"""
STATED = {row[0]: tuple(map(float, row[1:])) for row in map(str.split, _TEXT.split("\n")) if row}
FERETS = ["feret_min_nm", "feret_max_nm", "feret_corner_min_nm", "feret_corner_max_nm"]
KEEP = MeasureSettings(leave_out_doubtful=False, edge_margin_px=2, intensity=False)
TO_THE_DIGIT = 0.005 + 1e-9


@pytest.fixture(scope="module")
def tables(shared_data: Path) -> dict[str, pd.DataFrame]:
    """Measure all 34 masks; their labels are the connected parts of the masks."""
    ndimage, imread = pytest.importorskip("scipy.ndimage"), pytest.importorskip("skimage.io").imread
    found = {}
    for path in sorted((shared_data / "bam" / "masks").glob("*")):
        mask = imread(path) > 0
        mask[712:] = False
        image = Micrograph(
            np.zeros(mask.shape, np.uint8),
            Calibration((7.34375, 7.34375), "tag"),
            data_bar=(712, mask.shape[0]),
            source=path,
        )
        found[path.stem] = measure(ndimage.label(mask)[0], image, settings=KEEP)
    return found


def test_the_set_has_the_images_that_are_stated(tables: dict[str, pd.DataFrame]) -> None:
    assert sorted(tables) == sorted(STATED) and len(STATED) == 34


@pytest.mark.parametrize("name", STATED)
def test_sizes_of_an_image_are_those_stated(tables: dict[str, pd.DataFrame], name: str) -> None:
    table = tables[name]
    kept = table[table["included"]]
    ecd, large = kept["ecd_nm"], kept.loc[kept["area_px"] >= 9, "ecd_nm"]
    found = (
        len(table),
        len(kept),
        ecd.mean(),
        ecd.median(),
        ecd.std(),
        *kept[FERETS].mean(),
        len(large),
        large.mean(),
        large.median(),
        large.std(),
    )
    assert found == pytest.approx(STATED[name], abs=TO_THE_DIGIT)


@pytest.mark.parametrize(
    ("margin", "min_px", "stated"),
    [
        (2, 1, (5253, 158.91, 87.88, 27.48, 160.68, 271.82, 141.89, 207.48, 144.16, 210.53)),
        (2, 9, (4767, 174.02, 77.72, 70.41, 170.83, 276.78, 155.67, 227.35, 157.99, 230.43)),
        (2, 30, (4587, 179.48, 74.05, 82.03, 174.41, 279.15, 160.80, 233.76, 163.13, 236.86)),
        (1, 1, (5409, 158.46, 87.51, 29.17, 160.04, 270.58, 141.20, 207.67, 143.43, 210.70)),
        (0, 1, (5516, 158.07, 87.36, 29.88, 159.39, 270.30, 140.60, 207.66, 142.80, 210.68)),
    ],
)
def test_pooled_sizes_are_those_stated(
    tables: dict[str, pd.DataFrame], margin: int, min_px: int, stated: tuple[float, ...]
) -> None:
    whole = pool(list(tables.values()))
    top, left = whole["box_top_px"], whole["box_left_px"]
    bottom, right = top + whole["box_height_px"], left + whole["box_width_px"]
    free = (top >= margin) & (left >= margin) & (bottom <= 712 - margin) & (right <= 1024 - margin)
    kept = whole[free & (whole["area_px"] >= min_px)].assign(included=True)
    if margin == 2 and min_px == 1:
        assert kept.index.equals(whole.index[whole["included"]])
    size = summarize(kept)
    found = (size.n, size.mean, size.sd, size.d10, size.d50, size.d90, *kept[FERETS].mean())
    assert found == pytest.approx(stated, abs=TO_THE_DIGIT)
