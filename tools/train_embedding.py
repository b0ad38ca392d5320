"""Train the learned embedding: ``python tools/train_embedding.py FOLDER DATA``.

Learns from pictures of simulated specimens (several fields, magnifications and recordings of
one recipe), from simulated scenes and from licence-clean micrographs; DATA is the folder of the
shared data sets.  What the benchmark of classification tests is held out by name: superalloy,
coating, powder, BAM and EMPS; spheroidite and STEM catalysts are held out for choosing.  Pictures
of one specimen shall lie together, apart from other specimens *of the same source*; linear heads
tell the signal, the families and the size of simulated particles.  Starts from the encoder of the
packaged ``particles`` network, which learned from simulated scenes alone.  Resumes where it was
stopped.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.io import imread

from napari_sem_tools.models.networks.embedding_fcn import EmbeddingFCN
from napari_sem_tools.simulation.bodies import FAMILIES
from napari_sem_tools.simulation.training_scene import specimen_scenes

SPECIMENS, PICTURES = 360, 4
SHARDS = 30  # files of 25 scenes, as `train_particles.py` renders them
HELD_BACK = 60  # specimens that choose, the last ones
SIDE_PX, BATCH = 160, 48
SIGNALS = ("secondary electrons", "backscattered electrons", "bright field", "dark field")
REAL = {  # source: pattern below DATA
    "axons": "more/axons-sem/images/*",
    "nffa": "more/nffa-particles/images/*",
    "nffa originals": "nffa/*/[LP]*.jpg",
    "nffa thumbnails": "nffa/*/thumb_*.png",
    "raw": "more/raw-sem/images/*",
    "graphene": "more/graphene-contamination/images/*",
    "steel": "more/am-steel-defects/images/*",
    "msa": "msa-em-nanoparticles/*/images/*",
}
ROWS = {"nffa": 600, "nffa originals": 628, "raw": 700}  # above the strip
SHARES = {"specimens": 0.5, "scenes": 0.2, "real": 0.3}
LN_ZOOM, INVERTED, TEMPERATURE = 0.4, 0.1, 0.1
RATE, HEAD_RATE, SHARPNESS, OFTEN = 3e-4, 1e-3, 8.0, 20
PARTS = ("network", "heads", "optimiser", "plan")

Grey = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A picture to learn from: where it came from, what it shows of, what is known of it."""

    source: str
    specimen: str
    grey: Grey
    recipe: dict[str, Any] | None = None


def simulated(folder: Path, *, scenes: bool = True) -> tuple[list[Picture], list[Picture]]:
    """Return pictures of specimens and single scenes; the former are rendered once."""
    specimens, single = [], []
    for number in range(SPECIMENS):
        kept = folder / "spec" / f"{number:04d}.npz"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            made = specimen_scenes((4711, number), PICTURES)
            recipe = json.dumps(made[0].recipe.to_dict())
            np.savez_compressed(kept, images=np.stack([one.image for one in made]), recipe=recipe)
        with np.load(kept) as held:
            recipe = json.loads(str(held["recipe"]))
            specimens += [Picture("specimens", str(number), one, recipe) for one in held["images"]]
    shards = sorted((folder / "scenes").glob("scenes-*.npz"))[: SHARDS if scenes else 0]
    for path in shards:
        with np.load(path) as held:
            recipes = json.loads(bytes(held["recipes"]))
            for number, grey in enumerate(held["images"]):
                single.append(Picture("scenes", f"{path.stem} {number}", grey, recipes[number]))
    return specimens, single


def real(data: Path, sets: Mapping[str, str] = REAL) -> list[Picture]:
    """Return licence-clean pictures; each is a specimen by itself."""
    found = []
    for source, pattern in sets.items():
        for path in sorted(data.glob(pattern)):
            pixels = imread(path)[: ROWS.get(source)]
            grey = (pixels if pixels.ndim == 2 else pixels[..., :3].mean(-1)).astype(float)
            grey *= 255 / max(grey.max(), 1)
            found.append(Picture(source, path.stem, grey.astype(np.uint8)))
    return found


