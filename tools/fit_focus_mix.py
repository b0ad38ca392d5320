"""Fit the mix of classical measures: ``python tools/fit_focus_mix.py DATA CACHE``.

DATA is the folder of data sets.  CACHE keeps the numbers of all frames, made at the first run
(the better part of an hour).  Of every licence-clean picture and of simulated scenes, frames are
drawn: shrunk, blurred, with less contrast, with noise before and after the blur.  Each fold of
the pictures that judge is held out once to set the width of the intervals; its mix stays in CACHE
for ``benchmarks/focus_scores.py``.  The mix of all pictures becomes the file of the package.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import focus_pictures
from napari_sem_tools.evaluation.focus_protocol import (
    SIGMA_PER_STEP_PX,
    TILE_PX,
    blurred,
    focus_frames,
    fold_of,
    seed_of,
    unit_grey,
)
from napari_sem_tools.files import write_file
from napari_sem_tools.focus.features import features
from napari_sem_tools.focus.measures.picture import Picture
from napari_sem_tools.focus.mix import Mix, mix_of
from napari_sem_tools.training.focus.frames import SharpPicture
from train_focus import source_of

KEPT = Path(__file__).resolve().parents[1] / "src/napari_sem_tools/focus/mix.npz"
SCENES, SCENE_PX = 100, 512
MEMBERS, HIDDEN, EPOCHS, BATCH, RATE, DECAY = 6, (64, 32), 40, 512, 4e-3, 1e-3
DROPPED, SHAKEN = 0.3, 0.1
CLASSES = 4  # of noise, with as many frames each
COVERED = 0.90
FOLDS = 5

Rows = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How frames are drawn of a picture.

    Attributes
    ----------
    shrunk : tuple of float
        By how much the picture is made smaller first.
    tiles, blurs : int
        Of each shrunk picture.
    spoilt : bool
        Less contrast, and noise that was there before the blur.
    """

    shrunk: tuple[float, ...]
    tiles: int
    blurs: int
    spoilt: bool


DRAWINGS = {
    "plain": Drawing((1.0, 1.5, 2.2), 2, 4, spoilt=False),
    "spoilt": Drawing((1.0, 1.8), 2, 4, spoilt=True),
    "far": Drawing((1.0,), 1, 4, spoilt=False),
}
TILES = {"superalloy": 2, "coating": 6, "powder": 8, "msa": 2}
DOSES = (np.inf, 100.0, 20.0, 5.0)
LEAST_DOSE, MOST_BLUR_PX = 100.0, 1.1  # of a scene that is sharp and clear
LEAST = -4.0  # below 0 the scale goes on, so that far frames keep their order
FAR = (0.3, 9.0)  # share of frames of a scene blurred beyond the scale, and by how much, px


def shrunk(field: NDArray[Any], factor: float) -> NDArray[np.float64] | None:
    """Make a picture smaller, in unit grey; None where no tile is left of it."""
    from skimage.transform import resize

    shape = tuple(round(n / factor) for n in field.shape)
    if shape[0] < TILE_PX[0] or shape[1] < TILE_PX[1]:
        return None
    small = field if factor == 1 else resize(
        field, shape, order=1, anti_aliasing=True, preserve_range=True
    )  # fmt: skip
    return unit_grey(np.asarray(small, float))


def corners(plane: NDArray[np.float64], count: int, rng: np.random.Generator) -> list[Any]:
    """Draw tiles that show something."""
    found: list[tuple[slice, slice]] = []
    for _ in range(12):
        first = [int(rng.integers(0, n - side + 1))
                 for n, side in zip(plane.shape, TILE_PX, strict=True)]  # fmt: skip
        box = (slice(first[0], first[0] + TILE_PX[0]), slice(first[1], first[1] + TILE_PX[1]))
        if plane[box].std() >= 0.03:
            found.append(box)
        if len(found) == count:
            break
    return found


