"""``sem-tools dataset``: fetch published sets of images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_sem_tools.cli.console import Console
from napari_sem_tools.datasets.nffa import CATEGORIES, CITATION, DOI, LICENCE, RECORD

if TYPE_CHECKING:
    from napari_sem_tools.datasets import FetchedSet

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the subcommand and its options."""
    kind: Any = type(parser)
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=kind
    )
    text = "load a published set from where it is published"
    fetch = actions.add_parser("fetch", help=text, description=text[:1].upper() + text[1:] + ".")
    fetch.add_argument("name", metavar="NAME", choices=("nffa",), help="nffa: ten categories")
    fetch.add_argument("-o", "--out", metavar="FOLDER", required=True, help="a folder a category")
    fetch.add_argument(
        "--only", metavar="NAMES", help=f"categories, separated by commas: {', '.join(CATEGORIES)}"
    )
    fetch.add_argument("--keep-archives", action="store_true", help="keep the archives as well")
    fetch.add_argument("--record", metavar="URL", default=RECORD, help=f"by default {RECORD}")
    fetch.add_argument("--json", action="store_true", help="write JSON, for machines")
    fetch.add_argument(
        "--quiet", action="store_true", default=argparse.SUPPRESS, help="only results and errors"
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Fetch the set; 1 when some category could not be fetched."""
    from napari_sem_tools.datasets import fetch_nffa

    console.note(f"note: {LICENCE}; cite {CITATION}, https://doi.org/{DOI}")
    fetched = fetch_nffa(
        args.out,
        categories=[name.strip() for name in args.only.split(",")] if args.only else None,
        record=args.record,
        keep_archives=args.keep_archives,
        progress=console.progress,
        cancel=console.cancel,
    )
    console.end_progress()
    for error in fetched.failed.values():
        console.fail(error)
    if args.json:
        console.result_json(_plain(fetched))
    else:
        for category, count in fetched.images.items():
            console.result(f"{category:<30} {count:>6}")
        console.result(f"{'release':<30} {fetched.release}")
        for one in fetched.skipped:
            console.note(f"note: {one.category}/{one.file} was left out: {one.reason}")
    return 1 if fetched.failed else 0


def _plain(fetched: FetchedSet) -> dict[str, Any]:
    """Return what was fetched, for machines."""
    return {
        "folder": str(fetched.folder),
        "release": fetched.release,
        "images": dict(fetched.images),
        "skipped": [vars(one) for one in fetched.skipped],
        "failed": {name: error.message for name, error in fetched.failed.items()},
    }