def view(
    picture: Picture, rng: np.random.Generator, side_px: int = SIDE_PX
) -> tuple[NDArray[np.float32], bool]:
    """Cut a part, zoom, turn, and record it anew; ranks of the grey values, and if inverted."""
    rows, columns = picture.grey.shape
    side = int(np.clip(side_px * np.exp(rng.uniform(-LN_ZOOM, LN_ZOOM)), 96, min(rows, columns)))
    top, left = rng.integers(rows - side + 1), rng.integers(columns - side + 1)
    cut = picture.grey[top : top + side, left : left + side].astype(np.float32)
    part = torch.nn.functional.interpolate(
        torch.from_numpy(cut)[None, None], (side_px, side_px), mode="bilinear", antialias=True
    )[0, 0].numpy()
    if rng.random() < 0.5:
        part = part[::-1]
    part = np.rot90(part, rng.integers(4)) / 255
    if rng.random() < 0.4:
        part = gaussian_filter(part, rng.uniform(0, 1.2))
    if rng.random() < 0.5:
        dose = np.exp(rng.uniform(np.log(15), np.log(400)))
        part = part + rng.normal(size=part.shape) * np.sqrt(np.maximum(part, 0.02) / dose)
    inverted = bool(rng.random() < INVERTED)
    return ranks(-part if inverted else part), inverted


def ranks(part: NDArray[Any]) -> NDArray[np.float32]:
    """Replace grey values by their ranks, in 1024 levels."""
    low, high = float(part.min()), float(part.max())
    level = ((part - low) * (1023 / max(high - low, 1e-6))).astype(np.intp)
    count = np.bincount(level.ravel(), minlength=1024)
    middle = (np.cumsum(count) - 0.5 * count) / level.size
    return middle.astype(np.float32)[level]


