"""Networks in a process of their own beside the same in this process: time and memory.

    OMP_NUM_THREADS=1 python benchmarks/own_process.py [--edge 2048]

A network of the size that ships, tiles of 512 px.  Processor seconds of both processes
together; what is added is the price of copying tiles and maps through shared memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

RUNS = 3
MIB = 2**20
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def add_network(folder: Path) -> Any:
    """Put a network of the size that ships, untrained, into a store."""
    import torch
    from safetensors.torch import save

    from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel
    from napari_sem_tools.models.locations import Place
    from napari_sem_tools.models.networks.folded_unet import FoldedUNet
    from napari_sem_tools.models.store import Store
    from napari_sem_tools.models.weights import describe

    torch.manual_seed(0)
    raw = save(FoldedUNet().state_dict())
    card = ModelCard(
        name="benchmark",
        version="1.0.0",
        task="segmentation",
        architecture="folded-unet",
        weights=describe(raw, file="weights.safetensors"),
        licence="BSD-3-Clause",
        created="2026-11-21",
        input=InputSpec(halo_px=64, multiple_of=32),
        outputs=tuple(OutputChannel(n, n, "sigmoid") for n in ("foreground", "border", "distance")),
    )
    store = Store([Place(folder, "user")])
    store.add(card, lambda file: file.write(raw))
    return store


def cpu_s(process: int | None) -> float:
    """Return the processor time of a process, and of ours."""
    own = time.process_time()
    if process is None:
        return own
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return own + (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(process: int | str = "self") -> float:
    """Return the memory of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def measure(folder: Path, device: str, edge: int) -> None:
    """Print ready after so many seconds, processor seconds of a run, memory here and there."""
    from napari_sem_tools.models import runtime
    from napari_sem_tools.models.locations import Place
    from napari_sem_tools.models.store import Store

    store = Store([Place(folder, "user")])
    image = np.random.default_rng(0).random((edge, edge), np.float32)
    begin = time.perf_counter()
    with runtime.lease(store, "benchmark", device=device, precision="fp32", tile=512) as model:
        ready = time.perf_counter() - begin
        child = getattr(model, "child", None)
        process = None if child is None else child.process.pid
        model.predict(image[:512, :512])
        times = []
        for _ in range(RUNS):
            begin = cpu_s(process)
            model.predict(image)
            times.append(cpu_s(process) - begin)
        there = resident_mib(process) if process else 0
    runtime.unload()
    print(ready, min(times), resident_mib(), there, float("torch" in sys.modules))


def main() -> int:
    """Measure both ways, each in a process of its own, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--edge", type=int, default=2048)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        measure(Path(args.child[0]), args.child[1], args.edge)
        return 0
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        add_network(Path(folder))
        for device in ("cpu", "subprocess"):
            command = [sys.executable, __file__, "--edge", str(args.edge), "--child", folder]
            done = subprocess.run([*command, device], check=True, capture_output=True, text=True)
            found[device] = [float(word) for word in done.stdout.split()]
    for device, (ready, seconds, here, there, loaded) in found.items():
        print(
            f"{device:10} ready after {ready:.1f} s (wall), a run of {args.edge} x {args.edge} "
            f"{seconds:.2f} CPU s; after unloading {here:.0f} MiB here, PyTorch "
            f"{'loaded' if loaded else 'not loaded'}" + (f"; {there:.0f} MiB there" * bool(there))
        )
    added = found["subprocess"][1] - found["cpu"][1]
    print(
        f"own process / this process {found['subprocess'][1] / found['cpu'][1]:.3f}, "
        f"{added / args.edge**2 * 1e9:+.1f} ns/px"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
