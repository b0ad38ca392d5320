"""The one table of classical focus measures, and their values for an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.measures.grey import GREY_MEASURES
from napari_sem_tools.focus.measures.measure import Measure
from napari_sem_tools.focus.measures.picture import Picture, picture_of
from napari_sem_tools.focus.measures.resolution import RESOLUTION_MEASURES
from napari_sem_tools.focus.measures.scale import SCALE_MEASURES
from napari_sem_tools.focus.measures.spectral import SPECTRAL_MEASURES
from napari_sem_tools.focus.series.sharpness import SERIES_MEASURES

__all__ = ["DEFAULT_MEASURE", "LIVE_MEASURES", "MEASURES", "focus_measures", "measures_of"]

_ROWS: Final = (*SCALE_MEASURES, *SPECTRAL_MEASURES, *GREY_MEASURES, *RESOLUTION_MEASURES,
                *SERIES_MEASURES)  # fmt: skip

MEASURES: Final[Mapping[str, Measure]] = MappingProxyType({row.name: row for row in _ROWS})
"""All measures by name."""

DEFAULT_MEASURE: Final = "LoG2/var"
"""The measure that compares frames of one field: gain, offset and noise disturb it little."""

LIVE_MEASURES: Final = ("LoG2/var", "BAND", "NETP", "SIGM", "EDGW", "SNRP")
"""What is worked out for each frame of a live image: one spectrum, one scale, the edges."""


def focus_measures(
    image: Any,
    names: Iterable[str] | str | None = None,
    *,
    pixel_size: float | tuple[float, float] | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Work out classical focus measures of an image.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X)
        Data bar and burnt-in letters of a Micrograph are left out.
    names : str or iterable of str, optional
        Which of `MEASURES`; all by default.
    pixel_size : float or (float, float), optional
        Size of a pixel in nm; without it and without calibration, measures in nm are NaN.
    mask : bool array (Y, X), optional
        True where the image may be looked at.

    Returns
    -------
    dict of str to float
        In the order asked for; NaN where a measure is not defined.

    Raises
    ------
    InvalidSettings
        An unknown name, a mask of another shape, a stack, a field below 32 x 32 px.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> list(focus_measures(image, ["LoG2/var", "SIGM"]))
    ['LoG2/var', 'SIGM']
    """
    return measures_of(picture_of(image, pixel_size=pixel_size, mask=mask), names)


def measures_of(picture: Picture, names: Iterable[str] | str | None = None) -> dict[str, float]:
    """Work out measures of a picture that is at hand.

    Parameters
    ----------
    picture : Picture
        What one measure worked out the next ones use.
    names : str or iterable of str, optional
        All by default.

    Returns
    -------
    dict of str to float

    Raises
    ------
    InvalidSettings
        An unknown name.
    """
    wanted = list(MEASURES) if names is None else [names] if isinstance(names, str) else list(names)
    unknown = [name for name in wanted if name not in MEASURES]
    if unknown:
        raise InvalidSettings(
            f"There is no focus measure {', '.join(unknown)}.",
            hint=f"Choose of {', '.join(MEASURES)}.",
        )
    return {name: float(MEASURES[name].function(picture)) for name in wanted}
