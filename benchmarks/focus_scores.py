"""How good the mix and single measures are as focus scores, by the protocol of the frames.

    OMP_NUM_THREADS=1 python benchmarks/focus_scores.py DATA_DIR CACHE clean bam emps --mixes CACHE2

CACHE keeps frames and the numbers read from them. ``clean`` are the 28 licence-clean pictures,
each held out once: its score is that of the mix of its fold, which ``tools/fit_focus_mix.py
DATA_DIR CACHE2`` left behind. ``bam`` and ``emps`` (``emps60``: 60 of its pictures,
``emps366``: all, two positions and one probe of each) are held-out
sources, scored by the mix of the package. Intervals of a fold have the width that the other folds
set; those of held-out sources are as wide as the package gives them (``NEW_SOURCE``), and what
they would hold at the width for held-out pictures stands behind, after "narrow"; below, the error
when frames of one picture were scored by hand (`recalibrate`), on the others. Single measures
(``--measures``) are turned into scores by a rising or falling course fitted to frames of the
clean pictures of other folds. ``--network`` adds the network by what
``benchmarks/focus_network.py`` left in CACHE, and both joined. ``--also NAME=FILE`` adds a row of
scores made elsewhere: an NPZ with score, and low and high if there are intervals, one a frame.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from napari_sem_tools.evaluation import FocusErrors, evaluate_focus
from napari_sem_tools.evaluation.focus_protocol import DOSES
from napari_sem_tools.focus.features import features
from napari_sem_tools.focus.levels import levels
from napari_sem_tools.focus.measures.picture import Picture
from napari_sem_tools.focus.measures.table import MEASURES, measures_of
from napari_sem_tools.focus.mix import Mix, mix_of, read_mix
from napari_sem_tools.focus.recalibration import recalibrate
from napari_sem_tools.focus.score import JOINED, NEW_SOURCE

SINGLE = ("NETP", "BAND", "LoG2/var", "SIGM", "EDGW", "LAPV", "VABS")
FOLDS, CLASSES, COVERED = 5, 4, 0.90
SCORE, SPREAD, NINETY = 5, 11, 1.645  # places among the numbers of the network
TAUGHT, TAUGHT_DRAWS = (4, 7, 12), 5
STORE = 500  # frames between two savings of the numbers

Rows = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Frames:
    """The frames of a set.

    Attributes
    ----------
    images : uint8 array (n, 240, 320)
    truth, weight, dose, fold, picture : arrays (n,)
        A frame beside the focus counts twice: its mirror image in position differs by noise.
    source : str array (n,)
    """

    images: NDArray[np.uint8]
    truth: Rows
    weight: NDArray[np.intp]
    dose: Rows
    fold: NDArray[np.intp]
    picture: NDArray[np.intp]
    source: NDArray[np.str_]

    @classmethod
    def of(cls, data: Path, cache: Path, which: str) -> Frames:
        """Make them or find them."""
        sys.path.insert(0, str(Path(__file__).resolve().parent))
        from focus_network import frames

        images, meta, names = frames(data, cache, which)
        groups = [name.rsplit(" ", 1)[1] for name in names]
        kinds = np.array([kind_of(group) for group in groups])
        picture = meta[:, 0].astype(int)
        return cls(
            images, 10 - np.abs(meta[:, 5]), np.where(meta[:, 5] == 0, 1, 2), meta[:, 6],
            meta[:, 1].astype(int), picture, kinds[picture],
        )  # fmt: skip

    def part(self, own: NDArray[np.bool_]) -> Frames:
        """Return some of the frames."""
        names = (field.name for field in dataclasses.fields(self))
        return Frames(**{name: getattr(self, name)[own] for name in names})


def kind_of(group: str) -> str:
    """Tell the source of a group of pictures."""
    known = {"spot": "superalloy", "Sc": "powder", "msa": "msa", "bam": "bam", "emps": "emps"}
    return next((kind for start, kind in known.items() if group.startswith(start)), "coating")


def numbers(
    path: Path, images: NDArray[np.uint8], of: Callable[[Picture], dict[str, float]]
) -> tuple[Rows, list[str]]:
    """Work out numbers of all frames; a run that was stopped goes on."""
    rows: list[list[float]] = []
    names: list[str] = []
    if path.exists():
        with np.load(path) as part:
            rows, names = part["rows"].tolist(), [str(name) for name in part["names"]]
    while len(rows) < len(images):
        for image in images[len(rows) : len(rows) + STORE]:
            found = of(Picture(np.asarray(image, np.float32), depth=255.0))
            rows.append(list(found.values()))
            names = list(found)
        np.savez(path, rows=np.array(rows, np.float32), names=names)
    return np.array(rows, np.float32), names


def line(name: str, frames: Frames, score: NDArray[np.floating], bounds: Rows | None) -> str:
    """Return a row of the table."""
    twice = np.repeat(np.arange(len(frames.truth)), frames.weight)
    errors = evaluate_focus(
        frames.truth[twice], np.clip(score, 0, 10)[twice], pictures=frames.picture[twice],
        intervals=None if bounds is None else bounds[twice],
    )  # fmt: skip
    dose, source = frames.dose[twice], frames.source[twice]
    by_dose = " ".join(f"{errors.part(dose == d).rmse:.2f}" for d in DOSES)
    kinds = sorted(set(source)) if len(set(source)) > 1 else []
    by_kind = " ".join(f"{kind} {errors.part(source == kind).rmse:.2f}" for kind in kinds)
    inside = "" if bounds is None else f" {covered(errors, dose)}"
    kinds_of = f"mae {errors.mae:.2f} bias {errors.bias:+.2f} rank {errors.spearman:.3f}"
    whole = errors.rmse_estimate(n_boot=1000)
    return f"{name:<12} {whole} {kinds_of} | {by_dose} | {by_kind}{inside}"


def covered(errors: FocusErrors, dose: Rows) -> str:
    """Say how many intervals hold the truth: of all frames and by dose."""
    parts = " ".join(f"{100 * errors.part(dose == d).coverage:.0f}" for d in DOSES)
    return f"| inside {100 * errors.coverage:.1f} % ({parts})"


def narrow(frames: Frames, score: NDArray[np.floating], bounds: Rows) -> str:
    """Say how many frames lie inside at the width for held-out pictures of known sources."""
    half = np.maximum(bounds[:, 1] - score, score - bounds[:, 0]) / NEW_SOURCE
    inside = np.abs(score - frames.truth) <= half + 1e-9
    return f" narrow {100 * np.average(inside, weights=frames.weight):.1f} %"


def after_teaching(frames: Frames, score: NDArray[np.floating], count: int) -> str:
    """Say the error when some frames of one picture were scored by hand: of all other pictures."""
    rng, found = np.random.default_rng(0), []
    for picture in np.unique(frames.picture):
        own = np.flatnonzero(frames.picture == picture)
        for _ in range(TAUGHT_DRAWS if len(own) >= count else 0):
            shown = rng.choice(own, count, replace=False)
            learned = recalibrate(np.clip(score[shown], 0, 10), frames.truth[shown])
            other = frames.picture != picture
            error = np.asarray(learned(np.clip(score[other], 0, 10))) - frames.truth[other]
            found.append(np.sqrt(np.average(error**2, weights=frames.weight[other])))
    if not found:
        return f"  {count} frames of one picture: there are not so many"
    low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
    return f"  {count} frames of one picture taught: {middle:.2f} (10-90 %: {low:.2f}-{high:.2f})"


def by_course(
    values: Rows, frames: Frames, learned: Rows, taught: Frames, sharper: bool
) -> NDArray[np.float64]:
    """Turn a measure into a score by the closest rising course on frames of other folds."""
    sign = 1.0 if sharper else -1.0
    score = np.zeros(len(values))
    for fold in np.unique(frames.fold):
        own = frames.fold == fold
        teach = (
            (taught.fold != fold) if frames.source[own][0] in set(taught.source) else slice(None)
        )
        x = np.nan_to_num(sign * learned[teach], nan=-1e30)
        order = np.argsort(x, kind="stable")
        weight = taught.weight[teach][order].astype(float)
        steps = isotonic_regression(taught.truth[teach][order], weights=weight).x
        score[own] = np.interp(np.nan_to_num(sign * values[own], nan=-1e30), x[order], steps)
    return score


def mixed(
    rows: Rows, names: Sequence[str], frames: Frames, mixes: Sequence[Mix]
) -> tuple[Rows, Rows]:
    """Return score and bounds: of the mix of the fold, or of the mix of the package."""
    if mixes:
        score, error = np.zeros(len(rows)), np.zeros(len(rows))
        for fold in np.unique(frames.fold):
            own = frames.fold == fold
            score[own], error[own] = mixes[fold].expected(rows[own])
        half = widened(np.abs(score - frames.truth), error, rows[:, names.index("snr")], frames)
    else:
        score, half = read_mix()(rows)
        half = half * NEW_SOURCE
    return score, np.stack([np.maximum(score - half, 0), np.minimum(score + half, 10)], axis=1)


def widened(miss: Rows, error: Rows, snr: Rows, frames: Frames) -> NDArray[np.float64]:
    """Return the half widths of intervals, each fold by what the others missed."""
    half = np.zeros(len(miss))
    for fold in np.unique(frames.fold):
        own, other = frames.fold == fold, frames.fold != fold
        limits = np.quantile(snr[other], np.arange(1, CLASSES) / CLASSES)
        place = np.searchsorted(limits, snr)
        for kind in range(CLASSES):
            taught = other & (place == kind)
            factor = np.quantile(
                miss[taught] / error[taught], COVERED, weights=frames.weight[taught].astype(float),
                method="inverted_cdf",
            )  # fmt: skip
            chosen = own & (place == kind)
            half[chosen] = factor * error[chosen]
    return half


def with_network(
    rows: Rows, score: Rows, bounds: Rows, factor: float
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return scores and bounds of the network, and of network and mix joined as `focus` does."""
    other = np.clip(10 * rows[:, SCORE], 0, 10)
    wide = factor * NINETY * 10 * np.exp(np.clip(rows[:, SPREAD], -6, 4) / 2)
    half = np.maximum(bounds[:, 1] - score, score - bounds[:, 0])
    both, between = 0.5 * (score + other), 0.5 * np.abs(score - other)
    joint = np.maximum(JOINED * 0.5 * (half + wide), between)
    return {
        name: (middle, np.stack([np.maximum(middle - h, 0), np.minimum(middle + h, 10)], axis=1))
        for name, middle, h in (("network", other, wide), ("both", both, joint))
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("which", nargs="+", choices=["clean", "bam", "emps", "emps60", "emps366"])
    parser.add_argument("--mixes", type=Path, required=True, help="folder of fold-0.npz ...")
    parser.add_argument("--measures", action="store_true", help="single measures too")
    parser.add_argument("--network", action="store_true", help="of rows_SET.npz in CACHE")
    parser.add_argument("--also", nargs="*", default=[], help="NAME=FILE, one set at a time")
    options = parser.parse_args()
    folds = []
    for number in range(FOLDS):
        with np.load(options.mixes / f"fold-{number}.npz") as part:
            folds.append(mix_of(dict(part)))

    taught = Frames.of(options.data, options.cache, "clean")
    for which in options.which:
        frames = Frames.of(options.data, options.cache, which)
        size = f"{len(set(frames.picture))} pictures, {frames.weight.sum()} frames"
        print(f"\n{which}: {size}; RMSE [95 %] | infinite 100 20 5 e/px | by source | inside")
        print(line("constant", frames, np.full(len(frames.truth), 10 - 110 / 21), None))
        if options.measures:
            print_measures(options.cache, which, frames, taught)
        table = print_scores(options, which, frames, folds)
        for name, file in (text.split("=", 1) for text in options.also):
            print_also(name, file, frames, table)


def print_measures(cache: Path, which: str, frames: Frames, taught: Frames) -> None:
    """Print the rows of single measures."""

    def single(picture: Picture) -> dict[str, float]:
        return measures_of(picture, SINGLE)

    values, names = numbers(cache / f"measures_{which}.npz", frames.images, single)
    learned, _ = numbers(cache / "measures_clean.npz", taught.images, single)
    for column, name in enumerate(names):
        sharper = bool(MEASURES[name].larger_is_sharper)
        score = by_course(values[:, column], frames, learned[:, column], taught, sharper)
        print(line(name, frames, score, None), flush=True)


def print_scores(
    options: argparse.Namespace, which: str, frames: Frames, folds: Sequence[Mix]
) -> dict[str, tuple[NDArray[np.floating], Rows]]:
    """Print the rows of the mix, the network and both; return their scores and bounds."""
    parts = [
        numbers(options.cache / f"{kind}_{which}.npz", frames.images, of)
        for kind, of in (("features", features), ("levels", levels))
    ]
    rows, names = np.concatenate([part[0] for part in parts], 1), parts[0][1]
    new = which != "clean"
    score, bounds = mixed(rows, names, frames, [] if new else folds)
    table = {"mix": (score, bounds)}
    if options.network:
        with np.load(options.cache / f"rows_{which}.npz") as part:
            table |= with_network(part["rows"], score, bounds, NEW_SOURCE if new else 1.0)
    for name, found in table.items():
        print(line(name, frames, *found) + (narrow(frames, *found) if new else ""), flush=True)
    if new:
        last, _ = list(table.values())[-1]
        print("\n".join(after_teaching(frames, last, count) for count in TAUGHT))
    return table


def print_also(
    name: str, file: str, frames: Frames, table: dict[str, tuple[NDArray[np.floating], Rows]]
) -> None:
    """Print the row of scores of a file; where frames have none, ours of the same frames too."""
    with np.load(file) as part:
        has = "low" in part.files
        bounds = np.stack([part["low"], part["high"]], 1) if has else None
        own = np.isfinite(part["score"])
        some = frames.part(own)
        print(line(name, some, part["score"][own], None if bounds is None else bounds[own]))
    for other, (score, _) in table.items() if not own.all() else ():
        print(line(f"  {other}", some, score[own], None))


if __name__ == "__main__":
    main()
