"""One network over 1024 x 768 as plain fp32, channels-last, and bfloat16; its memory.

    OMP_NUM_THREADS=1 python benchmarks/network_forms.py

Least CPU seconds of five runs, one thread.  The ratio to reach is 2 where the processor has
bfloat16 instructions.
"""

from __future__ import annotations

import copy
import os
import platform
import resource
import sys
import time
import types
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from napari_sem_tools.models.card import InputSpec
from napari_sem_tools.models.devices import choose_precision
from napari_sem_tools.models.loaded import bytes_per_px
from napari_sem_tools.models.networks.folded_unet import FoldedUNet

SHAPE = (768, 1024)
TARGET = 2


def cpu_s(work: Callable[[], object], runs: int = 5) -> float:
    """Return the least CPU time of some runs after one."""
    work()
    times = []
    for _ in range(runs):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def memory(net: torch.nn.Module) -> tuple[float, float]:
    """Return the peak that a tile of 2048 px adds, and what the plan says, in bytes a pixel."""
    edge, unit = 2048, 1 if sys.platform == "darwin" else 1024
    card = types.SimpleNamespace(
        task="segmentation", input=InputSpec(multiple_of=32), outputs=(1, 2, 3), key="folded-unet"
    )
    planned = bytes_per_px(net, card)
    tile = torch.rand(1, 1, edge, edge)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.inference_mode():
        net(tile)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (after - before) * unit / edge**2, planned


def main() -> int:
    """Time the forms and print them."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = FoldedUNet().eval()
    measured, planned = memory(copy.deepcopy(net).to(memory_format=torch.channels_last))
    image = torch.rand(1, 1, *SHAPE)
    figures = {}
    with torch.inference_mode():
        figures["plain fp32"] = cpu_s(lambda: net(image))
        net = net.to(memory_format=torch.channels_last)
        image = image.contiguous(memory_format=torch.channels_last)
        figures["channels-last"] = cpu_s(lambda: net(image))
        with torch.autocast("cpu", torch.bfloat16):
            figures["channels-last, bf16"] = cpu_s(lambda: net(image))
            few = torch.rand(4, 1, 512, 512).contiguous(memory_format=torch.channels_last)
            one_by_one = cpu_s(lambda: [net(tile[None]) for tile in few])
            together = cpu_s(lambda: net(few))
    print(f"{platform.machine()}, torch {torch.__version__}; 'auto' is {choose_precision('cpu')}")
    for name, seconds in figures.items():
        print(f"{name:22} {seconds:6.2f} s   x {figures['plain fp32'] / seconds:.2f}")
    print(f"four tiles of 512 px: one by one {one_by_one:.2f} s, together {together:.2f} s")
    print(f"memory of a tile in fp32: {measured:.0f} bytes/px, planned {planned:.0f}")
    gain = figures["plain fp32"] / figures["channels-last, bf16"]
    return 0 if gain >= TARGET or choose_precision("cpu") == "fp32" else 1


if __name__ == "__main__":
    raise SystemExit(main())
