"""The methods by name, and the one function that runs them."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Micrograph, Segmentation
from napari_sem_tools.segmentation.settings import ThresholdSettings
from napari_sem_tools.settings import Settings
from napari_sem_tools.tasks import Cancel, Progress, part_of, report, stop_if_cancelled

__all__ = ["METHODS", "Method", "segment", "segment_stack"]

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
        A row of `METHODS`; None chooses the best one installed and logs which.
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
    name, row = _method(method)
    settings = row.settings() if settings is None else settings
    if not isinstance(settings, row.settings):
        raise InvalidSettings(
            f"The method {name} takes {row.settings.__name__}, not {type(settings).__name__}."
        )
    record = _as_micrograph(image)
    if record.axes == "NYX" and record.n_pages > 1:
        raise InvalidSettings(
            f"This is a stack of {record.n_pages} images.",
            hint="Choose a page: image.plane(0); or run segment_stack on all of them.",
        )
    record = record.plane(0)
    stop_if_cancelled(cancel)
    return row.run(
        record, _field(roi, record.shape), settings=settings, progress=progress, cancel=cancel
    )


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


def _method(name: str | None) -> tuple[str, Method]:
    """Find the row of a method, or say which there are."""
    if name is None:
        _log.info("segmenting with %r, the best method installed", _DEFAULT)
        return _DEFAULT, METHODS[_DEFAULT]
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, n=1) or sorted(METHODS)
        raise InvalidSettings(
            f"There is no segmentation method {name!r}.", hint=f"Try {' or '.join(near)}."
        )
    return name, METHODS[name]


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
