"""The window: opening it with images, and the differences between versions of napari."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_sem_tools.errors import SemError

__all__ = ["camera_of", "open_window", "show_scale_bar"]

_PLUGIN = "napari-sem-tools"


def open_window(paths: Sequence[Path], *, on_error: Callable[[SemError], None]) -> None:
    """Open napari with images and stay until it is closed.

    Parameters
    ----------
    paths : sequence of Path
        Read by the suite's own reader, whatever other plugins are installed.
    on_error : callable
        Called with the error of a file that cannot be opened; the others are.
    """
    import napari

    viewer = napari.Viewer(title="napari: SEM tools")
    open_images(viewer, paths, on_error=on_error)
    napari.run()


def open_images(
    viewer: Any, paths: Sequence[Path], *, on_error: Callable[[SemError], None]
) -> None:
    """Open images in a viewer with the suite's own reader; the layers know their files."""
    from napari_sem_tools.layers.files import napari_get_reader
    from napari_sem_tools.reading import read_all

    for path in paths:
        try:
            if napari_get_reader(str(path)) is None:
                read_all(path)  # says in a sentence why not
            viewer.open(str(path), plugin=_PLUGIN)
        except SemError as error:
            on_error(error)
    if len(viewer.layers):
        show_scale_bar(viewer)


def camera_of(viewer: Any) -> Any:
    """Return the camera of a viewer; napari 0.9 moved it into the scene."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def show_scale_bar(viewer: Any) -> None:
    """Switch the scale bar on; napari 0.9 moved it to the canvas."""
    canvas = getattr(viewer, "canvas", None)
    bar = viewer.scale_bar if canvas is None else canvas.overlays.scale_bar
    bar.visible = True
