"""``sem-tools catalogue``: index folders of images, and find what is in them."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sem_tools.catalogue import Catalogue, CatalogueFilter
from napari_sem_tools.catalogue.asking import ORDERS
from napari_sem_tools.catalogue.maps import MAPS
from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import InvalidSettings, OutputExists, SemError

if TYPE_CHECKING:
    import pandas as pd

    from napari_sem_tools.catalogue import Failure

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the subcommands and their options."""
    kind: Any = type(parser)
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=kind
    )
    for name, (text, _, add) in _ACTIONS.items():
        own = actions.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        own.add_argument("catalogue", metavar="CATALOGUE", help="folder of the catalogue")
        own.add_argument(
            "--embedding",
            metavar="NAME",
            default="auto",
            help="what likeness is worked out from (default auto: learned where PyTorch is there, "
            "else texture); none: no vectors",
        )
        add(own)
        own.add_argument("--json", action="store_true", help="write JSON, for machines")
        own.add_argument(
            "--quiet",
            action="store_true",
            default=argparse.SUPPRESS,
            help="only results, errors",
        )


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the chosen subcommand."""
    embedding = None if args.embedding == "none" else args.embedding
    focus = not getattr(args, "no_focus", False)
    with Catalogue(args.catalogue, embedding=embedding, focus=focus) as catalogue:
        return _ACTIONS[args.action][1](catalogue, args, console)


# --- changing --------------------------------------------------------------------------------


def _add(catalogue: Catalogue, args: argparse.Namespace, console: Console) -> int:
    """Add folders; 1 when some file could not be catalogued."""

    def failed(failure: Failure) -> None:
        console.fail(SemError(f"{failure.path}: {failure.message}", hint=failure.hint))

    added = catalogue.add(
        args.inputs,
        again=args.again,
        failed=failed,
        progress=console.progress,
        cancel=console.cancel,
    )
    console.end_progress()
    counts = dataclasses.asdict(added)
    if args.json:
        console.result_json(counts)
    else:
        console.result(", ".join(f"{number} {name}" for name, number in counts.items()))
    return 1 if added.failed else 0


def _category(catalogue: Catalogue, args: argparse.Namespace, console: Console) -> int:
    """Say which category images belong to."""
    count = catalogue.set_category(args.images, args.name or None)
    if count < len(set(args.images)):
        raise InvalidSettings(
            f"Of {len(set(args.images))} numbers only {count} are images of the catalogue.",
            hint="sem-tools catalogue find shows the numbers.",
        )
    console.result(str(count))
    return 0


def _forget(catalogue: Catalogue, args: argparse.Namespace, console: Console) -> int:
    """Remove images whose files are gone."""
    console.result(str(catalogue.forget_gone()))
    return 0


# --- asking ----------------------------------------------------------------------------------


def _find(catalogue: Catalogue, args: argparse.Namespace, console: Console) -> int:
    """Find images by filters."""
    _check_out(args)
    table = catalogue.query(
        options.settings_from(args, CatalogueFilter),
        order=args.order,
        descending=args.descending,
        limit=args.limit,
    )
    _give(table, args, console, ("category", "focus", "magnification", "acquired"))
    return 0


def _similar(catalogue: Catalogue, args: argparse.Namespace, console: Console) -> int:
    """Find images like one."""
    _check_out(args)
    region = None
    if args.region is not None:
        y0, y1, x0, x1 = args.region
        region = ((y0, y1), (x0, x1))
    numbered = args.image.isdecimal() and not Path(args.image).exists()
    image = int(args.image) if numbered else args.image
    table = catalogue.similar(
        image,
        count=args.count,
        region=region,
        filters=options.settings_from(args, CatalogueFilter),
    )
    _give(table, args, console, ("similarity", "category", "focus"))
    return 0


def _map(catalogue: Catalogue, args: argparse.Namespace, console: Console) -> int:
    """Write the collection as points in a plane."""
    _check_out(args)
    table = catalogue.map(
        options.settings_from(args, CatalogueFilter),
        method=args.method,
        progress=console.progress,
        cancel=console.cancel,
    )
    console.end_progress()
    if "explained" in table.attrs:
        first, second = table.attrs["explained"]
        console.note(f"note: x holds {first:.0%} of the variance, y {second:.0%}")
    _give(table, args, console, ("x", "y", "category"))
    return 0


def _failures(catalogue: Catalogue, args: argparse.Namespace, console: Console) -> int:
    """List the files that could not be catalogued."""
    failures = catalogue.failures()
    if args.json:
        rows = [{"path": str(f.path), "message": f.message, "hint": f.hint} for f in failures]
        console.result_json(rows)
    else:
        for failure in failures:
            console.result(f"{failure.path}: {failure.message}")
    return 0


def _info(catalogue: Catalogue, args: argparse.Namespace, console: Console) -> int:
    """Say how much there is."""
    counts = dataclasses.asdict(catalogue.counts())
    if args.json:
        console.result_json(counts)
    else:
        for name, value in counts.items():
            console.result(f"{name:<10} {value}")
    return 0


def _check_out(args: argparse.Namespace) -> None:
    """Refuse to replace a file before anything is worked out."""
    if args.out and Path(args.out).exists() and not args.overwrite:
        raise OutputExists(f"{args.out} exists.", hint="Choose another file, or --overwrite.")


def _give(
    table: pd.DataFrame, args: argparse.Namespace, console: Console, shown: Sequence[str]
) -> None:
    """Write a table to a file, or to stdout for machines or for people."""
    from napari_sem_tools.files import write_text

    if args.out:
        write_text(args.out, table.to_csv(lineterminator="\n"))
        console.result(args.out)
    elif args.json:
        rows = table.reset_index().astype(object).where(lambda t: t.notna(), None)
        console.result_json(rows.to_dict("records"))
    else:
        for number, row in table.iterrows():
            values = "  ".join(f"{_text(row[name]):>10}" for name in shown)
            console.result(f"{number:>7}  {values}  {row['path']}")


def _text(value: Any) -> str:
    """Write a value for people; what is not known is a dash."""
    if value is None or value != value:  # NaN
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# --- options ---------------------------------------------------------------------------------


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``add``."""
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="folders and files")
    parser.add_argument("--no-focus", action="store_true", help="do not score the focus")
    parser.add_argument("--again", action="store_true", help="look again at files that failed")


