"""Best focus of series: hits through focus, three images, cover of the intervals.

    python benchmarks/focus_series.py DATA [through three intervals search] [--sets clean bam emps]
                                      [--images N] [--measures NAME ...] [--doses D ...]

DATA is the folder of the shared data sets.  Frames are those of the protocol
(`napari_sem_tools.evaluation.focus_protocol`); BAM and EMPS are looked at, nothing is tuned on
them.  ``through``: 21 frames, -10 to 10 steps of 0.4 px; a hit is a best position within one
step, and the bare argmax of measures stands beside `focus_series`.  ``three``: frames at -h, 0
and h steps round an origin that is up to 2 steps out of focus; mean absolute error in steps.
``intervals``: how often the 90 % interval holds the focus of simulated series.  ``search``:
frames that `suggest_move` takes from a bad start with a simulated microscope.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from napari_sem_tools.evaluation.focus_protocol import (
    DOSES,
    POSITIONS,
    SIGMA_PER_STEP_PX,
    TILE_PX,
    blurred,
    exposed,
    focus_tiles,
    seed_of,
    unit_grey,
)
from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.measures.table import MEASURES, measures_of
from napari_sem_tools.focus.series.curve import vertex
from napari_sem_tools.focus.series.moves import Move, suggest_move
from napari_sem_tools.focus.series.series import focus_series
from napari_sem_tools.focus.series.sharpness import SERIES_MEASURE, Look, look_at

COATING = (
    "021519_3_1426C-100cyc0008",
    "040617_3_S0410019",
    "040617_3_S0410028",
    "050317_3_S0440026",
)
BAM_ROWS = 712  # above the data bar
STEPS = (2, 4, 6)
LIMIT = 50.0  # of a search, in units of position
OUT = 2.0  # steps that the origin of three images may be out of focus
THREE = (
    SERIES_MEASURE, "LoG2n/netvar", "LoG2/var", "GDER2/mean2", "LoG4/mean2", "EDGW", "GDER2",
    "LAPV", "VABS",
)  # fmt: skip
Picture = tuple[str, np.ndarray, int]


def grey(path: Path) -> np.ndarray:
    """Read a picture as the mean of its channels."""
    with Image.open(path) as image:
        plain = image.convert("RGB") if image.mode in ("P", "RGBA") else image
        pixels = np.asarray(plain, float)
    return pixels.mean(axis=-1) if pixels.ndim == 3 else pixels


def clean(data: Path) -> Iterator[tuple[Path, int]]:
    """List the 28 pictures of the protocol with the number of tiles."""
    yield from ((p, 2) for p in sorted((data / "nasa/superalloy/images").glob("*.png")))
    yield from ((data / "nasa/coating/images" / f"{stem}.png", 6) for stem in COATING)
    yield from ((p, 8) for p in sorted((data / "powder/images").glob("*.png")))
    yield from ((p, 2) for p in sorted((data / "msa-em-nanoparticles").glob("*/images/*")))


def pictures(data: Path, which: str, limit: int | None) -> Iterator[Picture]:
    """Read the pictures of a set: name, field, tiles; of a limit, evenly spread over the set."""
    if which == "clean":
        listed = list(clean(data))
    else:
        folder = {"bam": "bam/images", "emps": "emps-train/images"}[which]
        listed = [(path, 1) for path in sorted((data / folder).glob("*.*"))]
    if limit is not None and limit < len(listed):
        places = np.linspace(0, len(listed) - 1, limit).round().astype(int)
        listed = [listed[place] for place in places]
    for path, tiles in listed:
        yield path.name, grey(path)[: BAM_ROWS if which == "bam" else None], tiles


def all_series(
    name: str, field: np.ndarray, tiles: int, doses: Sequence[float]
) -> Iterator[tuple[float, str, list[np.ndarray]]]:
    """Make the series of a picture: dose, PSF, frames; as `focus_frames`, of some doses alone."""
    plane = unit_grey(field)
    for psf in ("gauss", "disc"):
        planes = [blurred(plane, SIGMA_PER_STEP_PX * step, psf) for step in range(11)]
        for corner in focus_tiles(plane, tiles):
            box = tuple(slice(c, c + n) for c, n in zip(corner, TILE_PX, strict=True))
            for dose in doses:
                seeds = [seed_of(name, corner, z, dose) for z in POSITIONS]
                yield dose, psf, [
                    exposed(planes[abs(z)][box], dose, np.random.default_rng(seed))
                    for z, seed in zip(POSITIONS, seeds, strict=True)
                ]  # fmt: skip


def find_through(
    name: str, field: np.ndarray, tiles: int, doses: Sequence[float], measures: Sequence[str]
) -> list[tuple]:
    """Return dose, PSF and what was found for each series of a picture."""
    rows = []
    for dose, psf, frames in all_series(name, field, tiles, doses):
        found = focus_series(frames, POSITIONS, measures=measures)
        top = [POSITIONS[int(np.nanargmax(found.curves[m]))] for m in (SERIES_MEASURE, *measures)]
        held = found.interval[0] <= 0 <= found.interval[1]
        rows.append((dose, psf, found.best, held, *top))
    return rows


def through(
    data: Path, sets: Sequence[str], limit: int | None, wanted: Sequence[float],
    measures: Sequence[str],
) -> None:  # fmt: skip
    """Print the share of best positions within one step, by set and dose."""
    measures = [name for name in measures if name != SERIES_MEASURE]
    for which in sets:
        start, rows = time.process_time(), []
        for name, field, tiles in pictures(data, which, limit):
            rows += find_through(name, field, tiles, wanted, measures)
        doses = np.array([row[0] for row in rows])
        best = np.abs(np.array([row[2] for row in rows]))
        tops = np.abs(np.array([row[4:] for row in rows]))
        print(f"\nthrough focus, {which}: {len(rows)} series, "
              f"{(time.process_time() - start) / 60:.1f} min of CPU")  # fmt: skip
        print(f"{'within one step, %':34}" + "".join(f"{dose:>10g}" for dose in wanted))
        lines = {"focus_series": best <= 1}
        lines |= {
            f"argmax of {name}": tops[:, i] <= 1
            for i, name in enumerate((SERIES_MEASURE, *measures))
        }
        for title, hits in lines.items():
            print(f"{title:34}" + "".join(f"{100 * hits[doses == d].mean():10.2f}" for d in wanted))
        print(f"{'mean error, steps':34}"
              + "".join(f"{np.nanmean(best[doses == d]):10.3f}" for d in wanted))  # fmt: skip
        held = np.array([row[3] for row in rows])
        print(f"{'90 % interval holds, %':34}"
              + "".join(f"{100 * held[doses == d].mean():10.1f}" for d in wanted))  # fmt: skip


def parabola(values: Sequence[float], h: float, sharper: bool | None) -> float:
    """Return the top of the parabola through logarithms; the better side without one."""
    y = np.array(values, float)
    y = y if sharper else y**-2.0
    if np.min(y) <= 0 or not np.isfinite(y).all():
        y = np.nan_to_num(np.maximum(y, 1e-9 * np.nanmax(np.abs(y))), nan=1e-12)
    y = np.log(y)
    top = vertex(np.array([-h, 0.0, h]), y)
    if top is not None and abs(top) <= 1.2 * h:
        return top
    return h if y[2] > y[0] else -h


def find_three(name: str, field: np.ndarray, measures: Sequence[str]) -> list[tuple]:
    """Return h, PSF, dose and the error of each measure for the best tile of a picture."""
    plane = unit_grey(field)
    rows = []
    for corner in focus_tiles(plane, 1):
        for psf in ("gauss", "disc"):
            for h in STEPS:
                rng = np.random.default_rng(seed_of(name, corner, psf, h, "three"))
                focus = rng.uniform(-OUT, OUT)
                box = tuple(slice(c, c + n) for c, n in zip(corner, TILE_PX, strict=True))
                tiles = [
                    blurred(plane, SIGMA_PER_STEP_PX * abs(z - focus), psf)[box] for z in (-h, 0, h)
                ]
                for dose in DOSES:
                    frames = [exposed(tile, dose, rng) for tile in tiles]
                    found = focus_series(frames, (-h, 0, h))
                    best = found.best if np.isfinite(found.best) else 0.0
                    errors = [best - focus]
                    if measures:
                        values = [measures_of(picture_of(f), measures) for f in frames]
                        errors += [
                            parabola([v[m] for v in values], h, MEASURES[m].larger_is_sharper)
                            - focus
                            for m in measures
                        ]
                    held = found.interval[0] <= focus <= found.interval[1]
                    rows.append((h, psf, dose, held, *errors))
    return rows


def three(data: Path, sets: Sequence[str], limit: int | None, measures: Sequence[str]) -> None:
    """Print the mean error of the best focus from three images."""
    for which in sets:
        rows = []
        for name, field, _ in pictures(data, which, limit):
            rows += find_three(name, field, measures)
        steps, doses = np.array([r[0] for r in rows]), np.array([r[2] for r in rows])
        errors = np.abs(np.array([r[4:] for r in rows]))
        print(f"\nthree images, {which}: {len(rows) // (len(STEPS) * len(DOSES))} trials a cell, "
              "mean error in steps at infinite/100/20/5 e/px")  # fmt: skip
        print(f"{'':24}" + "".join(f"{f'h = {h}':>28}" for h in STEPS))
        for i, name in enumerate(("focus_series", *measures)):
            cells = [
                " ".join(f"{errors[(steps == h) & (doses == d), i].mean():6.3f}" for d in DOSES)
                for h in STEPS
            ]
            print(f"{name:24}" + "".join(f"{cell:>28}" for cell in cells))
        held = np.array([r[3] for r in rows])
        cells = [
            " ".join(f"{100 * held[(steps == h) & (doses == d)].mean():6.1f}" for d in DOSES)
            for h in STEPS
        ]
        print(f"{'90 % interval holds, %':24}" + "".join(f"{cell:>28}" for cell in cells))


def scene(rng: np.random.Generator) -> np.ndarray:
    """Make a specimen of discs and texture, grey values 0.1 to 1."""
    picture = blurred(rng.random(TILE_PX), 1.0) + 2 * blurred(rng.random(TILE_PX), 4.0)
    rows, columns = np.mgrid[: TILE_PX[0], : TILE_PX[1]]
    for _ in range(60):
        y, x = rng.uniform(0, TILE_PX[0]), rng.uniform(0, TILE_PX[1])
        inside = (rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(4, 20) ** 2
        picture = np.where(inside, picture + rng.uniform(-0.25, 0.25), picture)
    return unit_grey(picture)


def intervals(trials: int) -> None:
    """Print how often the 90 % interval holds the focus of simulated series."""
    ways = {
        "21 frames, 1 apart": np.arange(-10.0, 11.0),
        "7 frames, 3 apart": np.arange(-9.0, 10.0, 3.0),
        "5 frames, 2 apart": np.arange(-4.0, 5.0, 2.0),
        "3 frames, 4 apart": np.array([-4.0, 0.0, 4.0]),
    }
    print(f"\n90 % intervals of {trials} simulated series: % that hold, mean error, "
          "its sd by the interval")  # fmt: skip
    for title, places in ways.items():
        for dose in (100.0, 20.0, 5.0):
            held, errors, claimed = [], [], []
            for trial in range(trials):
                rng = np.random.default_rng((trial, len(places), int(dose)))
                specimen, focus = scene(rng), rng.uniform(-1, 1)
                psf = ("gauss", "disc")[trial % 2]
                blurs = np.hypot(0.8, SIGMA_PER_STEP_PX * (places - focus))
                frames = [exposed(blurred(specimen, s, psf), dose, rng) for s in blurs]
                found = focus_series(frames, places)
                if np.isfinite(found.best):
                    held.append(found.interval[0] <= focus <= found.interval[1])
                    errors.append(found.best - focus)
                    claimed.append(np.subtract(*found.interval[::-1]) / 2 / 1.645)
            print(f"{title:20} {dose:5g} e/px: {100 * np.mean(held):5.1f} %, "
                  f"{np.mean(np.abs(errors)):.3f} (sd {np.std(errors):.3f}, "
                  f"claimed {np.median(claimed):.3f}), {len(held)} found")  # fmt: skip


def drive(focus: float, start: float, dose: float, seed: int) -> tuple[Move, int]:
    """Search with a simulated microscope: 0.4 px of blur a unit, 0.8 px in focus."""
    rng = np.random.default_rng((seed, 5))
    specimen, psf = scene(rng), ("gauss", "disc")[seed % 2]
    history: list[Look] = []
    move = Move(start, "start", stop=False)
    while not move.stop:
        sigma = float(np.hypot(0.8, SIGMA_PER_STEP_PX * (move.position - focus)))
        history.append(look_at(exposed(blurred(specimen, sigma, psf), dose, rng), move.position))
        move = suggest_move(history, limits=(-LIMIT, LIMIT), min_step=0.5)
    return move, len(history)


def search(trials: int) -> None:
    """Print how many frames a search from a bad start takes, and how well it ends."""
    print(f"\nsearch from -{LIMIT:g}, {LIMIT:g} or 0, {trials} times; depth of field 2, "
          "smallest step 0.5")  # fmt: skip
    for dose in DOSES:
        frames, errors, why = [], [], []
        for seed in range(trials):
            focus = float(np.random.default_rng(seed).uniform(-0.9, 0.9)) * LIMIT
            move, count = drive(focus, (-LIMIT, LIMIT, 0.0)[seed % 3], dose, seed)
            frames.append(count)
            errors.append(abs((np.nan if move.position is None else move.position) - focus))
            why.append(move.reason)
        low, high, most = np.percentile(frames, [50, 90, 100])
        print(f"{dose:5g} e/px: frames median {low:.0f}, 90 % {high:.0f}, most {most:.0f}; error "
              f"median {np.median(errors):.2f}, 90 % {np.percentile(errors, 90):.2f}, most "
              f"{np.max(errors):.2f}; {why.count('stop: width below step')} sure")  # fmt: skip


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("parts", nargs="*", default=["through", "three", "intervals", "search"])
    parser.add_argument("--sets", nargs="+", default=["clean", "bam", "emps"])
    parser.add_argument("--images", type=int)
    parser.add_argument("--doses", nargs="+", type=float, default=DOSES)
    parser.add_argument("--measures", nargs="*", default=None)
    parser.add_argument("--trials", type=int, default=100)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if "through" in options.parts:
        names = ["LoG2/var"] if options.measures is None else options.measures
        through(options.data, options.sets, options.images, options.doses, names)
    if "three" in options.parts:
        names = THREE if options.measures is None else options.measures
        three(options.data, options.sets, options.images, names)
    if "intervals" in options.parts:
        intervals(options.trials)
    if "search" in options.parts:
        search(options.trials)


if __name__ == "__main__":
    main()