def spoilt(plane: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Give a picture noise of its own and less contrast, about another mean."""
    noisy = plane + rng.choice([0, rng.uniform(0, 0.12)]) * rng.standard_normal(plane.shape)
    contrast = np.exp(rng.uniform(np.log(0.12), 0))
    return np.clip(contrast * (noisy - noisy.mean()) + rng.uniform(0.2, 0.7), 0.02, 1.1)


def recorded(tile: NDArray[np.float64], dose: float, rng: np.random.Generator) -> Rows:
    """Record a tile as the protocol does; many electrons are drawn by their normal limit."""
    if np.isfinite(dose):
        mean = tile.mean()
        if dose < 25:
            tile = rng.poisson(np.maximum(tile, 0) * dose / mean) * mean / dose
        else:
            spread = np.sqrt(np.maximum(tile, 0) * mean / dose)
            tile = tile + spread * rng.standard_normal(tile.shape, np.float32)
    return np.clip(np.rint(160 * rng.uniform(0.9, 1.1) * tile), 0, 255).astype(np.float32)


def drawn(
    field: NDArray[Any], how: Drawing, rng: np.random.Generator, far: float = 0.0
) -> Iterator[tuple[Rows, float]]:
    """Draw frames of a picture, each with its true score."""
    for factor in how.shrunk:
        plane = shrunk(field, factor)
        if plane is None:
            continue
        boxes = corners(plane, how.tiles, rng)
        for number in range(how.blurs):
            wide = rng.random() < far
            sigma = 0.0 if number == 0 else rng.uniform(4.0, FAR[1]) if wide else rng.uniform(0, 4)
            spread = blurred(spoilt(plane, rng) if how.spoilt else plane, sigma,
                             "gauss" if rng.random() < 0.5 else "disc")  # fmt: skip
            for box in boxes:
                for dose in DOSES:
                    image = recorded(spread[box], dose * np.exp(rng.uniform(-0.5, 0.5)), rng)
                    yield image, max(10.0 - sigma / SIGMA_PER_STEP_PX, LEAST)


def of_scene(number: int, kind: str) -> Iterator[tuple[Rows, float]]:
    """Draw frames of a simulated picture of particles, also blurred beyond the scale."""
    from napari_sem_tools.simulation.training_scene import training_scene

    found = training_scene((77, number), size_px=SCENE_PX, diameters_px=(9.0, 200.0))
    taken = found.recipe.exposure
    blur = np.hypot(taken.blur_px, taken.resampled_px)
    if found.recipe.arrangement == "nothing" or taken.dose < LEAST_DOSE or blur > MOST_BLUR_PX:
        return
    how = dataclasses.replace(DRAWINGS[kind], shrunk=(1.0,))
    yield from drawn(found.image, how, np.random.default_rng(seed_of(number, kind)), FAR[0])


def kept(
    path: Path,
    frames: Iterator[tuple[Rows, float]],
    of: Callable[[Picture], dict[str, float]] = features,
) -> tuple[Rows, Rows, list[str]]:
    """Return the numbers of frames and their truth, from the cache if they are there."""
    if not path.exists():
        pairs = [(of(Picture(image)), truth) for image, truth in frames]
        if pairs:
            rows = np.array([list(found.values()) for found, _ in pairs], np.float32)
            np.savez(path, rows=rows, truth=[t for _, t in pairs], names=list(pairs[0][0]))
        else:
            np.savez(path, rows=np.zeros((0, 0)), truth=[], names=[])
    with np.load(path) as part:
        return part["rows"], part["truth"].astype(np.float32), [str(n) for n in part["names"]]


@dataclasses.dataclass(frozen=True, eq=False)
class Set:
    """The numbers of all frames of all pictures.

    Attributes
    ----------
    rows, truth, weight, group : arrays
        By frame.
    judges : bool array
        Frames of the protocol, by which the width of the intervals is set.
    names : list of str
    """

    rows: Rows
    truth: Rows
    weight: Rows
    group: NDArray[np.str_]
    judges: NDArray[np.bool_]
    names: list[str]


def judged(picture: SharpPicture) -> Iterator[tuple[Rows, float]]:
    """Make the frames by which a picture judges, one of two that differ by noise alone."""
    count = TILES[source_of(picture)]
    for frame in focus_frames(picture.name, picture.grey, count, positions=range(11)):
        if frame.position or frame.psf == "gauss":
            yield frame.image.astype(np.float32), frame.score


def gathered(data: Path, cache: Path) -> Set:
    """Make or read the numbers of all pictures."""
    cache.mkdir(parents=True, exist_ok=True)
    clean = focus_pictures.clean(data)
    real = [*clean, *focus_pictures.kin(data), *focus_pictures.others(data)]
    parts = [
        (*kept(cache / f"judged-{picture.name}.npz", judged(picture)), picture.group, True)
        for picture in clean
    ]
    for kind, how in DRAWINGS.items():
        for picture in real:
            rng = np.random.default_rng(seed_of(picture.name, kind))
            frames = drawn(picture.grey, how, rng, float(kind == "far"))
            path = cache / f"{kind}-{picture.name}.npz"
            parts.append((*kept(path, frames), picture.group, False))
        for number in range(SCENES if kind != "far" else 0):  # scenes are drawn far as well
            path = cache / f"{kind}-scene-{number}.npz"
            parts.append((*kept(path, of_scene(number, kind)), f"scene-{number}", False))
    parts = [part for part in parts if len(part[0])]
    return Set(
        np.concatenate([rows for rows, *_ in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([np.full(len(part[0]), len(part[0]) ** -0.5) for part in parts]),
        np.concatenate([np.full(len(part[0]), part[3]) for part in parts]),
        np.concatenate([np.full(len(part[0]), part[4]) for part in parts]),
        parts[0][2],
    )


def member(signal: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor, seed: int) -> nn.Module:
    """Fit one perceptron: squared error of the score, and the likelihood of its error."""
    torch.manual_seed(seed)
    first, second = HIDDEN
    net = nn.Sequential(
        nn.Linear(signal.shape[1], first), nn.SiLU(), nn.Dropout(DROPPED),
        nn.Linear(first, second), nn.SiLU(), nn.Linear(second, 2),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    steps = len(signal) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * steps + 1)
    for _ in range(EPOCHS):
        order = torch.randperm(len(signal))
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            rows = signal[chosen]
            said = net(rows + SHAKEN * torch.randn_like(rows))
            error = (said[:, 0] - truth[chosen] / 10) ** 2
            spread = said[:, 1].clamp(-6, 4)
            likely = error.detach() * 100 / torch.exp(spread) + spread
            loss = (weight[chosen] * (30 * error + 0.02 * likely)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def fitted(data: Set, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Fit a mix to the chosen frames; return the arrays of its file."""
    small = np.sign(data.rows) * np.log1p(np.abs(data.rows))
    middle = np.median(small[chosen], axis=0)
    spread = np.maximum(small[chosen].std(axis=0), 1e-3)
    signal = torch.from_numpy(np.clip((small[chosen] - middle) / spread, -4, 4).astype(np.float32))
    truth = torch.from_numpy(data.truth[chosen])
    weight = torch.from_numpy(data.weight[chosen] / data.weight[chosen].mean())
    nets = [member(signal, truth, weight, seed) for seed in range(MEMBERS)]
    layers = [[layer for layer in net if isinstance(layer, nn.Linear)] for net in nets]
    arrays: dict[str, Any] = {
        "names": np.array(data.names), "middle": middle.astype(np.float32),
        "spread": spread.astype(np.float32), "limits": np.zeros(CLASSES - 1),
        "factors": np.ones(CLASSES),
    }  # fmt: skip
    for place in range(len(layers[0])):
        arrays[f"weight{place}"] = np.stack(
            [net[place].weight.detach().numpy().T for net in layers]
        ).astype(np.float16)
        arrays[f"offset{place}"] = np.stack(
            [net[place].bias.detach().numpy()[None] for net in layers]
        ).astype(np.float32)
    return arrays


def conformal(
    snr: NDArray[Any], ratio: NDArray[Any], weight: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bounds of the classes of noise and the factor of each: 90 % lie inside."""
    limits = np.quantile(snr, np.arange(1, CLASSES) / CLASSES)
    place = np.searchsorted(limits, snr)
    factors = [
        np.quantile(ratio[place == k], COVERED, weights=weight[place == k], method="inverted_cdf")
        for k in range(CLASSES)
    ]
    return limits, np.array(factors)


def groups_of(data: Path, name: str) -> set[str]:
    """Return the groups of a fold (``fold-0``) or a source (``source-powder``)."""
    kind, _, which = name.partition("-")
    clean = focus_pictures.clean(data)
    if kind == "fold":
        return {p.group for p in clean if fold_of(p.group) == int(which)}
    found = {picture.group for picture in clean if source_of(picture) == which}
    if which == "coating":
        found |= {focus_pictures.specimen(path.stem) for path in focus_pictures.coating(data)}
    return found


def main() -> None:
    """Fit all folds and sources, set the intervals, fit the whole."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = gathered(options.data, options.cache)
    clean = set(data.group[data.judges])
    fold = np.array([fold_of(group) if group in clean else -1 for group in data.group])
    held: dict[str, list[Any]] = {"score": [], "error": [], "place": []}
    mixes: list[Mix] = []
    for number in range(FOLDS):
        arrays = fitted(data, fold != number)
        np.savez_compressed(options.cache / f"fold-{number}.npz", **arrays)
        mixes.append(mix_of(arrays))
        out = np.flatnonzero((fold == number) & data.judges)
        score, error = mixes[-1].expected(data.rows[out])
        for name, values in zip(held, (score, error, out), strict=True):
            held[name].append(values)
    for name in (f"source-{kind}" for kind in TILES):
        out = np.isin(data.group, list(groups_of(options.data, name)))
        np.savez_compressed(options.cache / f"{name}.npz", **fitted(data, ~out))
    score, error, out = (np.concatenate(held[name]) for name in held)
    miss = np.abs(score - data.truth[out])
    snr = data.rows[out, data.names.index("snr")]
    limits, factors = conformal(snr, miss / error, data.weight[out])
    found = fitted(data, np.ones(len(data.truth), bool)) | {"limits": limits, "factors": factors}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **found)
    write_file(KEPT, buffer.getvalue())
    rmse = float(np.sqrt(np.average(np.square(miss), weights=data.weight[out])))
    print(f"{len(data.truth)} frames, held-out RMSE {rmse:.2f}, "
          f"factors {factors.round(2).tolist()}, "
          f"{len(buffer.getvalue()) / 1e3:.0f} kB, {zlib.crc32(buffer.getvalue())}")  # fmt: skip


if __name__ == "__main__":
    main()
