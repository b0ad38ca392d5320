"""``sem-tools gui``: open napari with the given images."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Sequence

from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import MissingExtra

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options."""
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="images to open")
    parser.add_argument(
        "--no-torch",
        action="store_true",
        help="do not load torch before the window (on Windows it cannot be loaded later)",
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Open the window and stay until it is closed."""
    if importlib.util.find_spec("napari") is None:
        raise MissingExtra("The window needs napari.", extra="napari")
    if not args.no_torch and importlib.util.find_spec("torch") is not None:
        console.note("loading torch ... (--no-torch skips this)")
        _load_torch(console)
    from napari_sem_tools.layers.window import open_window
    from napari_sem_tools.reading import list_files

    paths = list_files(args.inputs) if args.inputs else []
    open_window(paths, on_error=console.fail)
    return 0


def _load_torch(console: Console) -> None:
    """Import torch before Qt: on Windows its libraries do not load afterwards."""
    try:
        importlib.import_module("torch")
    except (ImportError, OSError) as error:
        console.note(f"warning: torch is installed but does not load: {error}")
