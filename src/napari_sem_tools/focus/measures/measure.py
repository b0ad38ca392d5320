"""The row of a focus measure: what it is, where it comes from, what gain and noise do to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from napari_sem_tools.focus.measures.picture import Picture

__all__ = ["Measure"]

Gain = Literal["1", "g", "g²", "g⁴", "weak"]
Noise = Literal["grows", "strong", "corrected", "none", "limit", "medium", "is the noise"]


@dataclasses.dataclass(frozen=True)
class Measure:
    """A classical focus measure.

    Attributes
    ----------
    name : str
        Short name, as in the tables of the field.
    full_name : str
    formula : str
        I grey values, m their mean, v their variance, n variance of the noise, G_s Gaussian of
        s px, P radial power, r_d autocovariance at lag d, <.> mean over the pixels that count.
    function : callable
        From a `Picture` to the value; NaN where it is not defined.
    source : str
    unit : str
        ``"px"``, ``"cycles/px"``, ``"grey"``, ``"nm"`` ... or empty.
    larger_is_sharper : bool or None
        None: it tells no focus, but noise or contrast.
    gain : {"1", "g", "g²", "g⁴", "weak"}
        What a gain of the image does to it; ``"1"``: nothing.
    offset_free : bool
        Whether a constant added to all grey values leaves it as it is.
    noise : str
        ``"grows"``: white noise adds to it; ``"strong"``: noise decides over it; ``"medium"``;
        ``"corrected"``: the expectation of the noise is taken out; ``"none"``: its expectation
        is free of white noise; ``"limit"``: it says where noise covers the picture.
    """

    name: str
    full_name: str
    formula: str
    function: Callable[[Picture], float]
    source: str
    unit: str = ""
    larger_is_sharper: bool | None = True
    gain: Gain = "1"
    offset_free: bool = True
    noise: Noise = "grows"