def _filter_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field of a filter."""
    group = parser.add_argument_group("filters")
    for field in CatalogueFilter.fields():
        common: dict[str, Any] = {
            "dest": f"{CatalogueFilter.__name__}.{field.name}",
            "default": argparse.SUPPRESS,
            "help": field.help,
        }
        option = "--" + field.name.replace("_", "-")
        if field.kind is bool:
            group.add_argument(option, action="store_true", **common)
        else:
            kind = options.number if field.kind is float else str
            group.add_argument(
                option, type=kind, metavar="X" if kind is not str else "TEXT", **common
            )


def _table_options(parser: argparse.ArgumentParser) -> None:
    """Add filters and the file to write."""
    parser.add_argument("-o", "--out", metavar="FILE", help="write a CSV with all columns")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    _filter_options(parser)


def _map_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``map``."""
    parser.add_argument(
        "--method",
        choices=MAPS,
        default="pca",
        help="principal components (default), or umap, which needs umap-learn",
    )
    _table_options(parser)


def _find_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``find``."""
    parser.add_argument("--order", choices=ORDERS, default="path", metavar="COLUMN",
                        help="sort by a column: " + ", ".join(ORDERS))  # fmt: skip
    parser.add_argument("--descending", action="store_true", help="the largest first")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N rows")
    _table_options(parser)


def _similar_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``similar``."""
    parser.add_argument("image", metavar="IMAGE", help="a file, or the number of an image")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="default 10")
    parser.add_argument(
        "--region",
        type=_box,
        metavar="Y0,Y1,X0,X1",
        help="look only at these rows and columns, in px",
    )
    _table_options(parser)


def _category_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``category``."""
    parser.add_argument("name", metavar="CATEGORY", help="levels separated by /; '' takes it away")
    parser.add_argument("images", nargs="+", type=int, metavar="N", help="numbers of images")


def _no_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing."""


def _box(text: str) -> tuple[int, int, int, int]:
    """Read four whole numbers."""
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not Y0,Y1,X0,X1")
    y0, y1, x0, x1 = (int(part) for part in parts)
    return y0, y1, x0, x1


_Run = Callable[[Catalogue, argparse.Namespace, Console], int]
_Options = Callable[[argparse.ArgumentParser], None]

_ACTIONS: dict[str, tuple[str, _Run, _Options]] = {
    "add": ("add folders and files; what has not changed costs nothing", _add, _add_options),
    "find": ("list images by filters", _find, _find_options),
    "similar": ("list the images that look most like one", _similar, _similar_options),
    "map": ("the collection as points in a plane", _map, _map_options),
    "category": ("say which category images belong to", _category, _category_options),
    "failures": ("list files that could not be catalogued", _failures, _no_options),
    "forget": ("remove images whose files are gone", _forget, _no_options),
    "info": ("how much there is", _info, _no_options),
}
