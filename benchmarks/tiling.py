"""Tiles beside `monai.inferers.sliding_window_inference`: the engine, the run, the memory.

    OMP_NUM_THREADS=1 python benchmarks/tiling.py [--large] [--edge 4096]

Same network, tiles of 512 px, overlap of 64 px and smooth weights for both.  CPU seconds of one
process, both threads of ours counted; memory is the peak of a process of its own above what it
had before the run.  Without MONAI our own figures are printed.  ``--large`` runs
16384 x 16384 uint8 from zarr to class labels in zarr, in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from napari_sem_tools.models.networks.folded_unet import FoldedUNet
from napari_sem_tools.models.tiling import Tiling, predict_tiled

TILE_PX, OVERLAP_PX = 512, 64
OURS = Tiling(TILE_PX, halo_px=28, multiple_of=32)  # 2 x 28 px and 8 px of blending
SMALL = (8, 16)  # a network that takes little memory, so that the engine's is seen
LARGE_EDGE = 16_384
MIB = 2**20


def ready(shape: tuple[int, ...]) -> torch.Tensor:
    """Make maps of two channels that need no computing."""
    return torch.rand(shape[0], 2, *shape[2:], generator=torch.Generator().manual_seed(0))


def network(kind: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a network that only answers, a small one, or one of the size that ships."""
    if kind == "identity":
        answers: dict[tuple[int, ...], torch.Tensor] = {}

        def answer(batch: torch.Tensor) -> torch.Tensor:
            key = tuple(batch.shape)
            if key not in answers:
                answers[key] = ready(key)
            return answers[key]

        return answer
    torch.manual_seed(0)
    net = FoldedUNet(SMALL, outputs=2) if kind == "small" else FoldedUNet(outputs=2)
    return net.eval().to(memory_format=torch.channels_last)


def ours(net: Callable[[torch.Tensor], torch.Tensor], image: np.ndarray) -> np.ndarray:
    """Run our engine."""

    def predict(batch: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)
        return net(tensor).numpy()

    with torch.inference_mode():
        return predict_tiled(predict, image, tiling=OURS, channels=2)


def monai(net: Callable[[torch.Tensor], torch.Tensor], image: np.ndarray) -> np.ndarray:
    """Run MONAI's."""
    from monai.inferers import sliding_window_inference

    def predict(batch: torch.Tensor) -> torch.Tensor:
        return net(batch.contiguous(memory_format=torch.channels_last))

    with torch.inference_mode():
        maps = sliding_window_inference(
            torch.from_numpy(image)[None, None],
            (TILE_PX, TILE_PX),
            1,
            predict,
            overlap=OVERLAP_PX / TILE_PX,
            mode="gaussian",
        )
    return maps[0].numpy()


def bare(net: Callable[[torch.Tensor], torch.Tensor], image: np.ndarray) -> None:
    """Run the network over the same tiles and throw the answer away."""
    spans = [OURS.spans(n) for n in image.shape]
    with torch.inference_mode():
        for row in spans[0]:
            for column in spans[1]:
                tile = image[row.start : row.stop, column.start : column.stop].copy()
                tensor = torch.from_numpy(tile)[None, None]
                net(tensor.contiguous(memory_format=torch.channels_last))


WAYS: dict[str, Callable[..., Any]] = {"ours": ours, "MONAI": monai, "bare": bare}


def cpu_s(work: Callable[[], object], runs: int) -> float:
    """Return the least CPU time of some runs: other programs only add to it."""
    work()
    times = []
    for _ in range(runs):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def peak_in_child(arguments: list[str]) -> list[str]:
    """Run a part of this file in a process of its own and return its words."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


def measure_peak(way: str, kind: str, edge: int) -> None:
    """Print the peak memory above the image and the loaded network, in bytes per pixel."""
    net = network(kind)
    image = np.random.default_rng(0).random((edge, edge), np.float32)
    WAYS[way](net, image[:TILE_PX, :TILE_PX])
    before = peak_bytes()
    WAYS[way](net, image)
    print((peak_bytes() - before) / image.size)


def peak_bytes() -> int:
    """Return the most memory that this process had so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def run_large(edge: int) -> None:
    """Class labels of a large image from zarr to zarr; print peak MiB, CPU s, and the base."""
    import zarr

    net = network("small")
    with tempfile.TemporaryDirectory() as folder:
        image, labels = (
            zarr.open(str(Path(folder) / name), mode="w", shape=(edge, edge), chunks=(1024, 1024),
                      dtype="u1") for name in ("image.zarr", "labels.zarr")
        )  # fmt: skip
        rng = np.random.default_rng(0)
        for first in range(0, edge, 1024):
            image[first : first + 1024] = rng.integers(0, 255, (1024, edge), np.uint8)

        def predict(batch: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                tensor = torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)
                return net(tensor).numpy()

        base = peak_bytes()
        begin = time.process_time()
        predict_tiled(
            predict, image, tiling=Tiling(1024, halo_px=28, multiple_of=4), channels=2, out=labels,
            prepare=lambda window: window.astype(np.float32) / 255,
            finish=lambda maps: maps.argmax(0).astype(np.uint8),
        )  # fmt: skip
        print(peak_bytes() / MIB, time.process_time() - begin, base / MIB)


def compare(edge: int, runs: int) -> dict[str, float]:
    """Print the three figures, and return the ratios to MONAI."""
    ways = [w for w in ("ours", "MONAI") if w == "ours" or importlib.util.find_spec("monai")]
    figures: dict[str, dict[str, float]] = {}
    figures["peak memory, bytes/px"] = {  # first: a child inherits the peak of its parent
        way: statistics.median(
            float(peak_in_child(["peak", way, "small", str(edge)])[0]) for _ in range(3)
        )
        for way in ways
    }
    image = np.random.default_rng(0).random((edge, edge), np.float32)
    net = network("identity")
    figures["engine alone, ns/px"] = {
        way: cpu_s(lambda way=way: WAYS[way](net, image), runs) / image.size * 1e9 for way in ways
    }
    net = network("shipped size")
    figures["whole run, CPU s"] = {
        way: cpu_s(lambda way=way: WAYS[way](net, image), max(runs // 2, 2))
        for way in [*ways, "bare"]
    }
    ratios = {}
    for name, values in figures.items():
        told = "   ".join(f"{way} {value:.3g}" for way, value in values.items())
        if "MONAI" in values:
            ratios[name] = values["ours"] / values["MONAI"]
            told += f"   ours / MONAI {ratios[name]:.3f}"
        if "bare" in values:
            told += f"   ours / bare {values['ours'] / values['bare']:.3f}"
        print(f"{name:24} {told}")
    return ratios


def main() -> int:
    """Compare, and run the large image if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--edge", type=int, default=4096)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="16384 x 16384, zarr to zarr")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.child and args.child[0] == "peak":
        measure_peak(args.child[1], args.child[2], int(args.child[3]))
        return 0
    if args.child:
        run_large(int(args.child[1]))
        return 0
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
          f"torch {torch.__version__}; {args.edge} x {args.edge}, one thread")  # fmt: skip
    if args.large:
        peak, seconds, base = map(float, peak_in_child(["large", str(LARGE_EDGE)]))
        print(f"{LARGE_EDGE} x {LARGE_EDGE} uint8 to labels on disk: peak {peak:.0f} MiB in all, "
              f"{peak - base:.0f} above what was loaded before, {seconds:.0f} CPU s")  # fmt: skip
    compare(args.edge, args.runs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