def batches(pools: dict[str, list[Picture]], rng: np.random.Generator) -> Iterator[list[Picture]]:
    """Draw pictures for a step: two or more of a specimen, the rest its rivals."""
    by = {name: grouped(pool) for name, pool in pools.items()}
    while True:
        kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
        each = 2 if kind == "scenes" else 4
        groups = by[kind]
        chosen = rng.permutation(len(groups))[: BATCH // each]
        yield [
            groups[k][number]
            for k in chosen
            for number in rng.choice(len(groups[k]), each, replace=len(groups[k]) < each)
        ]


def grouped(pool: list[Picture]) -> list[list[Picture]]:
    """Gather the pictures of each specimen."""
    found: dict[tuple[str, str], list[Picture]] = {}
    for one in pool:
        found.setdefault((one.source, one.specimen), []).append(one)
    return list(found.values())


def likeness_loss(vectors: torch.Tensor, chosen: list[Picture]) -> torch.Tensor:
    """Pull views of a specimen together, away from other specimens of the same source."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    names = np.array([f"{one.source}/{one.specimen}" for one in chosen])
    sources = np.array([one.source for one in chosen])
    same = torch.from_numpy(np.equal.outer(names, names))
    rival = torch.from_numpy(np.equal.outer(sources, sources))
    own = torch.eye(len(chosen), dtype=torch.bool)
    logits = (unit @ unit.T / TEMPERATURE).masked_fill(own | ~rival, -1e4)
    logs = logits - logits.logsumexp(1, keepdim=True)
    pairs = same & ~own
    alone = (rival.sum(1) == same.sum(1))[:, None]  # no rival of its source in this step
    weight = (pairs & ~alone).float()
    return -(logs * weight).sum() / weight.sum().clamp(min=1)


def known_loss(told: torch.Tensor, chosen: list[Picture], seen: list[Any]) -> torch.Tensor:
    """Tell signal, families and size of simulated particles."""
    rows = [k for k, one in enumerate(chosen) if one.recipe is not None]
    if not rows:
        return told.sum() * 0
    recipes = [chosen[k].recipe or {} for k in rows]
    names = list(FAMILIES)
    family = torch.tensor([[float(n in one["families"]) for n in names] for one in recipes])
    upright = [not (seen[k][1] or one["exposure"]["inverted"])
               for k, one in zip(rows, recipes, strict=True)]  # fmt: skip
    signal = torch.tensor([SIGNALS.index(one["signal"]) for one in recipes])
    told = told[rows]
    count = len(names)
    of_family = torch.nn.functional.binary_cross_entropy_with_logits(told[:, :count], family)
    of_signal = torch.nn.functional.cross_entropy(
        told[:, count : count + len(SIGNALS)], signal, reduction="none"
    )
    of_signal = (of_signal * torch.tensor(upright).float()).mean()
    return of_family + 0.3 * of_signal


def started(weights: Path) -> EmbeddingFCN:
    """Build the network with the encoder of the particles network."""
    from safetensors.torch import load_file

    torch.manual_seed(0)
    network = EmbeddingFCN()
    held = {name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in load_file(weights).items()}  # fmt: skip
    own = network.state_dict()
    network.load_state_dict({name: held[name] for name in own if name in held}, strict=False)
    return network


class Course:
    """Network, heads, optimiser and plan of a training, and where it stands."""

    def __init__(self, network: EmbeddingFCN, steps: int) -> None:
        self.network = network
        self.heads = torch.nn.Linear(network.embedding, len(FAMILIES) + len(SIGNALS))
        slow = list(network.encoder.parameters())
        fast = [*network.head.parameters(), *self.heads.parameters()]
        self.optimiser = torch.optim.AdamW(
            [{"params": slow, "lr": RATE}, {"params": fast, "lr": HEAD_RATE}], weight_decay=1e-2
        )
        self.plan = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, [RATE, HEAD_RATE], total_steps=steps, pct_start=0.1
        )
        self.step = 0

    def save(self, path: Path) -> None:
        """Keep everything that is needed to go on."""
        parts = {name: getattr(self, name).state_dict() for name in PARTS}
        torch.save({"step": self.step} | parts, path)

    def load(self, path: Path) -> None:
        """Go on where it was stopped."""
        held = torch.load(path, weights_only=True)
        self.step = int(held["step"])
        for name in PARTS:
            getattr(self, name).load_state_dict(held[name])

    def learn(self, chosen: list[Picture], rng: np.random.Generator) -> tuple[float, float]:
        """Take a step; return both losses."""
        seen = [view(one, rng) for one in chosen]
        vectors = self.network(torch.from_numpy(np.stack([one[0] for one in seen]))[:, None])
        alike = likeness_loss(vectors, chosen)
        unit = torch.nn.functional.normalize(vectors, dim=1)
        known = known_loss(self.heads(unit * SHARPNESS), chosen, seen)
        self.optimiser.zero_grad()
        (alike + known).backward()
        self.optimiser.step()
        self.plan.step()
        self.step += 1
        return alike.item(), known.item()


def main() -> None:
    """Train until the steps are done; a checkpoint every twenty."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--start", type=Path, help="weights of the particles network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    specimens, scenes = simulated(options.folder)
    specimens = specimens[: (SPECIMENS - HELD_BACK) * PICTURES]
    pools = {"specimens": specimens, "scenes": scenes, "real": real(options.data)}
    course = Course(started(options.start or packaged()), options.steps)
    kept = options.folder / "checkpoint.pt"
    if kept.exists():
        course.load(kept)
    rng = np.random.default_rng((4713, course.step))
    course.network.train()
    losses = []
    for chosen in batches(pools, rng):
        if course.step >= options.steps:
            break
        losses.append(course.learn(chosen, rng))
        if course.step % OFTEN == 0 or course.step == options.steps:
            alike, known = np.mean(losses, axis=0)
            print(f"{course.step}: alike {alike:.3f}, known {known:.3f}", flush=True)
            losses = []
            course.save(kept)


def packaged() -> Path:
    """Return the weights of the packaged particles network."""
    from importlib.resources import files

    folder = Path(str(files("napari_sem_tools") / "weights" / "particles"))
    return sorted(folder.glob("*/weights.safetensors"))[-1]


if __name__ == "__main__":
    main()
