"""The methods by name, models of the registry among them, and the one function that runs them."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib.util
import logging
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings, SemError
from napari_sem_tools.micrograph import Micrograph, Segmentation
from napari_sem_tools.segmentation.settings import ThresholdSettings
from napari_sem_tools.settings import Settings
from napari_sem_tools.tasks import Cancel, Progress, part_of, report, stop_if_cancelled

__all__ = [
    "METHODS",
    "Choice",
    "Method",
    "available_methods",
    "choose_method",
    "segment",
    "segment_stack",
]

_log = logging.getLogger(__name__)

Run: TypeAlias = Callable[..., Segmentation]


class Method:
    """A row of the table of methods.

    Parameters
    ----------
    settings : type of Settings
        The record that the method takes.
    run : callable
        ``run(image, field, settings, progress, cancel) -> Segmentation``.
    help : str
        One line for forms and lists.
    """

    def __init__(self, settings: type[Settings], run: Run, help: str) -> None:
        self.settings, self.run, self.help = settings, run, help


def _threshold(
    image: Micrograph,
    field: NDArray[np.bool_] | None,
    *,
    settings: ThresholdSettings,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Segmentation:
    """Run the classical method once."""
    from napari_sem_tools.segmentation.threshold import ThresholdSession

    report(progress, 0, 2, "preparing")
    session = ThresholdSession(image, field=field)
    stop_if_cancelled(cancel)
    report(progress, 1, 2, "finding particles")
    found = session.segmentation(settings)
    stop_if_cancelled(cancel)
    report(progress, 2, 2, "done")
    return found


METHODS: dict[str, Method] = {
    "threshold": Method(ThresholdSettings, _threshold, "grey level and valleys; no network"),
}
_DEFAULT = "threshold"
_BEST = "particles"  # the model that is taken when nobody names a method
_HELP = 120  # characters of a description that fit into a list
_MODELS = "segmentation"  # task of the models that are methods


@dataclasses.dataclass(frozen=True)
class Choice:
    """A method by name, its row, and why it was chosen; no reason when it was asked for."""

    name: str
    row: Method
    reason: str = ""


def available_methods() -> dict[str, Method]:
    """List what `segment` can do here: the table, and every model that segments.

    Returns
    -------
    dict of Method
        By name, the methods without a network first.  Nothing is loaded.

    Examples
    --------
    >>> next(iter(available_methods()))
    'threshold'
    """
    from napari_sem_tools.models import models

    cards = [entry.card for entry in models.on_disk.entries() if entry.card.task == _MODELS]
    return METHODS | {card.name: _network(card) for card in cards}


def choose_method(
    name: str | None = None, settings: object = None, *, load: bool = False
) -> Choice:
    """Find a method by name, or the best one that is installed.

    Parameters
    ----------
    name : str, optional
        A row of `METHODS` or a model; None: the model ``particles`` where it and PyTorch
        are there, else ``threshold``.
    settings : Settings, optional
        Those that will be given: without a name they tell a row of `METHODS`.
    load : bool
        Load PyTorch before its network is chosen, which takes seconds, so that one that is
        installed but broken is passed over.  A method asked for by name is never replaced.

    Returns
    -------
    Choice

    Raises
    ------
    InvalidSettings
        There is no such method.

    Examples
    --------
    >>> choose_method("threshold").row.settings.__name__
    'ThresholdSettings'
    """
    if name is None and settings is not None:
        rows = (row for row in METHODS if isinstance(settings, METHODS[row].settings))
        name = next(rows, None)
    if name is None:
        lack = _lack_of_best(load=load)
        name = _DEFAULT if lack else _BEST
        reason = f"Segmented with {name}, " + (f"because {lack}." if lack else "the best there is.")
        _log.info(reason)
        return Choice(name, METHODS[name] if lack else _network(_card(name)), reason)
    if name in METHODS:
        return Choice(name, METHODS[name])
    from napari_sem_tools.models import models

    card = models.get(name)
    if card is not None and card.task == _MODELS:
        return Choice(name, _network(card, asked=name))
    known = available_methods()
    near = difflib.get_close_matches(str(name), known, n=1) or sorted(known)
    what = "" if card is None else f" {card.key} is a model for {card.task}."
    raise InvalidSettings(
        f"There is no segmentation method {name!r}.{what}", hint=f"Try {' or '.join(near)}."
    )


def _card(name: str) -> Any:
    """Return the card of a model that is there."""
    from napari_sem_tools.models import models

    return models.get(name)


def _network(card: Any, *, asked: str = "") -> Method:
    """Make the row of a model, by what its network gives."""
    from napari_sem_tools.segmentation.network import MAPS, NetworkSettings, segment_by_network
    from napari_sem_tools.segmentation.semantic import SemanticSettings, segment_by_classes

    help = textwrap.shorten(card.description or "a network", _HELP)
    name = asked or card.name
    names = tuple(channel.name for channel in card.outputs)
    if names == MAPS or not names:
        return Method(NetworkSettings, functools.partial(segment_by_network, name), help)
    return Method(SemanticSettings, functools.partial(segment_by_classes, name), help)


def _lack_of_best(*, load: bool) -> str:
    """Say why the best model cannot be used; empty when it can."""
    from napari_sem_tools.models import models

    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    card = models.get(_BEST)
    if card is None or card.task != _MODELS:
        return f"there is no model {_BEST!r}"
    if load:
        from napari_sem_tools.models import runtime

        try:
            runtime.torch()
        except SemError as error:
            return f"PyTorch does not work here ({error.message.rstrip('.')})"
    return ""


def segment(
    image: Any,
    method: str | None = None,
    *,
    settings: Settings | None = None,
    roi: Any = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Segmentation:
    """Find the particles of a micrograph.

    Parameters
    ----------
    image : path, Micrograph, layer or array (Y, X)
    method : str, optional
        A row of `METHODS`, or a model of the registry by its name; None chooses the best
        one installed, and says so in the log and in the notes of the result.
    settings : Settings, optional
        The record of the method, e.g. `ThresholdSettings`; None: everything by itself.
    roi : bool array (Y, X) or list of polygons in px, optional
        Region to look at; the rest is left out.
    progress : callable, optional
        Called as ``progress(done, total, what)``.
    cancel : callable, optional
        Returns True to stop; `Cancelled` is raised then.

    Returns
    -------
    Segmentation
        Labels int32 on the grid of the image, 0 outside its field.

    Raises
    ------
    InvalidSettings
        No such method, a stack, or settings that belong to another method.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((64, 64), np.uint8)
    >>> image[16:32, 16:32] = 200
    >>> found = segment(image, "threshold")
    >>> found.count, int(found.labels[20, 20])
    (1, 1)
    """
    choice = choose_method(method, settings, load=True)
    row = choice.row
    settings = row.settings() if settings is None else settings
    if not isinstance(settings, row.settings):
        raise InvalidSettings(
            f"The method {choice.name} takes {row.settings.__name__}, "
            f"not {type(settings).__name__}."
        )
    record = _as_micrograph(image)
    if record.axes == "NYX" and record.n_pages > 1:
        raise InvalidSettings(
            f"This is a stack of {record.n_pages} images.",
            hint="Choose a page: image.plane(0); or run segment_stack on all of them.",
        )
    record = record.plane(0)
    stop_if_cancelled(cancel)
    field = _field(roi, record.shape)
    found = row.run(record, field, settings=settings, progress=progress, cancel=cancel)
    return _noted(found, choice.reason)


def segment_stack(
    image: Any,
    method: str | None = None,
    *,
    settings: Settings | None = None,
    roi: Any = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Segmentation]:
    """Find the particles of each page of a stack, page by page.

    Parameters are those of `segment`; pages are read when their turn comes.

    Yields
    ------
    Segmentation
    """
    record = _as_micrograph(image)
    for page in range(record.n_pages):
        yield segment(
            record.plane(page),
            method,
            settings=settings,
            roi=roi,
            progress=part_of(progress, page / record.n_pages, (page + 1) / record.n_pages),
            cancel=cancel,
        )


def _noted(found: Segmentation, reason: str) -> Segmentation:
    """Say in the notes why a method was chosen."""
    if not reason:
        return found
    return dataclasses.replace(found, notes=(*found.notes, reason))


def _as_micrograph(image: Any) -> Micrograph:
    """Take whatever shows an image as a record."""
    if isinstance(image, Micrograph):
        return image
    from napari_sem_tools.reading.inputs import as_micrograph

    return as_micrograph(image)


def _field(roi: Any, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Turn a region into a mask on the grid."""
    if roi is None:
        return None
    mask = np.asarray(roi) if hasattr(roi, "shape") else None
    if mask is None or mask.dtype != bool:
        from napari_sem_tools.reading.regions import region_mask

        return region_mask(roi, shape)
    if mask.shape != shape:
        raise InvalidSettings(f"A region of {mask.shape} px does not fit an image of {shape} px.")
    return mask
