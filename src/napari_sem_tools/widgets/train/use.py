"""From a finished training to its use: the other widgets offer the new model."""

from __future__ import annotations

import importlib.util
from typing import Any

from qtpy.QtWidgets import QApplication

from napari_sem_tools.errors import SemError
from napari_sem_tools.models import models
from napari_sem_tools.widgets.panel import dock_of

__all__ = ["tell_others", "torch_is_there", "use_model"]

_PLUGIN, _SEGMENT, _CLASSIFY = "napari-sem-tools", "Segment particles", "Classify"


def torch_is_there() -> bool:
    """Say whether PyTorch is installed, without loading it."""
    return importlib.util.find_spec("torch") is not None


def tell_others(viewer: Any) -> None:
    """Let the widgets that are open list their models anew."""
    from napari_sem_tools.widgets.models import ModelsWidget
    from napari_sem_tools.widgets.segment import SegmentWidget

    for widget in _found(viewer, SegmentWidget):
        widget.method.refill()
    for widget in _found(viewer, ModelsWidget):
        widget.refresh()


def use_model(viewer: Any, name: str) -> Any:
    """Show the widget that uses a model: Segment particles, or Classify for categories.

    Parameters
    ----------
    viewer : napari viewer
    name : str
        Of the model.

    Returns
    -------
    SegmentWidget or ClassifyWidget

    Raises
    ------
    SemError
        The model is not in the registry any more.
    """
    card = models.get(name)
    if card is not None and card.task == "classification":
        return _classify_with(viewer, name)
    from napari_sem_tools.widgets.segment import SegmentWidget

    widget = _shown(viewer, SegmentWidget, _SEGMENT)
    widget.method.refill()
    if widget.method.findText(name) < 0:
        raise SemError(f"The model {name} is no longer there.", hint="Look at the Models widget.")
    widget.method.setCurrentText(name)
    return widget


def _classify_with(viewer: Any, name: str) -> Any:
    """Show the widget that names images, with a model as what judges."""
    from napari_sem_tools.widgets.classify.widget import ClassifyWidget

    widget = _shown(viewer, ClassifyWidget, _CLASSIFY)
    if not widget.line.choose_model(name):
        raise SemError(f"The model {name} is no longer there.", hint="Look at the Models widget.")
    return widget


def _shown(viewer: Any, kind: type, title: str) -> Any:
    """Bring a widget of a viewer to the front; it is opened where there is none."""
    widget = next(iter(_found(viewer, kind)), None)
    if widget is None:
        _, widget = viewer.window.add_plugin_dock_widget(_PLUGIN, title)
    dock = dock_of(widget)
    if dock is not None:
        dock.show()
        dock.raise_()
    return widget


def _found(viewer: Any, kind: type) -> list[Any]:
    """Find the widgets of a kind that are open over a viewer."""
    found: list[Any] = []
    for top in QApplication.topLevelWidgets():
        found += [one for one in (top, *top.findChildren(kind)) if isinstance(one, kind)]
    return [one for one in found if one.viewer is viewer]
