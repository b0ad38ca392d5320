"""Which way focus lies, how far, and the astigmatism, from two frames of one field.

The covariances of the two blurs differ by ``S1 - S2 = 2 k^2 step (z + A Q)``: k blur per unit of
position, z how far the middle of the two positions is from focus, A Q the astigmatism.  The blur
in focus cancels.  The difference is found from how the frames' Fourier coefficients differ.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.series.register import register

__all__ = ["PairDefocus", "pair_defocus"]

_ANGLES: Final = 12
_RING_PX: Final = 4.0  # rings are so many coefficients wide
_HIGHEST: Final = 0.15  # cycles/px; beyond, few point spreads are like a Gaussian
_NOISE: Final = (0.42, 0.5)  # cycles/px; there is little but noise
_HANN: Final = 1.9  # coefficients under a Hann window that count as one, along both axes
_LARGEST_RATIO: Final = 0.5  # |ln| of the transfers' ratio that a Gaussian still describes
_MIDDLE: Final = 0.03  # cycles/px, from where powers are compared without their phases
_FAR_RATIO: Final = 1.0  # |ln| of that comparison that must be borne out by the fit
_LEAST_CELLS: Final = 24
_ROUNDS: Final = 6
_LARGEST_LOG: Final = 8.0
_LEAST_NOISE: Final = 1e-3  # grey values squared
_MODEL_PX2: Final = 0.1  # error of half the trace because no point spread is a Gaussian ...
_MODEL_SHARE: Final = 0.1  # ... and the part that grows with it
_SURE: Final = 20.0  # odds below which the sign is said to be open
_LARGEST_ODDS: Final = 1e6
_LEAST_PX: Final = 64

Row = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]


@dataclasses.dataclass(frozen=True)
class PairDefocus:
    """What two frames at different focus positions say.

    Attributes
    ----------
    defocus : float or None
        Position of the middle between the two frames minus that of focus, in the unit of
        `step`; focus lies at the middle minus it.  None when far from focus, without
        information, or without `blur_per_unit`.
    defocus_error : float or None
        Standard error.
    astigmatism : (float, float) or None
        (A cos 2t, A sin 2t), A half the distance of the line foci, t the angle from x to y.
    astigmatism_error : float or None
        Standard error of each component.
    sign_odds : float
        Odds that the sign of `defocus` is right; 1: no idea.
    sharper : {"first", "second", "neither"}
    difference_px2 : (float, float, float) or None
        Sxx, Syy and Sxy of the first blur minus those of the second, in px squared.
    far : bool
        Too far from focus for a number; `sharper` still holds.
    shift_px : (float, float)
        How far the second frame lies from the first, down and to the right.
    reasons : tuple of str
        What limits the result.
    """

    defocus: float | None
    defocus_error: float | None
    astigmatism: tuple[float, float] | None
    astigmatism_error: float | None
    sign_odds: float
    sharper: str
    difference_px2: tuple[float, float, float] | None = None
    far: bool = False
    shift_px: tuple[float, float] = (0.0, 0.0)
    reasons: tuple[str, ...] = ()


def pair_defocus(
    first: Any, second: Any, *, step: float, blur_per_unit: float | None = None
) -> PairDefocus:
    """Find signed defocus and astigmatism from two frames of one field.

    Parameters
    ----------
    first, second : path-like, Micrograph, napari Image layer or array (Y, X)
        Of one size, taken with the same settings but focus.  They are laid on each other first.
    step : float
        Position of the first minus that of the second; one to four depths of field are good.
    blur_per_unit : float, optional
        Standard deviation of the blur in px that a unit of defocus adds: half the convergence
        angle over the pixel size.  Without it there is a sign but no number.

    Returns
    -------
    PairDefocus

    Raises
    ------
    InvalidSettings
        Frames of different sizes or below 64 x 64 px, a step of 0, a blur that is none.

    References
    ----------
    Two perturbed frames: Binding, Mikula, Denk, Ultramicroscopy 126 (2013) 76 (MAPFoSt), who
    maximise a posterior; here the ratio of the transfers is fitted where a Gaussian describes
    it, with noise in both frames (total least squares), so that the specimen drops out.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> scene = np.random.default_rng(0).normal(100, 20, (256, 256))
    >>> frames = [gaussian_filter(scene, np.hypot(1, 0.5 * abs(z))) for z in (5.0, 1.0)]
    >>> found = pair_defocus(*frames, step=4.0, blur_per_unit=0.5)
    >>> round(found.defocus), found.sharper
    (3, 'second')
    """
    if not (math.isfinite(step) and step != 0):
        raise InvalidSettings(f"A step of {step} is none.", hint="Give position 1 - position 2.")
    if blur_per_unit is not None and not (math.isfinite(blur_per_unit) and blur_per_unit > 0):
        raise InvalidSettings(
            f"A blur of {blur_per_unit} px a unit is none.", hint="Leave it out if not known."
        )
    one, two, shift = _overlap(picture_of(first).grey, picture_of(second).grey)
    cells = _Cells.of(one, two)
    if not cells.information:
        reason = "no information: nothing but noise"
    elif not cells.alike and abs(cells.plain_ratio()) <= _FAR_RATIO:
        reason = "the frames do not show the same field"
    else:
        return _result(cells.fit(), float(step), blur_per_unit, shift)
    return PairDefocus(None, None, None, None, 1.0, "neither", shift_px=shift, reasons=(reason,))


def _overlap(
    one: NDArray[np.float32], two: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[float, float]]:
    """Cut both frames to what they share; whole pixels, so that no interpolation blurs."""
    if one.shape != two.shape:
        raise InvalidSettings(
            f"Frames of {one.shape} and {two.shape} cannot be compared.",
            hint="Take both with the same settings.",
        )
    shift = register(one, two).shift
    down, right = (round(part) for part in shift)
    rows, columns = one.shape
    mine = (
        slice(max(0, -down), rows - max(0, down)),
        slice(max(0, -right), columns - max(0, right)),
    )
    other = (
        slice(max(0, down), rows + min(0, down)),
        slice(max(0, right), columns + min(0, right)),
    )
    if min(one[mine].shape) < _LEAST_PX:
        raise InvalidSettings(
            f"The frames share only {one[mine].shape} px.",
            hint=f"Give two frames of one field, at least {_LEAST_PX} x {_LEAST_PX} px.",
        )
    return one[mine], two[other], shift


@dataclasses.dataclass(frozen=True, eq=False)
class _Fit:
    """Covariances of the first blur minus the second (xx, yy, xy), px squared, and their errors.

    `plain` is the logarithm of the ratio of the amplitudes where the blurs differ too much.
    """

    difference: Row
    covariance: Row
    far: bool
    plain: float = 0.0


@functools.lru_cache(maxsize=8)
def _polar(shape: tuple[int, int]) -> tuple[NDArray[np.intp], Row, int]:
    """Return the cell of each coefficient of a real transform, its weight, and the number."""
    down, right = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    radius = np.hypot(down, right)
    rings = max(8, int(0.5 * min(shape) / _RING_PX))
    angle = np.arctan2(down, right) % np.pi
    sector = np.minimum((angle / np.pi * _ANGLES).astype(np.intp), _ANGLES - 1)
    ring = (radius / 0.5 * rings).astype(np.intp)
    count = rings * _ANGLES
    cell = np.where((radius > 0) & (radius < 0.5), ring * _ANGLES + sector, count)
    weight = np.full(cell.shape, 2.0)
    weight[:, 0] = 1.0
    if shape[1] % 2 == 0:
        weight[:, -1] = 1.0
    return cell.ravel(), weight, count


@dataclasses.dataclass(frozen=True, eq=False)
class _Cells:
    """Sums over cells of radius and angle.

    Attributes
    ----------
    own, other, cross : float64 array (n,)
        Powers of both frames and the real part of their product.
    number : float64 array (n,)
        Independent coefficients.
    design : float64 array (n, 4)
        ln of the ratio of transfers for a difference of 1 px squared in xx, yy, xy, and for a
        ratio of the gains of e.
    low : bool array (n,)
        Cells that may be used.
    noise : (float, float)
    """

    own: Row
    other: Row
    cross: Row
    number: Row
    design: Row
    low: NDArray[np.bool_]
    noise: tuple[float, float]

    @classmethod
    def of(cls, one: NDArray[np.float32], two: NDArray[np.float32]) -> _Cells:
        """Transform both frames under a Hann window."""
        shape = (one.shape[0], one.shape[1])
        cell, weight, count = _polar(shape)
        down, right = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
        a, b = _transform(one), _transform(two)
        radius = np.hypot(down, right)
        high = (radius > _NOISE[0]) & (radius < _NOISE[1])

        def add(values: Row) -> Row:
            sums = np.bincount(cell, (weight * values).ravel(), count + 1)
            return np.asarray(sums[:-1], float)

        def noise(transform: Complex) -> float:
            power = (weight * np.abs(transform) ** 2)[high].sum() / weight[high].sum()
            return max(float(power), _LEAST_NOISE)

        number = add(np.ones_like(radius))
        squares = np.stack(
            [add(right**2 + 0 * down), add(down**2 + 0 * right), add(2 * down * right)]
        ) / np.maximum(number, 1)
        design = np.concatenate([-2 * np.pi**2 * squares, np.ones((1, count))]).T
        low = (number > 0) & (squares[0] + squares[1] < _HIGHEST**2)
        sums = [add(np.abs(a) ** 2), add(np.abs(b) ** 2), add((a * b.conj()).real)]
        own, other, cross = (part / _HANN for part in sums)
        return cls(own, other, cross, number / _HANN, design, low, (noise(a), noise(b)))

    @property
    def radius(self) -> Row:
        """Frequency of each cell in cycles/px."""
        return np.asarray(np.sqrt(-(self.design[:, 0] + self.design[:, 1]) / (2 * np.pi**2)))

    @property
    def information(self) -> bool:
        """True when there is more than noise in one of the frames."""
        number = float(self.number[self.low].sum())
        limit = number + 5 * math.sqrt(number)
        powers = ((self.own, self.noise[0]), (self.other, self.noise[1]))
        return any(float(power[self.low].sum()) > limit * noise for power, noise in powers)

    @property
    def alike(self) -> bool:
        """True when both frames show the same thing, beyond noise."""
        number = float(self.number[self.low].sum())
        by_noise = math.sqrt(self.noise[0] * self.noise[1] * number)
        return bool(self.cross[self.low].sum() > 5 * by_noise)

    def fit(self) -> _Fit:
        """Fit the ratio of the transfers over the frequencies at which a Gaussian describes it."""
        from scipy.optimize import minimize

        # the lowest first: where the blurs differ much, the others hold nothing but noise
        order = np.argsort(np.where(self.low, self.radius, np.inf), kind="stable")
        use, start, far = np.zeros(len(order), bool), np.zeros(4), True
        use[order[: 2 * _LEAST_CELLS]] = True
        use &= self.low
        for _ in range(_ROUNDS):
            # two starts: the likelihood has a second top where the blur is large
            tried = [
                minimize(self.cost, begin, args=(use,), jac=True, method="BFGS")
                for begin in (start, np.zeros(4))
            ]
            start = min(tried, key=lambda found: float(found.fun)).x
            closer = self.low & (np.abs(self.design[:, :3] @ start[:3]) <= _LARGEST_RATIO)
            far = int(closer.sum()) < _LEAST_CELLS
            if far or bool(np.array_equal(closer, use)):
                break
            use = closer
        covariance = self.covariance(start, use)[:3, :3]
        plain = self.plain_ratio()
        expected = float(np.mean((self.design @ start)[self.middle]))
        if abs(plain) > _FAR_RATIO and (not self.alike or plain * expected < 0.25 * plain**2):
            far = True  # the powers say something else: nothing in common is left to compare
        return _Fit(start[:3], covariance, far, plain if far else 0.0)

    @property
    def middle(self) -> NDArray[np.bool_]:
        """Cells at which defocus shows best."""
        return self.low & (self.radius > _MIDDLE)

    def plain_ratio(self) -> float:
        """Return ln of the ratio of the amplitudes over the noise, whatever their phases."""
        number = float(self.number[self.middle].sum())
        net = [
            max(float(power[self.middle].sum()) - noise * number, 2 * noise * math.sqrt(number))
            for power, noise in ((self.own, self.noise[0]), (self.other, self.noise[1]))
        ]
        return 0.5 * math.log(net[0] / net[1])

    def cost(self, values: Row, use: NDArray[np.bool_]) -> tuple[float, Row]:
        """Return minus the log-likelihood of a ratio of transfers, and its gradient.

        The unknown specimen is put at its best for each coefficient.
        """
        ratio, spread, deviation = self.parts(values, use)
        slope = -2 * self.cross[use] * ratio + 2 * ratio**2 * self.other[use]
        gradient = slope / spread - deviation * 2 * ratio**2 * self.noise[1] / spread**2
        return float((deviation / spread).sum() / 2), self.design[use].T @ gradient / 2

    def parts(self, values: Row, use: NDArray[np.bool_]) -> tuple[Row, Row, Row]:
        """Return ratio, variance of ``first - ratio second``, and the sums of its square."""
        logarithm = self.design[use] @ values
        ratio = np.exp(np.clip(logarithm, -_LARGEST_LOG, _LARGEST_LOG))
        spread = self.noise[0] + ratio**2 * self.noise[1]
        deviation = self.own[use] - 2 * ratio * self.cross[use] + ratio**2 * self.other[use]
        return ratio, spread, deviation

    def covariance(self, values: Row, use: NDArray[np.bool_]) -> Row:
        """Return the covariance of the fit; noise in both frames widens it (sandwich)."""
        ratio, spread, deviation = self.parts(values, use)
        part = ratio * self.noise[1] / spread
        power = self.other[use] + 2 * part * (self.cross[use] - ratio * self.other[use])
        power = power + part**2 * deviation
        scatter = ratio**2 * power / spread
        by_noise = ratio**2 * self.number[use] * self.noise[0] * self.noise[1] / spread**2
        design = self.design[use]
        inverse = np.linalg.pinv((design.T * (scatter - by_noise)) @ design)
        excess = max(1.0, float((deviation / spread).sum() / self.number[use].sum()))
        return np.asarray(inverse @ ((design.T * scatter) @ design) @ inverse * excess)


def _transform(frame: NDArray[np.float32]) -> Complex:
    """Return the Fourier transform under a Hann window of mean square 1."""
    from scipy.fft import rfft2

    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in frame.shape))
    window /= np.sqrt(np.mean(window**2))
    level = float((frame * window).sum() / window.sum())
    return np.asarray(rfft2((frame - level) * window, norm="ortho"))


def _result(
    fit: _Fit, step: float, blur_per_unit: float | None, shift: tuple[float, float]
) -> PairDefocus:
    """Turn the difference of two blurs into defocus, astigmatism and the odds of the sign."""
    xx, yy, xy = (float(value) for value in fit.difference)
    half = 0.5 * (xx + yy)
    trace = np.array([0.5, 0.5, 0.0])
    error = math.sqrt(max(float(trace @ fit.covariance @ trace), 0.0))
    error = math.hypot(error, _MODEL_PX2 + _MODEL_SHARE * abs(half))
    odds = _odds(abs(half) / error)
    if fit.plain:
        half, odds = -fit.plain, _LARGEST_ODDS
    sharper = "neither" if odds < _SURE else "second" if half > 0 else "first"
    reasons = []
    if odds < _SURE:
        reasons.append(f"the sign is open: odds {odds:.1f} to 1")
    if fit.far:
        reasons.append("far from focus: the blurs differ too much for a number")
    if blur_per_unit is None or fit.far:
        return PairDefocus(None, None, None, None, odds, sharper, (xx, yy, xy), fit.far, shift,
                           tuple(reasons))  # fmt: skip
    unit = 2 * blur_per_unit**2 * step
    cosine = np.array([0.5, -0.5, 0.0])
    parts = [float(cosine @ fit.covariance @ cosine), float(fit.covariance[2, 2])]
    along = math.hypot(math.sqrt(max(sum(parts) / 2, 0.0)), _MODEL_PX2)
    return PairDefocus(
        half / unit, error / abs(unit), (0.5 * (xx - yy) / unit, xy / unit), along / abs(unit),
        odds, sharper, (xx, yy, xy), False, shift, tuple(reasons),
    )  # fmt: skip


def _odds(deviations: float) -> float:
    """Return the odds that a quantity has the sign that was found."""
    wrong = 0.5 * math.erfc(deviations / math.sqrt(2))
    return min((1 - wrong) / max(wrong, 1 / _LARGEST_ODDS), _LARGEST_ODDS)
