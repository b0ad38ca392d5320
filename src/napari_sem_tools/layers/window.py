"""The differences between versions of napari, in one place."""

from __future__ import annotations

from typing import Any

__all__ = ["camera_of", "show_scale_bar"]


def camera_of(viewer: Any) -> Any:
    """Return the camera of a viewer; napari 0.9 moved it into the scene."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def show_scale_bar(viewer: Any) -> None:
    """Switch the scale bar on; napari 0.9 moved it to the canvas."""
    canvas = getattr(viewer, "canvas", None)
    bar = viewer.scale_bar if canvas is None else canvas.overlays.scale_bar
    bar.visible = True
