"""The window of ``sem-tools gui``: napari with images opened by our reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_sem_tools.errors import SemError

__all__ = ["open_window"]


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
    from napari.layers import Layer

    from napari_sem_tools.layers.files import read_layers

    viewer = napari.Viewer(title="napari: SEM tools")
    for path in paths:
        try:
            for data in read_layers(str(path)):
                viewer.add_layer(Layer.create(*data))
        except SemError as error:
            on_error(error)
    napari.run()
