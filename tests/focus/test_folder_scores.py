"""A folder becomes a table: a row a file, unreadable ones named with their reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_sem_tools.errors import Cancelled
from napari_sem_tools.focus.files.folder import score_files, scores_table
from napari_sem_tools.micrograph import Calibration
from napari_sem_tools.tiff import write_tiff


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of one texture, the second defocused, and a file that is none."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:160, :200]
    scene = 90.0 * (((x // 17) + (y // 23)) % 2) + 60
    for name, blur, scale in (("frame2", 0.7, (2.0, 2.0)), ("frame10", 3.0, None)):
        picture = gaussian_filter(scene, blur) + rng.normal(0, 3, scene.shape)
        calibration = Calibration(scale, "typed", "test") if scale else Calibration()
        pixels = picture.clip(0, 255).astype(np.uint8)
        write_tiff(tmp_path / f"{name}.tif", pixels, calibration=calibration)
    (tmp_path / "broken.tif").write_bytes(b"II*\0 and no more")
    return tmp_path


def test_each_file_has_its_score_or_its_reason(folder: Path) -> None:
    heard = []
    rows = score_files(folder, heard=lambda row, image: heard.append((row.file.name, image)))
    assert [row.file.name for row in rows] == ["broken.tif", "frame2.tif", "frame10.tif"]
    assert [name for name, _ in heard] == [row.file.name for row in rows]
    broken, sharp, poor = rows
    assert broken.score is None
    assert "broken.tif" in broken.error
    assert heard[0][1] is None
    assert sharp.score is not None
    assert poor.score is not None
    assert sharp.score.score > poor.score.score
    assert sharp.score.blur_nm == pytest.approx(2 * (sharp.score.blur_px or 0))
    assert poor.score.blur_nm is None


def test_the_table_has_nm_only_where_a_file_has_a_scale(folder: Path) -> None:
    rows = score_files(folder)
    table = scores_table(rows, marks={rows[2].file: "reject"})
    assert list(table["mark"]) == ["", "", "reject"]
    assert table["blur_nm"].notna().tolist() == [False, True, False]
    assert "blur_nm" not in scores_table([rows[2]])
    assert scores_table([]).columns[0] == "file"


def test_it_stops_between_two_files(folder: Path) -> None:
    seen: list[Path] = []
    with pytest.raises(Cancelled):
        score_files(
            folder, heard=lambda row, _: seen.append(row.file), cancel=lambda: len(seen) > 1
        )
    assert len(seen) == 2
