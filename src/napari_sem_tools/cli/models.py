"""``sem-tools models``: list, show, import, export, verify and remove models."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from napari_sem_tools.cli.console import Console
from napari_sem_tools.errors import SemError
from napari_sem_tools.models import models as registry
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.transfer import KINDS

__all__ = ["add_arguments", "run"]

_SHORT_HASH = 12  # characters that a person compares


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the subcommands and their options."""
    kind: Any = type(parser)
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=kind
    )
    for name, (text, _, add) in _ACTIONS.items():
        own = actions.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        add(own)
        own.add_argument(
            "--quiet", action="store_true", default=argparse.SUPPRESS, help="only results, errors"
        )


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the chosen subcommand."""
    return _ACTIONS[args.action][1](args, console)


def _list(args: argparse.Namespace, console: Console) -> int:
    """List the models, and say aloud what could not be used."""
    entries, problems = registry.on_disk.scan()
    for problem in problems:
        console.note(f"note: {problem.folder}: {problem.reason}")
    entries = registry.on_disk.entries()
    if args.json:
        rows = [entry.card.to_dict() | {"origin": entry.origin} for entry in entries]
        console.result_json(rows)
        return 0
    if not entries:
        console.note("No model is installed yet.")
    for entry in entries:
        card = entry.card
        sha256 = card.weights.sha256[:_SHORT_HASH]
        console.result(
            f"{card.key:<28} {card.task:<14} {card.architecture:<16} {entry.origin:<9} {sha256}"
        )
    return 0


def _show(args: argparse.Namespace, console: Console) -> int:
    """Show a card."""
    card = registry[args.model]
    if args.json:
        console.result_json(card.to_dict())
        return 0
    for name, value in _lines(card):
        console.result(f"{name:<20} {value}")
    return 0


def _lines(card: ModelCard) -> list[tuple[str, str]]:
    """Return the card as a person reads it."""
    spec = card.input
    trained = [] if spec.pixel_size_nm is None else [f"{spec.pixel_size_nm:g} nm per pixel"]
    trained += [] if spec.object_size_px is None else [f"objects of {spec.object_size_px:g} px"]
    rows = [
        ("model", card.key),
        ("task", card.task),
        ("architecture", f"{card.architecture} {card.arguments or ''}".rstrip()),
        ("description", card.description),
        ("input", f"{spec.channels} channel(s), {spec.normalisation}"),
        ("trained at", ", ".join(trained)),
        ("outputs", ", ".join(channel.name for channel in card.outputs)),
        ("classes", ", ".join(f"{c.name} {c.colour}" for c in card.classes)),
        ("licence", card.licence),
        ("created", f"{card.created} with {card.code_version or 'an unknown version'}"),
        ("weights", f"{card.weights.size_bytes} bytes, SHA-256 {card.weights.sha256}"),
    ]
    rows += [("training data", f"{d.name} ({d.licence}) {d.source}") for d in card.training_data]
    rows += [
        ("score", f"{s.metric} = {s.value:g}{_interval(s.low, s.high)} on {s.data_set}, {s.split}")
        for s in card.scores
    ]
    return [(name, value.strip()) for name, value in rows if value.strip()]


def _interval(low: float | None, high: float | None) -> str:
    """Return an interval in brackets where there is one."""
    return "" if low is None or high is None else f" [{low:g}, {high:g}]"


def _import(args: argparse.Namespace, console: Console) -> int:
    """Keep models from files or an address."""
    from napari_sem_tools.models.published import PUBLISHED

    if args.published or args.file in PUBLISHED:
        return _import_published(args, console)
    card = None
    if args.card:
        from pathlib import Path

        from napari_sem_tools.models.card import MAX_CARD_BYTES
        from napari_sem_tools.models.weights import open_regular

        with open_regular(Path(args.card), max_bytes=MAX_CARD_BYTES) as file:
            card = ModelCard.from_json(file.read())
    kept = registry.import_file(
        args.file,
        sha256=args.sha256,
        card=card,
        progress=console.progress,
        cancel=console.cancel,
    )
    console.end_progress()
    console.result(kept.key)
    return 0


def _import_published(args: argparse.Namespace, console: Console) -> int:
    """Keep a network that others published, from its address or from its file."""
    from napari_sem_tools.models.published import install_published

    kept = install_published(
        args.published or args.file,
        file=args.file if args.published else None,
        accept_licence=args.accept_licence,
        progress=console.progress,
        cancel=console.cancel,
    )
    console.end_progress()
    console.note(f"licence: {kept.licence}")
    console.result(kept.key)
    return 0


def _export(args: argparse.Namespace, console: Console) -> int:
    """Write a model as one file."""
    path = registry.export(args.model, args.out, kind=args.format, overwrite=args.overwrite)
    console.result(str(path))
    return 0


def _verify(args: argparse.Namespace, console: Console) -> int:
    """Hash all weights again."""
    verdicts = registry.verify(progress=console.progress, cancel=console.cancel)
    console.end_progress()
    if args.json:
        rows = [{"model": v.key, "folder": str(v.folder), "reason": v.reason} for v in verdicts]
        console.result_json(rows)
    else:
        for verdict in verdicts:
            console.result(f"{verdict.key:<28} {verdict.reason or 'good'}")
    if not all(verdict.good for verdict in verdicts):
        raise SemError(
            "Some models are not what their cards say.",
            hint="Remove them and import them again from where you got them.",
        )
    return 0


def _remove(args: argparse.Namespace, console: Console) -> int:
    """Delete models of the user's."""
    for name in args.models:
        console.result(registry.remove(name).key)
    return 0


def _json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="write JSON, for machines")


def _show_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``show``."""
    parser.add_argument("model", metavar="MODEL", help="name, or name@version")
    _json_option(parser)


def _import_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``import``."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a .zip, .safetensors or .pth, an address, or a network published by others",
    )
    parser.add_argument("--sha256", metavar="HASH", help="of the file; needed for an address")
    parser.add_argument(
        "--published", metavar="NAME", help="FILE holds the weights of this published network"
    )
    parser.add_argument(
        "--accept-licence", metavar="SPDX", default="", help="a licence that is not a free one"
    )
    parser.add_argument("--card", metavar="FILE", help="card.json for a bare file of weights")


def _export_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``export``."""
    parser.add_argument("model", metavar="MODEL", help="name, or name@version")
    parser.add_argument("-o", "--out", metavar="PATH", default=".", help="folder or .zip")
    parser.add_argument("--format", choices=KINDS, default=KINDS[0], help="for whom it is written")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def _remove_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``remove``."""
    parser.add_argument("models", metavar="MODEL", nargs="+", help="name, or name@version")


_Run = Callable[[argparse.Namespace, Console], int]
_Add = Callable[[argparse.ArgumentParser], None]

_ACTIONS: dict[str, tuple[str, _Run, _Add]] = {
    "list": ("all models, every version", _list, _json_option),
    "show": ("the card of a model", _show, _show_options),
    "import": ("keep a model from a file or an address", _import, _import_options),
    "export": ("write a model as one file", _export, _export_options),
    "verify": ("hash all weights again", _verify, _json_option),
    "remove": ("delete models of yours", _remove, _remove_options),
}
