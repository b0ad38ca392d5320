"""Signed defocus and astigmatism from two frames: errors by dose, and three real frames.

    python benchmarks/focus_pair.py DATA [--trials N]

DATA is the folder of the shared data sets.  Frames at z + d and z - d of the strongest tile of
the 28 licence-clean pictures: z up to 6 steps of 0.4 px on both sides, astigmatism up to 2 steps,
Gaussian probes; and disc probes without astigmatism.  Prints the median absolute error of z
and of the vector of astigmatism in steps, how often the sign is right where it is given and z is
beyond 1 step, and how often it is left open.  The pairs of ``focus-triple`` are known in um; the
blur of a um is not, so that only their ratios can be judged.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import irfft2, rfft2

from focus_series import pictures
from napari_sem_tools.evaluation.focus_protocol import (
    DOSES,
    SIGMA_PER_STEP_PX,
    TILE_PX,
    blurred,
    exposed,
    focus_tiles,
    seed_of,
    unit_grey,
)
from napari_sem_tools.focus.series.pair import PairDefocus, pair_defocus

MARGIN = 40  # px round a tile, so that its rim is blurred by what lies beyond
TRIPLE = (8.324, 13.324, 18.324)  # um from focus


def astigmatic(plane: np.ndarray, z: float, cosine: float, sine: float) -> np.ndarray:
    """Blur by a Gaussian probe with astigmatism; positions in steps."""
    probe = SIGMA_PER_STEP_PX * np.array([[z + cosine, sine], [sine, z - cosine]])
    covariance = probe @ probe
    padded = np.pad(plane, MARGIN, mode="reflect")
    down, right = np.fft.fftfreq(padded.shape[0])[:, None], np.fft.rfftfreq(padded.shape[1])
    form = covariance[0, 0] * right**2 + covariance[1, 1] * down**2
    form = form + 2 * covariance[0, 1] * right * down
    seen = irfft2(rfft2(padded) * np.exp(-2 * np.pi**2 * form), s=padded.shape)
    return np.asarray(seen[MARGIN:-MARGIN, MARGIN:-MARGIN])


def trial(plane: np.ndarray, d: float, disc: bool, rng: np.random.Generator) -> list[tuple]:
    """Make a pair at a random defocus and find it again, at each dose."""
    z, size, angle = rng.uniform(-6, 6), rng.uniform(0, 2), rng.uniform(0, np.pi)
    vector = (0.0, 0.0) if disc else (size * np.cos(2 * angle), size * np.sin(2 * angle))
    ((row, column),) = focus_tiles(plane, 1)
    box = (slice(row, row + TILE_PX[0]), slice(column, column + TILE_PX[1]))
    seen = [
        (blurred(plane, SIGMA_PER_STEP_PX * abs(place), "disc") if disc
         else astigmatic(plane, place, *vector))[box]
        for place in (z + d, z - d)
    ]  # fmt: skip
    rows = []
    for dose in DOSES:
        frames = [exposed(tile, dose, rng) for tile in seen]
        found = pair_defocus(*frames, step=2 * d, blur_per_unit=SIGMA_PER_STEP_PX)
        rows.append((dose, z, *vector, found))
    return rows


def report(title: str, rows: list[tuple]) -> None:
    """Print the errors by dose."""
    print(f"{title}: {len(rows) // len(DOSES)} pairs")
    for dose in DOSES:
        some = [row for row in rows if row[0] == dose]
        known = [row for row in some if row[4].defocus is not None]
        z = np.array([row[1] for row in known])
        off = np.abs(np.array([row[4].defocus for row in known]) - z)
        claimed = np.array([row[4].defocus_error for row in known])
        vector = np.array([row[4].astigmatism for row in known]) - np.array(
            [row[2:4] for row in known]
        )
        given = [row for row in some if row[4].sharper != "neither" and abs(row[1]) > 1]
        right = [(row[4].sharper == "second") == (row[1] > 0) for row in given]
        beyond = sum(abs(row[1]) > 1 for row in some)
        print(f"  {dose:5g} e/px: z {np.median(off):.2f}, astigmatism "
              f"{np.median(np.hypot(*vector.T)):.2f}, sign right {100 * np.mean(right):.0f} % of "
              f"{len(given)}, open {beyond - len(given)}, within 1.645 standard errors "
              f"{100 * np.mean(off < 1.645 * claimed):.0f} %, "
              f"far {len(some) - len(known)}")  # fmt: skip


def triple(data: Path) -> None:
    """Print what the pairs of three real frames say about each other."""
    frames = []
    for um in (8, 13, 18):
        with Image.open(data / "focus-triple" / f"off-{um:02}um.png") as image:
            frames.append(np.asarray(image.convert("L")))
    found: dict[tuple[int, int], PairDefocus] = {
        (a, b): pair_defocus(frames[a], frames[b], step=TRIPLE[b] - TRIPLE[a], blur_per_unit=1.0)
        for a, b in ((0, 1), (1, 2), (0, 2))
    }
    truth = {(a, b): -(TRIPLE[a] + TRIPLE[b]) / 2 for a, b in found}
    squared = np.mean([found[p].defocus / truth[p] for p in found])
    print(f"three real frames: {np.sqrt(squared):.3f} px of blur a um fit all pairs best")
    for pair, result in found.items():
        cosine, sine = (part / squared for part in result.astigmatism)
        print(f"  {TRIPLE[pair[0]]:g} and {TRIPLE[pair[1]]:g} um: "
              f"z {result.defocus / squared:.1f} um, "
              f"truth {truth[pair]:.1f}, astigmatism ({cosine:.1f}, {sine:.1f}) um, sharper the "
              f"{result.sharper}, odds {result.sign_odds:.0f}")  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--trials", type=int, default=3, help="a picture")
    options = parser.parse_args()
    planes = [(name, unit_grey(field)) for name, field, _ in pictures(options.data, "clean", None)]
    for title, d, disc in (
        ("Gaussian, d = 2 steps", 2.0, False),
        ("Gaussian, d = 4 steps", 4.0, False),
        ("disc, d = 2 steps", 2.0, True),
    ):
        rows = []
        for name, plane in planes:
            rng = np.random.default_rng(seed_of(name, title))
            for _ in range(options.trials):
                rows += trial(plane, d, disc, rng)
        report(title, rows)
    triple(options.data)


if __name__ == "__main__":
    main()
