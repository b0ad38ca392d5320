"""The focus score of one image: 0 to 10, with its interval, the blur and the reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.errors import InvalidSettings, SemError
from napari_sem_tools.focus.information import no_information
from napari_sem_tools.focus.measures.picture import Picture, picture_of

__all__ = [
    "FocusScore",
    "blur_of_score",
    "focus",
    "has_network",
    "joined",
    "reasons_of",
    "score_of_blur",
    "score_picture",
]

BLUR_PER_POINT_PX: Final = 0.4  # added blur (standard deviation) that costs one point
BEST: Final = 10.0
_BLURRED_PX: Final = 0.4
_FEW_ELECTRONS_SNR: Final = 2.0
_LOW_CONTRAST: Final = 0.08
JOINED: Final = 0.9  # interval of the mean of two methods over the mean of their intervals
NEW_SOURCE: Final = 1.25
"""By how much intervals are wider than held-out pictures of known sources need: as much as holds
90 % of the frames of a source that was left out, over four of them (``tools/fit_focus_trees.py``).
A user's pictures are such a source."""
_UNSURE: Final = 2.5  # half width of the interval, points

Method = Literal["auto", "mix", "network", "both"]


@dataclasses.dataclass(frozen=True)
class FocusScore:
    """How well an image is in focus, how sure that is, and why.

    Attributes
    ----------
    score : float
        0 to 10: 10 minus one point for each 0.4 px of blur that was added to the blur of a
        well focused image; 0 where there is no information.
    interval : (float, float)
        The score lies in it with a probability of 90 %.
    blur_px : float or None
        Added blur, the standard deviation of the point spread in px; None without information.
    blur_nm : float or None
        The same in nm; None when the image is not calibrated.
    astigmatism : (float, float) or None
        (e1, e2) = (Sxx - Syy, 2 Sxy) / (Sxx + Syy) of the covariance S of the blur; None when
        the method does not tell.
    snr : float or None
        Variance of the picture over the variance of the noise.
    contrast : float or None
        Standard deviation of the picture without its noise, over the mean grey value.
    information : bool
        False for blank, black, white, saturated and noise images.
    reasons : tuple of str
        What lowers the score, each in a few words, e.g. ``"blurred: 2.1 px"``.
    measures : dict
        Classical measures by name that were worked out on the way.
    method : str
        ``"mix"``, ``"network"`` or ``"none"``.

    Examples
    --------
    >>> FocusScore(7.5, (6.8, 8.1), blur_px=1.0, method="mix").blur_px
    1.0
    """

    score: float
    interval: tuple[float, float]
    blur_px: float | None = None
    blur_nm: float | None = None
    astigmatism: tuple[float, float] | None = None
    snr: float | None = None
    contrast: float | None = None
    information: bool = True
    reasons: tuple[str, ...] = ()
    measures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    method: str = "mix"


def score_of_blur(blur_px: ArrayLike) -> NDArray[np.float64]:
    """Return the score of an added blur.

    Parameters
    ----------
    blur_px : array-like
        Standard deviation of the added blur in px.

    Returns
    -------
    float64 array
        ``10 - min(10, blur / 0.4 px)``.

    Examples
    --------
    >>> score_of_blur([0.0, 1.0, 9.0]).tolist()
    [10.0, 7.5, 0.0]
    """
    return BEST - np.minimum(BEST, np.asarray(blur_px, float) / BLUR_PER_POINT_PX)


def blur_of_score(score: ArrayLike) -> NDArray[np.float64]:
    """Return the added blur in px that a score stands for.

    Parameters
    ----------
    score : array-like
        0 to 10.

    Returns
    -------
    float64 array
        Standard deviation in px.

    Examples
    --------
    >>> float(blur_of_score(7.5))
    1.0
    """
    return (BEST - np.asarray(score, float)) * BLUR_PER_POINT_PX


def focus(
    image: Any,
    *,
    method: Method = "auto",
    pixel_size: float | tuple[float, float] | None = None,
    mask: NDArray[np.bool_] | None = None,
    device: str = "auto",
) -> FocusScore:
    """Score how well one image is in focus.

    Parameters
    ----------
    image : path-like, Micrograph, napari Image layer or array (Y, X)
        Data bar and burnt-in letters of a Micrograph are left out.
    method : {"auto", "mix", "network", "both"}
        ``"mix"``: classical measures joined by fitted layers, without torch; ``"network"``: of
        the package, needs torch; ``"both"``: the mean of the two, whose errors differ;
        ``"auto"``: both where torch and the network are at hand, else the mix.
    pixel_size : float or (float, float), optional
        Size of a pixel in nm, for `FocusScore.blur_nm`.
    mask : bool array (Y, X), optional
        True where the image may be looked at.
    device : str
        Of the network.

    Returns
    -------
    FocusScore

    Raises
    ------
    InvalidSettings
        An unknown method, a mask of another shape, a stack, a field below 32 x 32 px.

    Examples
    --------
    >>> import numpy as np
    >>> focus(np.zeros((64, 64), np.uint8)).reasons
    ('no information: black image',)
    """
    if method not in _METHODS:
        raise InvalidSettings(
            f"There is no focus method {method!r}.", hint=f"Choose {', '.join(_METHODS)}."
        )
    return score_picture(picture_of(image, pixel_size=pixel_size, mask=mask), method, device)


