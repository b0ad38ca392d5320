"""What the mix looks at: numbers about spectrum, edges, sparseness and correlation of a tile.

All are free of gain and offset.  Noise is taken out where its expectation is known; where
little is left the numbers are held at bounds instead of running off.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.measures.picture import Picture
from napari_sem_tools.focus.measures.spectrum import noise_gain

__all__ = ["features"]

Row = NDArray[np.float64]
Map = NDArray[np.float32]

_EDGES: Final = np.array(
    [0.008, 0.014, 0.02, 0.028, 0.036, 0.046, 0.058, 0.072, 0.088, 0.106, 0.126, 0.148, 0.172,
     0.2, 0.23, 0.265, 0.3, 0.34, 0.38, 0.42, 0.46, 0.5]
)  # fmt: skip
_SCALES: Final = (1.0, 1.5, 2.25, 3.4, 5.0)
_CHOSEN_AT: Final = 2.25
_SHARES: Final = (0.01, 0.04, 0.15)
_BLOCK: Final = 10  # of every second pixel
_REACH: Final = 8  # px; nearer to masked pixels the derivatives see what was filled in
_LAGS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24)


def _log_ratio(a: Any, b: Any, floor: float = 1e-3) -> Any:
    """Return ln(a / b), both held above zero, within +-ln(1 / floor)."""
    a, b = np.maximum(a, 0.0), np.maximum(b, 0.0)
    scale = np.maximum(np.maximum(a, b), 1e-12)
    return np.log((a / scale + floor) / (b / scale + floor))


@dataclasses.dataclass(frozen=True, eq=False)
class _Maps:
    """Derivatives of a picture at all scales, at every second pixel that counts.

    Attributes
    ----------
    gradient, laplacian : list of float32 array
        Squared gradient and Laplacian, one map a scale.
    inside : bool array or None
        Pixels of the maps that count.
    """

    gradient: list[Map]
    laplacian: list[Map]
    inside: NDArray[np.bool_] | None

    @classmethod
    def of(cls, picture: Picture) -> _Maps:
        """Work them out."""
        pairs = [_derivatives(picture.smooth(s)) for s in _SCALES]
        inside = None if picture.valid is None else picture.shrunk(_REACH)[1:-1:2, 1:-1:2]
        return cls([pair[0] for pair in pairs], [pair[1] for pair in pairs], inside)

    def counted(self, values: Map) -> Map:
        """Return the values that count, as a row."""
        return values.ravel() if self.inside is None else values[self.inside]


def _derivatives(blurred: Map) -> tuple[Map, Map]:
    """Return squared gradient and Laplacian at every second pixel, by differences."""
    middle = blurred[1:-1:2, 1:-1:2]
    above, below = blurred[:-2:2, 1:-1:2], blurred[2::2, 1:-1:2]
    left, right = blurred[1:-1:2, :-2:2], blurred[1:-1:2, 2::2]
    rows, columns = middle.shape
    above, below = above[:rows], below[:rows]
    left, right = left[:, :columns], right[:, :columns]
    down, across = below - above, right - left
    down *= down
    across *= across
    down += across
    down *= np.float32(0.25)
    rim = above + below
    rim += left
    rim += right
    rim -= np.float32(4) * middle
    return down, rim


def _spectral(picture: Picture) -> dict[str, float]:
    """Band powers over the noise and over each other, and fits of a Gaussian to the spectrum."""
    spectrum = picture.spectrum
    bands = np.array([spectrum.band(a, b) for a, b in itertools.pairwise(_EDGES)])
    noise = max(spectrum.noise, 1e-6)
    over = np.log1p(np.maximum(bands / noise - 1.0, 0.0))
    total = np.log(np.maximum(bands, 1e-9) / max(bands[:6].mean(), 1e-9))
    steps = _log_ratio(bands[4:] - noise, bands[:-4] - noise)
    found = {f"over{i}": v for i, v in enumerate(over[:-2])}
    found |= {f"share{i}": v for i, v in enumerate(total)}
    found |= {f"step{i}": v for i, v in enumerate(steps[:-2])}
    found["corner"] = float(np.log(max(spectrum.corner, 1e-9) / noise))
    found["snr"] = float(np.log(picture.snr))
    found |= _fits(picture)
    return found


def _fits(picture: Picture) -> dict[str, float]:
    """Fit ln(P - n) = a - b ln f - 4 pi² s² f², with b fixed or free, by weighted squares."""
    spectrum = picture.spectrum
    f, power, counts = spectrum.frequency, spectrum.power, spectrum.counts
    noise = max(spectrum.noise, 1e-6)
    found: dict[str, float] = {}
    for name, over, last in (("wide", 0.3, 0.40), ("near", 1.0, 0.40), ("low", 0.5, 0.15)):
        use = (f > 0.012) & (f < last) & (power > (1 + over) * noise)
        if use.sum() < 6:
            found |= {f"{name}_sigm": 4.0, f"{name}_s2": 16.0, f"{name}_b": 0.0, f"{name}_sd": 9.0,
                      f"{name}_top": 0.0, f"{name}_rest": 0.0}  # fmt: skip
            continue
        x, net = f[use], power[use] - noise
        weight = counts[use] * (net / power[use]) ** 2
        root = np.sqrt(weight)
        target = np.log(net)
        matrix = np.stack([np.ones_like(x), -np.log(x), -4 * np.pi**2 * x**2], axis=1)
        scaled = matrix * root[:, None]
        inverse = np.linalg.pinv(scaled.T @ scaled)
        best = inverse @ (scaled.T @ (target * root))
        rest = float(np.mean(((target - matrix @ best) * root) ** 2))
        fixed = scaled[:, [0, 2]]
        plain = np.linalg.lstsq(fixed, (target - 2.5 * matrix[:, 1]) * root, rcond=None)[0]
        found |= {
            f"{name}_sigm": float(np.clip(plain[1], -4, 30)),
            f"{name}_s2": float(np.clip(best[2], -10, 40)),
            f"{name}_b": float(np.clip(best[1], -4, 8)),
            f"{name}_sd": float(np.log(max(inverse[2, 2], 1e-9)) / 2),
            f"{name}_top": float(x[-1]),
            f"{name}_rest": float(np.log1p(rest)),
        }
    return found


def _gradients(picture: Picture, maps: _Maps) -> dict[str, float]:
    """Compare energies of gradient and Laplacian at neighbouring scales, noise taken out."""
    noise = picture.noise
    gradient = np.array(
        [float(maps.counted(m).mean()) - noise * noise_gain("gradient", s)
         for s, m in zip(_SCALES, maps.gradient, strict=True)]
    )  # fmt: skip
    scales = np.array(_SCALES)
    found = {
        f"grad{a}_{b}": float(_log_ratio(gradient[i], gradient[i + 1]))
        for i, (a, b) in enumerate(itertools.pairwise(_SCALES))
    }
    found |= {
        f"grad_var{s}": float(_log_ratio(gradient[i] * scales[i] ** 2, picture.net_variance))
        for i, s in enumerate(_SCALES)
    }
    laplace = []
    for s, values in zip(_SCALES, map(maps.counted, maps.laplacian), strict=True):
        squared = values * values
        m2, m4 = (float(v.mean(dtype=np.float32)) for v in (squared, squared * squared))
        m3 = float((squared * values).mean(dtype=np.float32))
        net = m2 - noise * noise_gain("laplace", s)
        laplace.append(net)
        held = max(net, 0.05 * m2, 1e-12)
        found[f"kurt{s}"] = float(np.log1p(max((m4 - 3 * m2**2) / held**2, 0.0)))
        found[f"skew{s}"] = float(np.clip(m3 / held**1.5, -10, 10))
        found[f"log_net{s}"] = float(_log_ratio(net, m2))
        found[f"log_var{s}"] = float(_log_ratio(net * s**4, picture.net_variance, 1e-4))
    found |= {
        f"lap{a}_{b}": float(_log_ratio(laplace[i], laplace[i + 1]))
        for i, (a, b) in enumerate(itertools.pairwise(_SCALES))
    }
    found |= {
        f"lapgrad{s}": float(_log_ratio(laplace[i] * s**2, gradient[i]))
        for i, s in enumerate(_SCALES)
    }
    return found


def _edges(picture: Picture, derivatives: _Maps) -> dict[str, float]:
    """Compare the gradient at several scales where it is strongest: the widths of the edges."""
    noise = picture.noise
    maps = [derivatives.counted(m) for m in derivatives.gradient]
    bias = [noise * noise_gain("gradient", s) for s in _SCALES]
    found: dict[str, float] = {}
    for at in (_CHOSEN_AT, 5.0):
        chosen = maps[_SCALES.index(at)]
        size = chosen.size
        first = np.argpartition(chosen, size - 1 - int(_SHARES[-1] * size))
        first = first[size - 1 - int(_SHARES[-1] * size) :]
        first = first[np.argsort(-chosen[first])]
        picked = [m[first] for m in maps]
        for share in _SHARES:
            stop = int(share * size) + 1
            energy = np.array(
                [float(m[:stop].mean()) - b for m, b in zip(picked, bias, strict=True)]
            )
            found |= {
                f"edge{at}_{share}_{i}": float(_log_ratio(energy[i], energy[i + 1]))
                for i in range(len(_SCALES) - 1)
            }
            found[f"edge{at}_{share}_snr"] = float(_log_ratio(energy[2], bias[2]))
    for s, values in ((1.5, maps[1]), (3.4, maps[3])):
        size = values.size
        places = [int(q * size) for q in (0.5, 0.9, 0.99, 0.999)]
        low, q90, q99, top = np.sqrt(np.partition(values, places)[places])
        found[f"tail{s}_a"] = float(_log_ratio(q90, low))
        found[f"tail{s}_b"] = float(_log_ratio(q99, q90))
        found[f"tail{s}_c"] = float(_log_ratio(top, q99))
    return found


def _blocks(picture: Picture, maps: _Maps) -> dict[str, float]:
    """Look for the sharpest and the dullest parts: ratios of gradient energies block by block."""
    noise = picture.noise
    sums = []
    for s, values in zip(_SCALES, maps.gradient, strict=True):
        rows, columns = (n // _BLOCK for n in values.shape)
        if rows * columns == 0:
            rows, columns = 1, 1
            blocks = values.mean(keepdims=True)
        else:
            cut = values[: rows * _BLOCK, : columns * _BLOCK]
            blocks = cut.reshape(rows, _BLOCK, columns, _BLOCK).mean(axis=(1, 3))
        sums.append(blocks.ravel().astype(float) - noise * noise_gain("gradient", s))
    strong = sums[3] >= np.median(sums[3])
    found: dict[str, float] = {}
    for i in range(4):
        ratio = _log_ratio(sums[i][strong], sums[i + 1][strong], 0.05)
        low, middle, high = np.percentile(ratio, [10, 50, 90])
        found |= {f"block{i}_low": low, f"block{i}_mid": middle, f"block{i}_high": high}
    spread = np.percentile(np.maximum(sums[3], 1e-9), [10, 50, 90])
    found["block_spread_low"] = float(_log_ratio(spread[0], spread[1]))
    found["block_spread_high"] = float(_log_ratio(spread[2], spread[1]))
    return found


def _correlation(picture: Picture) -> dict[str, float]:
    """Shape of the autocovariance next to lag 0, which is left out: white noise is in it alone."""
    lags = picture.spectrum.autocovariance
    down = np.array([float(lags[d, 0]) for d in _LAGS])
    right = np.array([float(lags[0, d]) for d in _LAGS])
    mean = 0.5 * (down + right)
    scale = max(float(mean[0]), 1e-9)
    found = {f"acf{d}": float(np.clip(mean[i] / scale, -1, 1.2)) for i, d in enumerate(_LAGS) if i}
    for name, row in (("y", down), ("x", right), ("m", mean)):
        at = dict(zip(_LAGS, row, strict=True))
        for a, b, c in ((1, 2, 4), (2, 4, 8), (1, 3, 6), (4, 8, 16)):
            found[f"acf_{name}_{a}_{b}_{c}"] = float(_log_ratio(at[a] - at[b], at[b] - at[c], 1e-2))
    found["acf_peak"] = float(_log_ratio(mean[0] * 2 - mean[1], picture.net_variance))
    found["acf_zero"] = float(_log_ratio(float(lags[0, 0]) - mean[0], mean[0] - mean[3]))
    return found


def _content(picture: Picture) -> dict[str, float]:
    """Tell the kind of picture: its grey values, how its structure is directed."""
    values = picture.over_valid(picture.smooth(2.25), 0)[::3]
    centred = values - values.mean(dtype=np.float32)
    squared = centred * centred
    m2 = max(float(np.mean(squared, dtype=np.float32)), 1e-9)
    found = {
        "grey_skew": float(np.mean(centred * squared, dtype=np.float32) / m2**1.5),
        "grey_kurt": float(np.log(np.mean(squared * squared, dtype=np.float32) / m2**2)),
        "bulk": float(_log_ratio(m2, picture.net_variance)),
    }
    rows, columns = (n // _BLOCK * _BLOCK for n in picture.grey.shape)
    cut = picture.smooth(2.25)[:rows, :columns]
    cut = cut.reshape(rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK).mean(axis=(1, 3))
    found["middle"] = float(_log_ratio(float(cut.var()), m2))
    halves = cut[: len(cut) // 3 * 3, : cut.shape[1] // 3 * 3]
    halves = halves.reshape(halves.shape[0] // 3, 3, halves.shape[1] // 3, 3).mean(axis=(1, 3))
    found["coarse"] = float(_log_ratio(float(halves.var()), m2))
    blurred = picture.smooth(1.5)
    down = blurred[2::2, 1:-1:2] - blurred[:-2:2, 1:-1:2]
    right = (blurred[1:-1:2, 2::2] - blurred[1:-1:2, :-2:2])[: len(down), : down.shape[1]]
    down = down[: len(right), : right.shape[1]]
    yy, xx, yx = (float(np.vdot(*v)) for v in ((down, down), (right, right), (down, right)))
    found["directed"] = float(np.hypot(yy - xx, 2 * yx) / max(yy + xx, 1e-9))
    found["across"] = float((yy - xx) / max(yy + xx, 1e-9))
    return found


def features(picture: Picture) -> dict[str, float]:
    """Work out all numbers of a tile, by name."""
    maps = _Maps.of(picture)
    return {
        **_spectral(picture),
        **_gradients(picture, maps),
        **_edges(picture, maps),
        **_blocks(picture, maps),
        **_correlation(picture),
        **_content(picture),
    }
