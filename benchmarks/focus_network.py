"""Scores of the focus network by the protocol, the factor of its intervals, and its peers.

    python benchmarks/focus_network.py DATA CACHE clean --runs RUN0 RUN1 RUN2 RUN3 RUN4
    python benchmarks/focus_network.py DATA CACHE bam --runs RUN
    python benchmarks/focus_network.py DATA CACHE emps60 --runs RUN

DATA is the folder of data sets; CACHE keeps the frames (a gigabyte for the 28 pictures).  A RUN
is a folder of ``tools/train_focus.py``, or the name of a model of the registry.  ``clean`` are the
28 licence-clean pictures: five runs, each scored on the fold that it left out; with
``--calibration FILE`` the factors of the intervals are fitted to them and written.
Frames of +z and -z differ in their noise alone: those of z <= 0 are taken, the others weighted in.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from napari_sem_tools.evaluation import focus_protocol as protocol
from napari_sem_tools.focus.network import scores_of, standardised
from napari_sem_tools.models import models
from napari_sem_tools.models.architectures import build

TOOLS = Path(__file__).resolve().parents[1] / "tools"
TILES = {"superalloy": 2, "coating": 6, "powder": 8, "msa": 2}
BAM_ROWS = 712
SCORE, SNR, SPREAD, IMAGE, INFORMS = 5, 3, 11, 13, 12
BINS, LEAST = (-0.5, 2.5), 50  # of ln SNR; frames of a class
NINETY = 1.645
DRAWS = 1000
HOW = {
    "clean": "28 pictures, each held out once in five grouped folds",
    "bam": "all 34 pictures, a source never seen",
    "emps": "all 366 pictures, a source never seen",
    "emps60": "60 of 366 pictures, a source never seen",
    "emps366": "all 366 pictures, two positions and one probe of each, a source never seen",
}
Rows = np.ndarray


def listed(data: Path, which: str) -> list[tuple[str, str, int, np.ndarray]]:
    """Return name, group, tiles and field of the pictures of a set."""
    sys.path.insert(0, str(TOOLS))
    import focus_pictures
    from train_focus import source_of

    if which == "clean":
        return [
            (p.name, p.group, TILES[source_of(p)], np.asarray(p.grey, float))
            for p in focus_pictures.clean(data)
        ]
    from napari_sem_tools import read

    folder, rows = ("bam", BAM_ROWS) if which == "bam" else ("emps-train", None)
    paths = sorted((data / folder / "images").glob("*.*"))
    if which == "emps60":  # those of the first table of measures
        places = np.round(np.linspace(0, len(paths) - 1, 120)).astype(int)[:60]
        paths = [paths[place] for place in places]
    return [(p.name, which, 1, np.asarray(read(p).grey, float)[:rows]) for p in paths]


def frames(data: Path, cache: Path, which: str) -> tuple[np.ndarray, Rows, list[str]]:
    """Make the frames of a set, or find them; meta: picture, fold, corner, disc, z, dose."""
    paths = [cache / f"{part}_{which}.npy" for part in ("frames", "meta")]
    names = cache / f"names_{which}.txt"
    if not all(path.exists() for path in (*paths, names)):
        made, meta, said = [], [], []
        for number, (name, group, count, field) in enumerate(listed(data, which)):
            said.append(f"{name} {group}")
            fold = protocol.fold_of(group)
            for f in drawn(which, number, name, field, count):
                if f.position <= 0:
                    made.append(f.image)
                    disc = float(f.psf == "disc")
                    meta.append((number, fold, *f.corner, disc, f.position, f.dose))
        cache.mkdir(parents=True, exist_ok=True)
        np.save(paths[0], np.array(made))
        np.save(paths[1], np.array(meta))
        names.write_text("\n".join(said))
    return np.load(paths[0], mmap_mode="r"), np.load(paths[1]), names.read_text().split("\n")


def drawn(
    which: str, number: int, name: str, field: np.ndarray, count: int
) -> Iterator[protocol.FocusFrame]:
    """Draw the frames of a picture; of ``emps366`` two positions and one probe, in turn."""
    if which != "emps366":
        yield from protocol.focus_frames(name, field, count)
        return
    plane = protocol.unit_grey(field)
    psf = ("gauss", "disc")[number // 11 % 2]
    for corner in protocol.focus_tiles(plane, count):
        for position in (-(3 * number % 11), -((3 * number + 5) % 11)):
            blur = protocol.SIGMA_PER_STEP_PX * abs(position)
            tile = protocol.blurred(plane, blur, psf)[
                tuple(slice(c, c + n) for c, n in zip(corner, protocol.TILE_PX, strict=True))
            ]
            for dose in protocol.DOSES:
                seed = protocol.seed_of(name, corner, position, dose)
                image = protocol.exposed(tile, dose, np.random.default_rng(seed))
                yield protocol.FocusFrame(corner, psf, position, dose, image)


def network_of(run: str) -> Any:
    """Load the network of a run, or of a model of the registry."""
    path = Path(run) / "weights.safetensors"
    if not path.exists():
        card, path = models[run], models.on_disk.weights(run)
        network = build(card.architecture, card.arguments)
    else:
        network = build("focus-fcn")
    state = {name: t.float() if t.is_floating_point() else t for name, t in load_file(path).items()}
    network.load_state_dict(state)
    return network.eval().to(memory_format=torch.channels_last)


def asked(network: Any, images: np.ndarray, batch: int = 8) -> Rows:
    """Return what a network says of frames: 13 numbers each, or its score alone."""
    alone = not hasattr(network, "cell_head")
    made = []
    for first in range(0, len(images), batch):
        part = [
            f / np.float32(255) if alone else standardised(f) for f in images[first : first + batch]
        ]
        tensor = torch.from_numpy(np.stack(part).astype(np.float32))[:, None]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found = network(tensor.contiguous(memory_format=torch.channels_last)).float().numpy()
        made.append(found if alone else found[:, IMAGE:, 0, 0])
    return np.concatenate(made)


def said(rows: Rows) -> np.ndarray:
    """Return the scores."""
    if rows.shape[1] == 1:
        return np.clip(rows[:, 0], 0, 10)
    return scores_of(np.concatenate([rows, rows], 1)[..., None, None])


def rmse(error: np.ndarray, weight: np.ndarray) -> float:
    """Return the root of the weighted mean square."""
    return float(np.sqrt((weight * error**2).sum() / weight.sum()))


def interval(error: np.ndarray, weight: np.ndarray, picture: np.ndarray) -> list[float]:
    """Return the 95 % interval of the RMSE when pictures are resampled."""
    rng = np.random.default_rng(0)
    kinds = np.unique(picture)
    sums = np.array(
        [[(weight * error**2)[picture == k].sum(), weight[picture == k].sum()] for k in kinds]
    )
    drawn = sums[rng.integers(len(kinds), size=(DRAWS, len(kinds)))].sum(1)
    return np.quantile(np.sqrt(drawn[:, 0] / drawn[:, 1]), [0.025, 0.975]).tolist()


def calibration(rows: Rows, truth: np.ndarray, weight: np.ndarray) -> dict[str, list[float]]:
    """Fit by what spreads are multiplied in three classes of noise: the 90 % quantile."""
    error = np.abs(np.clip(10 * rows[:, SCORE], 0, 10) - truth)
    ratio = error / (10 * np.exp(np.clip(rows[:, SPREAD], -6, 4) / 2))
    kind = np.digitize(rows[:, SNR], BINS)
    factors = []
    for number in range(len(BINS) + 1):
        own = kind == number if (kind == number).sum() > LEAST else np.ones(len(kind), bool)
        order = np.argsort(ratio[own])
        share = np.cumsum(weight[own][order]) / weight[own].sum()
        factors.append(float(ratio[own][order][np.searchsorted(share, 0.9)]) / NINETY)
    return {"spread_nodes": np.round(factors, 3).tolist()}


def corrected(rows: Rows, by: dict[str, list[float]]) -> Rows:
    """Correct as the network does with these arguments."""
    if not by:
        return rows
    network = build("focus-fcn", by).eval()
    with torch.inference_mode():
        return np.asarray(network._calibrated(torch.from_numpy(rows)).numpy())


def covered(rows: Rows, truth: np.ndarray) -> np.ndarray:
    """Tell which intervals hold the truth."""
    half = NINETY * 10 * np.exp(np.clip(rows[:, SPREAD], -6, 4) / 2)
    score = 10 * rows[:, SCORE]
    return (truth >= np.minimum(score - half, 10) - 1e-9) & (
        truth <= np.maximum(score + half, 0) + 1e-9
    )


def table(title: str, rows: Rows, meta: Rows, kinds: np.ndarray) -> dict[str, float]:
    """Print how good the scores are."""
    truth = 10 - np.abs(meta[:, 5])
    weight = np.where(meta[:, 5] == 0, 1.0, 2.0)
    error = said(rows) - truth
    doses = " ".join(
        f"{rmse(error[meta[:, 6] == d], weight[meta[:, 6] == d]):.2f}" for d in protocol.DOSES
    )
    whole, (low, high) = rmse(error, weight), interval(error, weight, meta[:, 0])
    text = f"{title:<22} {whole:.2f} [{low:.2f}, {high:.2f}]  inf/100/20/5: {doses}"
    if rows.shape[1] > 1:
        text += f"  covered {100 * np.average(covered(rows, truth), weights=weight):.1f} %"
    print(text)
    for kind in sorted(set(kinds)) if len(set(kinds)) > 1 else ():
        print(f"    {kind:<18} {rmse(error[kinds == kind], weight[kinds == kind]):.2f}")
    return {"value": round(whole, 3), "low": round(low, 3), "high": round(high, 3)}


def keep(path: Path, which: str, found: dict[str, float]) -> None:
    """Write a score for the card of the model."""
    kept = json.loads(path.read_text()) if path.exists() else []
    kept = [row for row in kept if row["data_set"] != which]
    path.write_text(
        json.dumps([*kept, {"metric": "RMSE", "data_set": which, "split": HOW[which], **found}])
    )


def crossed(rows: Rows, meta: Rows, truth: np.ndarray, weight: np.ndarray) -> Rows:
    """Correct the frames of each fold by what the other folds teach."""
    kept = rows.copy()
    for fold in np.unique(meta[:, 1]):
        own = meta[:, 1] == fold
        kept[own] = corrected(rows[own], calibration(rows[~own], truth[~own], weight[~own]))
    return kept


def main() -> None:
    """Score a set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("which", choices=list(HOW))
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--calibration", type=Path, help="written for clean, read for others")
    parser.add_argument("--scores", type=Path, help="JSON for the card of the model")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, meta, names = frames(options.data, options.cache, options.which)
    truth, weight = 10 - np.abs(meta[:, 5]), np.where(meta[:, 5] == 0, 1.0, 2.0)
    sources = np.array([name.rsplit(" ", 1)[1] for name in names])[meta[:, 0].astype(int)]
    sources = np.array([s[:2] for s in sources])  # sp, co.., Sc, ms: enough to tell sets apart
    if len(options.runs) == 1:
        rows = asked(network_of(options.runs[0]), images)
    else:
        rows = None
        for fold, run in enumerate(options.runs):
            own = np.flatnonzero(meta[:, 1] == fold)
            if not len(own):
                continue
            part = asked(network_of(run), images[own])
            rows = np.zeros((len(meta), part.shape[1]), np.float32) if rows is None else rows
            rows[own] = part
    np.savez(options.cache / f"rows_{options.which}.npz", rows=rows, meta=meta)
    found = table(f"{options.which}, as it says", rows, meta, sources)
    if options.calibration and rows.shape[1] > 1:
        if options.which == "clean":
            found = table("clean, corrected", crossed(rows, meta, truth, weight), meta, sources)
            options.calibration.write_text(json.dumps(calibration(rows, truth, weight)))
        else:
            by = json.loads(options.calibration.read_text())
            found = table(f"{options.which}, corrected", corrected(rows, by), meta, sources)
    if options.scores:
        keep(options.scores, options.which, found)


if __name__ == "__main__":
    main()
