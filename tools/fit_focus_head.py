"""Fit the last layers of the focus network to frames of the protocol, and its intervals.

    python tools/fit_focus_head.py DATA SCENES CACHE RUN OUT

RUN is a folder of `train_focus.py` that knows none of the 28 pictures that judge; CACHE holds
their frames (`benchmarks/focus_network.py` writes them).  What the convolutions make of every
frame is worked out once; the head is then fitted in seconds: five times with a fold left out,
whose scores are printed and give the factors of the intervals, and once with all pictures, which
is what ships.  Frames of other pictures keep it general.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import focus_pictures
import train_focus
from napari_sem_tools.training.focus.frames import Drawing, FrameSource
from napari_sem_tools.training.focus.truths import PLANES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import focus_network as judged

RATE, EPOCHS, BATCH, STAY, NOISE = 1e-3, 14, 256, 3e-3, 0.05
OTHERS, OTHERS_SHARE, SEED = 2000, 0.3, 77
SCORE, SPREAD = 5, 11


def seen(network: Any, images: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what goes into the head for each frame, and what comes out."""
    inner: list[np.ndarray] = []
    hook = network.head.register_forward_pre_hook(
        lambda module, given: inner.append(given[0].float().numpy())
    )
    rows = judged.asked(network, images)
    hook.remove()
    return np.concatenate(inner), rows


def other_frames(data: Path, scenes: Path) -> tuple[np.ndarray, np.ndarray]:
    """Draw frames of other pictures as the protocol would, with their scores."""
    sets = train_focus.shared(focus_pictures.others(data), 0.75)
    sets += train_focus.shared(focus_pictures.scenes(scenes), 0.25)
    drawing = Drawing(240, 320, plain=1, resized=0.15, empty=0, tilted=0, astigmatic=0)
    source = FrameSource(sets, drawing, seed=SEED)
    drawn = [source.batch(number, 16) for number in range(OTHERS // 16)]
    truth = np.concatenate([t[:, PLANES.index("score")].mean((1, 2)) for _, t in drawn])
    return np.concatenate([images[:, 0] for images, _ in drawn]), truth


def fitted(
    network: Any, inner: np.ndarray, rows: np.ndarray, truth: np.ndarray, weight: np.ndarray
) -> Any:
    """Fit the score and its spread; the other numbers and the weights stay near."""
    torch.manual_seed(0)
    head = copy.deepcopy(network.head).train()
    before = [p.detach().clone() for p in head.parameters()]
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=0)
    x, y, w, said = (torch.from_numpy(a.astype(np.float32)) for a in (inner, truth, weight, rows))
    keep = [n for n in range(rows.shape[1]) if n not in (SCORE, SPREAD)]
    count, step = len(x) // BATCH, 0
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for part in range(count):
            index = order[part * BATCH : (part + 1) * BATCH]
            for group in optimiser.param_groups:
                group["lr"] = RATE * 0.5 * (1 + np.cos(np.pi * step / (EPOCHS * count)))
            step += 1
            given = x[index]
            made = head(given + NOISE * torch.randn_like(given) * given.abs().clamp(max=2))
            error = (made[:, SCORE] - y[index] / 10).square()
            spread = made[:, SPREAD].clamp(-6, 4)
            likely = 0.5 * (error.detach() * (-spread).exp() + spread)
            same = (made[:, keep] - said[index][:, keep]).square().mean()
            near = sum(
                (p - q).square().sum() for p, q in zip(head.parameters(), before, strict=True)
            )
            loss = (w[index] * (20 * error + 0.2 * likely)).mean() + 0.3 * same + STAY * near
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return head.eval()


def balanced(kinds: np.ndarray) -> np.ndarray:
    """Weigh frames so that each set counts alike, the others as their share says."""
    weight = np.zeros(len(kinds))
    names = sorted(set(kinds) - {"others"})
    for name in names:
        weight[kinds == name] = (1 - OTHERS_SHARE) / len(names) / (kinds == name).sum()
    weight[kinds == "others"] = OTHERS_SHARE / max((kinds == "others").sum(), 1)
    return np.minimum(weight / weight.mean(), 3)


def said_by(head: Any, inner: np.ndarray) -> np.ndarray:
    """Return the numbers of a head."""
    with torch.inference_mode():
        return np.asarray(head(torch.from_numpy(inner.astype(np.float32))).numpy())


def main() -> None:
    """Fit, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("data", "scenes", "cache", "run", "out"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = judged.network_of(str(options.run))
    images, meta, names = judged.frames(options.data, options.cache, "clean")
    inner, rows = seen(network, images)
    others, other_truth = other_frames(options.data, options.scenes)
    other_inner, other_rows = seen(network, others)
    truth, weight = 10 - np.abs(meta[:, 5]), np.where(meta[:, 5] == 0, 1.0, 2.0)
    groups = np.array([name.rsplit(" ", 1)[1] for name in names])[meta[:, 0].astype(int)]
    kinds = np.array([kind_of(group) for group in groups])
    judged.table("clean, before", rows, meta, kinds)
    own, out = np.zeros_like(rows), options.out

    def fit(train: np.ndarray) -> Any:
        """Fit to some of the frames, and to all others."""
        parts = zip((inner[train], rows[train], truth[train], kinds[train]),
                    (other_inner, other_rows, other_truth, np.full(len(others), "others")),
                    strict=True)  # fmt: skip
        x, said, y, kind = (np.concatenate(pair) for pair in parts)
        return fitted(network, x, said, y, balanced(kind))

    for fold in np.unique(meta[:, 1]):
        test = meta[:, 1] == fold
        own[test] = said_by(fit(~test), inner[test])
    whole = judged.table("clean, held out", own, meta, kinds)
    crossed = judged.crossed(own, meta, truth, weight)
    corrected = judged.table("clean, corrected", crossed, meta, kinds)
    by = judged.calibration(own, truth, weight)
    state = load_file(options.run / "weights.safetensors")
    head = fit(np.ones(len(meta), bool))
    state |= {f"head.{name}": value.contiguous() for name, value in head.state_dict().items()}
    out.mkdir(parents=True, exist_ok=True)
    save_file(state, out / "weights.safetensors")
    (out / "calibration.json").write_text(json.dumps(by))
    better = min((whole, corrected), key=lambda found: found["value"])
    judged.keep(out / "scores.json", "clean", better)
    np.savez(out / "rows_clean.npz", rows=own, meta=meta)


def kind_of(group: str) -> str:
    """Tell of which set the pictures of a group are."""
    if group == "msa":
        return "msa"
    if group.startswith("Sc"):
        return "powder"
    return "superalloy" if group.startswith("spot") else "coating"


if __name__ == "__main__":
    main()
