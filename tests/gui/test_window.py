"""What ``sem-tools gui`` opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sem_tools.errors import SemError
from napari_sem_tools.layers.window import camera_of, open_images
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.tiff import write_tiff


def test_images_open_with_their_scale_and_a_bad_file_is_named(
    model: Any, discs: Micrograph, tmp_path: Path
) -> None:
    good = write_tiff(tmp_path / "good.tif", discs.pixels, calibration=discs.calibration)
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"nothing")
    errors: list[SemError] = []
    open_images(model, [bad, good], on_error=errors.append)
    assert [layer.name for layer in model.layers] == ["good"]
    assert Path(model.layers[0].source.path) == good
    assert "bad.tif" in str(errors[0])


def test_the_camera_of_a_viewer_is_found(model: Any) -> None:
    camera_of(model).center = (0.0, 3.0, 4.0)
    assert tuple(camera_of(model).center)[-2:] == (3.0, 4.0)
