"""Fit the judge of ``segmentation/fusion.py``: ``python tools/fit_judge.py [--model particles]``.

The model looks at simulated pictures that it did not learn from, at all scales, with letters
burnt into half of them.  Of every particle of every look is known whether it is right (an
intersection over union above one half with a true one); a small network learns to tell.
Pictures weigh alike, whether they show three particles or three hundred.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_sem_tools.files import write_text
from napari_sem_tools.models import models
from napari_sem_tools.segmentation.candidates import FEATURES, Overlaps, features_of
from napari_sem_tools.segmentation.instances import Decoding
from napari_sem_tools.segmentation.looking import Looker, scaled_grey
from napari_sem_tools.simulation.distractors import burn_in
from napari_sem_tools.simulation.training_scene import stacked_scene, training_scene

KEPT = Path(__file__).resolve().parents[1] / "src/napari_sem_tools/segmentation/judge.json"
SEED, SIZE_PX, DIAMETERS_PX = 555, 640, (8.0, 260.0)
SCALES = (2.0, 1.0, 0.5, 0.25, 0.125)
HIDDEN, STEPS, BATCH, DECAY = 24, 1500, 4096, 0.1

Floats = NDArray[np.float64]


def picture(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.bool_]]:
    """Draw an image, its truth, and what counts for nothing."""
    if number % 6 == 5:  # small particles in heaps are the hardest to judge
        scene = stacked_scene((SEED, number), size_px=SIZE_PX)
    else:
        scene = training_scene((SEED, number), size_px=SIZE_PX, diameters_px=DIAMETERS_PX)
    image, labels = scene.image.copy(), scene.labels.copy()
    rng = np.random.default_rng((SEED + 1, number))
    if rng.random() < 0.5:
        labels[burn_in(image, rng)] = 0
    return image, labels, scene.ignore


def examples(model: str, number: int) -> tuple[Floats, Floats]:
    """Return features of all particles of all looks at a picture, and whether each is right."""
    torch.set_num_threads(1)
    image, truth, ignore = picture(number)
    everywhere = np.ones(image.shape, bool)
    with models.lease(model, device="cpu") as network:
        grey = scaled_grey(image, everywhere, network.card.input)
        looker = Looker(network, grey, everywhere, Decoding())
        looks = [looker(scale) for scale in SCALES[number % 2 :]]  # not all are enlarged in use
    with_truth = Overlaps([*(look.labels for look in looks), truth.astype(np.int32)])
    right, counts = [], []
    for place, look in enumerate(looks):
        right.append(with_truth.compared(place, len(looks))[:, 0] > 0.5)
        nothing = np.bincount(look.labels.ravel(), ignore.ravel(), look.count + 1)[1:]
        counts.append(nothing <= 0.5 * with_truth.areas[place][1:])
    tables = features_of(looks, Overlaps([look.labels for look in looks]))
    kept = np.concatenate(counts)
    return np.concatenate(tables)[kept], np.concatenate(right)[kept].astype(float)


def fit(features: Floats, right: Floats, weight: Floats) -> dict[str, object]:
    """Learn by weighted cross-entropy; return plain lists."""
    torch.manual_seed(0)
    mean, spread = features.mean(0), features.std(0) + 1e-6
    scaled = torch.from_numpy(np.clip((features - mean) / spread, -5, 5)).float()
    answer, weights = torch.from_numpy(right).float(), torch.from_numpy(weight).float()
    net = torch.nn.Sequential(
        torch.nn.Linear(len(FEATURES), HIDDEN), torch.nn.Tanh(), torch.nn.Linear(HIDDEN, 1)
    )
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        some = torch.randint(len(scaled), (BATCH,))
        error = torch.nn.functional.binary_cross_entropy_with_logits(
            net(scaled[some])[:, 0], answer[some], weight=weights[some]
        )
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        schedule.step()
    first, last = net[0], net[2]
    arrays = {
        "mean": mean,
        "spread": spread,
        "hidden": first.weight.detach().numpy().T,
        "hidden_offset": first.bias.detach().numpy(),
        "out": last.weight.detach().numpy()[0],
    }
    lists = {name: np.round(each, 5).tolist() for name, each in arrays.items()}
    return {"features": list(FEATURES), **lists, "out_offset": round(last.bias.item(), 5)}


def main() -> None:
    """Look at all pictures, fit, and keep the judge in the package."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="particles")
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=KEPT)
    options = parser.parse_args()
    begun = time.monotonic()
    tables, answers, weights = [], [], []
    look = functools.partial(examples, options.model)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for number, (features, right) in enumerate(pool.map(look, range(options.pictures))):
            tables.append(features)
            answers.append(right)
            weights.append(np.full(len(right), 1 / np.sqrt(max(len(right), 1))))
            if number % 20 == 19:
                print(f"{number + 1} pictures, {time.monotonic() - begun:.0f} s", flush=True)
    weight = np.concatenate(weights)
    right = np.concatenate(answers)
    kept = fit(np.concatenate(tables), right, weight / weight.mean())
    note = f"tools/fit_judge.py, {options.pictures} pictures, seed {SEED}, model {options.model}"
    write_text(options.out, json.dumps({"fitted_by": note, **kept}, indent=None) + "\n")
    print(f"{len(right)} particles, {right.mean():.3f} right: {options.out}")


if __name__ == "__main__":
    main()
