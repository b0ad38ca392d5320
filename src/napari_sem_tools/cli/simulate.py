"""``sem-tools simulate``: make images of particles with exact masks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import InvalidSettings, OutputExists

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    from napari_sem_tools.simulation import SimulationSettings

    parser.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="FOLDER",
        help="writes FOLDER/images/NAME.tif and FOLDER/labels/NAME.tif",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first image")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="how many images")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    options.add_settings(parser, SimulationSettings, "settings of the simulation")


def run(args: argparse.Namespace, console: Console) -> int:
    """Simulate images, one seed after the other."""
    from napari_sem_tools.simulation import SimulationSettings, simulate
    from napari_sem_tools.tasks import stop_if_cancelled
    from napari_sem_tools.tiff import write_tiff

    if args.count < 1 or args.seed < 0:
        raise InvalidSettings("--count is at least 1 and --seed at least 0.")
    settings = options.settings_from(args, SimulationSettings)
    out = Path(args.out)
    written = []
    for number in range(args.count):
        stop_if_cancelled(console.cancel)
        seed = args.seed + number
        console.progress(number, args.count, f"seed {seed}")
        name = f"simulated-{seed:04d}.tif"
        places = {kind: out / kind / name for kind in ("images", "labels")}
        for place in places.values():
            if place.exists() and not args.overwrite:
                raise OutputExists(
                    f"{place} exists.", hint="Choose another folder, or --overwrite."
                )
        made = simulate(settings, seed)
        calibration = made.image.calibration
        write_tiff(places["labels"], made.labels, calibration=calibration)
        write_tiff(places["images"], made.image.pixels, calibration=calibration)
        written.append({kind: str(place) for kind, place in places.items()} | {"seed": seed})
    if args.json:
        console.result_json(written)
    else:
        for one in written:
            console.result(one["images"])
    return 0