def score_picture(picture: Picture, method: str = "auto", device: str = "auto") -> FocusScore:
    """Score a picture that is at hand.

    Parameters
    ----------
    picture : Picture
    method : {"auto", "mix", "network", "both"}
    device : str

    Returns
    -------
    FocusScore
    """
    reason = no_information(picture)
    if reason:
        return FocusScore(0.0, (0.0, 0.0), information=False, method="none",
                          reasons=(f"no information: {reason}",))  # fmt: skip
    return _METHODS[method](picture, device)


def _by_mix(picture: Picture, _device: str) -> FocusScore:
    """Score by the mix of classical measures."""
    from napari_sem_tools.focus.mix import read_mix

    score, half = read_mix().of_picture(picture)
    half *= NEW_SOURCE
    blur = float(blur_of_score(score))
    contrast = float(np.sqrt(picture.net_variance)) / max(abs(picture.mean), 1e-9)
    return FocusScore(
        score,
        (max(score - half, 0.0), min(score + half, BEST)),
        blur_px=blur,
        blur_nm=None if picture.pixel_size is None else blur * picture.pixel_size,
        snr=picture.snr,
        contrast=contrast,
        reasons=reasons_of(blur, half, picture.snr, contrast),
        method="mix",
    )


def reasons_of(blur_px: float, half: float, snr: float, contrast: float) -> tuple[str, ...]:
    """Say what lowers a score or makes it unsure.

    Parameters
    ----------
    blur_px : float
        Added blur.
    half : float
        Half width of the interval of the score.
    snr, contrast : float

    Returns
    -------
    tuple of str
        The weightiest first; empty for a sharp, clear image.
    """
    said = (
        (blur_px >= _BLURRED_PX, f"blurred: {blur_px:.1f} px"),
        (snr < _FEW_ELECTRONS_SNR, f"few electrons: SNR {snr:.1f}"),
        (contrast < _LOW_CONTRAST, f"low contrast: {contrast:.2f}"),
        (half > _UNSURE, "little texture: the score is unsure"),
    )
    return tuple(reason for holds, reason in said if holds)


def _by_network(picture: Picture, device: str) -> FocusScore:
    """Score by the network of the package."""
    from napari_sem_tools.focus.network import score_by_network

    return score_by_network(picture, device)


def _by_both(picture: Picture, device: str) -> FocusScore:
    """Score by the network and by the mix, and join the two."""
    return joined(_by_network(picture, device), _by_mix(picture, device))


def joined(network: FocusScore, mix: FocusScore) -> FocusScore:
    """Join the scores of two methods for one image.

    Parameters
    ----------
    network, mix : FocusScore
        What only one of them tells is taken from the first.

    Returns
    -------
    FocusScore
        The mean of the scores.  Their errors have a correlation of about 0.6, so that the
        interval is narrower than the mean of theirs; it holds both scores.

    Examples
    --------
    >>> both = joined(FocusScore(6.0, (5.0, 7.0)), FocusScore(8.0, (7.0, 9.0)))
    >>> both.score, both.interval
    (7.0, (6.0, 8.0))
    """
    if not (network.information and mix.information):
        return network if not network.information else mix
    score = 0.5 * (network.score + mix.score)
    half = JOINED * 0.5 * sum(_half(one) for one in (network, mix))
    half = max(half, 0.5 * abs(network.score - mix.score))
    blur = float(blur_of_score(score))
    known = [one.blur_nm / one.blur_px for one in (network, mix) if one.blur_nm and one.blur_px]
    snr, contrast = network.snr or mix.snr, network.contrast or mix.contrast
    return dataclasses.replace(
        network,
        score=score,
        interval=(max(score - half, 0.0), min(score + half, BEST)),
        blur_px=blur,
        blur_nm=blur * known[0] if known else None,
        snr=snr,
        contrast=contrast,
        reasons=reasons_of(blur, half, snr or np.inf, contrast or np.inf),
        method="both",
    )


def _half(found: FocusScore) -> float:
    """Return the half width of an interval that the ends of the scale may have cut."""
    low, high = found.interval
    return max(high - found.score, found.score - low)


def _by_best(picture: Picture, device: str) -> FocusScore:
    """Score by network and mix where torch and the network are at hand, else by the mix."""
    return (_by_both if has_network() else _by_mix)(picture, device)


def has_network() -> bool:
    """Tell whether the registry holds the network and torch is installed and works here.

    Returns
    -------
    bool
    """
    from importlib.util import find_spec

    from napari_sem_tools.focus.network import MODEL
    from napari_sem_tools.models import models, runtime

    if find_spec("torch") is None or MODEL not in models:
        return False
    try:
        runtime.torch()  # on Windows it may not load beside what was loaded before
    except SemError:
        return False
    return True


_METHODS: Final[Mapping[str, Callable[[Picture, str], FocusScore]]] = {
    "auto": _by_best,
    "mix": _by_mix,
    "network": _by_network,
    "both": _by_both,
}
