"""Time to simulate a scene to learn from, with its truth.

    OMP_NUM_THREADS=1 python benchmarks/simulator_speed.py [--scenes 20]

Processor seconds in one thread for scenes of 512 x 512 px with 150 to 250 particles in sight,
seeds (31, 0), (31, 1), ...: films and agglomerates of any kind of particle, median diameter 30 to
40 px, any signal and recording.  Scenes with fewer or more particles are drawn and not counted.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from napari_sem_tools.simulation.training_scene import training_scene

SEED, SIZE_PX, DIAMETERS_PX, COUNTS = 31, 512, (30.0, 40.0), (150, 250)
ARRANGEMENTS = {"film": 0.5, "agglomerate": 0.5}


def main() -> int:
    """Print median and largest time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=20)
    args = parser.parse_args()
    spent, counts, seed = [], [], 0
    while len(spent) < args.scenes:
        begun = time.process_time()
        scene = training_scene(
            (SEED, seed), size_px=SIZE_PX, diameters_px=DIAMETERS_PX, arrangements=ARRANGEMENTS
        )
        taken, count = time.process_time() - begun, int(scene.labels.max())
        seed += 1
        if COUNTS[0] <= count <= COUNTS[1]:
            spent.append(taken)
            counts.append(count)
    print(
        f"{len(spent)} scenes of {SIZE_PX} px, {min(counts)} to {max(counts)} particles: "
        f"median {np.median(spent):.2f} s, largest {max(spent):.2f} s of one processor"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
