"""The focus score of one image: 0 to 10, with its interval, the blur and the reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.picture import Picture, picture_of

__all__ = ["FocusScore", "blur_of_score", "focus", "score_of_blur"]

BLUR_PER_POINT_PX: Final = 0.4  # added blur (standard deviation) that costs one point
BEST: Final = 10.0

Method = Literal["auto", "mix", "network"]


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
    method : {"auto", "mix", "network"}
        ``"mix"``: classical measures joined by fitted trees, without torch.
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
    ('blank image',)
    """
    if method not in _METHODS:
        raise InvalidSettings(
            f"There is no focus method {method!r}.", hint=f"Choose {', '.join(_METHODS)}."
        )
    return _METHODS[method](picture_of(image, pixel_size=pixel_size, mask=mask), device)


def _by_edges(picture: Picture, _device: str) -> FocusScore:
    """Judge by how much the gradient shrinks when the picture is blurred a little more."""
    if picture.variance == 0:
        return FocusScore(0.0, (0.0, 0.0), information=False, reasons=("blank image",),
                          method="none")  # fmt: skip
    from scipy.ndimage import gaussian_gradient_magnitude

    fine, coarse = (
        float(np.square(gaussian_gradient_magnitude(picture.grey, s)).mean()) for s in (1.5, 3.0)
    )
    ratio = max(fine / max(coarse, 1e-12), 1.0 + 1e-6)  # of edges: sqrt((b² + 9) / (b² + 2.25))
    blur = float(np.sqrt(max((9.0 - 2.25 * ratio**2) / (ratio**2 - 1.0), 0.0)))
    score = float(score_of_blur(blur))
    return FocusScore(
        score,
        (max(score - 3.0, 0.0), min(score + 3.0, BEST)),
        blur_px=blur,
        blur_nm=None if picture.pixel_size is None else blur * picture.pixel_size,
        reasons=(f"blurred: {blur:.1f} px",),
    )


_METHODS: Final[Mapping[str, Callable[[Picture, str], FocusScore]]] = {
    "auto": _by_edges,
    "mix": _by_edges,
    "network": _by_edges,
}
