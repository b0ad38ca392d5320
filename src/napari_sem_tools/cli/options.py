"""Options made from settings records, and those that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from napari_sem_tools.settings import SettingField, Settings

if TYPE_CHECKING:
    from napari_sem_tools.segmentation.methods import Choice

__all__ = [
    "add_calibration",
    "add_inputs",
    "add_method",
    "add_page",
    "add_regions",
    "add_settings",
    "chosen_method",
    "number",
    "pixel_size",
    "settings_from",
]

_S = TypeVar("_S", bound=Settings)


def add_settings(
    parser: argparse.ArgumentParser, kind: type[Settings], title: str, *, skip: Iterable[str] = ()
) -> None:
    """Add an option for every field of a settings record.

    Parameters
    ----------
    parser : ArgumentParser
    kind : type of Settings
    title : str
        Heading of the options in the help.
    skip : iterable of str
        Fields without an option.
    """
    group = parser.add_argument_group(title)
    for field in kind.fields():
        if field.name not in skip:
            _add_field(group, field, kind)


def settings_from(args: argparse.Namespace, kind: type[_S]) -> _S:
    """Make the settings record of what was given; the rest is left at its default."""
    prefix = f"{kind.__name__}."
    given = {
        name.removeprefix(prefix): value
        for name, value in vars(args).items()
        if name.startswith(prefix)
    }
    return kind.from_dict(given)


def add_inputs(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the inputs: files, folders, globs, a CSV of paths."""
    parser.add_argument(
        "inputs",
        nargs="*" if optional else "+",
        metavar="INPUT",
        help="files, folders, globs, or a CSV of paths",
    )


def add_page(parser: argparse.ArgumentParser) -> None:
    """Add the choice among the pictures of a file."""
    parser.add_argument(
        "--page",
        metavar="N",
        help="one page of each file, from 0, or all; by default the first picture of a file",
    )


def add_calibration(parser: argparse.ArgumentParser) -> None:
    """Add the typed pixel size."""
    group = parser.add_argument_group("calibration").add_mutually_exclusive_group()
    group.add_argument(
        "--pixel-size",
        type=pixel_size,
        metavar="NM",
        help="size of a pixel in nm, or height,width; replaces what the file says",
    )
    group.add_argument(
        "--width", type=number, metavar="NM", help="width of the whole image in nm, instead"
    )


def add_regions(parser: argparse.ArgumentParser) -> None:
    """Add the regions."""
    group = parser.add_argument_group("regions, in px")
    text = "napari Shapes CSV, ImageJ ROI or GeoJSON: "
    group.add_argument("--roi", metavar="FILE", help=text + "measure only there")
    group.add_argument("--roi-exclude", metavar="FILE", help=text + "leave that out")


def add_method(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the segmentation method and its own settings."""
    from napari_sem_tools.segmentation import available_methods

    rows = available_methods().items()
    text = "; ".join(f"{name}: {row.help}" for name, row in rows).replace("%", "%%")
    parser.add_argument("--method", metavar="NAME", help=text)
    choice = chosen_method(arguments)
    if not choice.reason:
        parser.set_defaults(method=choice.name)
    add_settings(parser, choice.row.settings, f"settings of the method {choice.name}")


def chosen_method(arguments: Sequence[str]) -> Choice:
    """Return the method named on the command line, or that of its settings, or the best one.

    A setting that only one method without a network has names that method.

    Raises
    ------
    InvalidSettings
        There is no such method.
    """
    from napari_sem_tools.segmentation import METHODS, choose_method

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--method")
    try:
        name = parser.parse_known_args(list(arguments))[0].method
    except SystemExit:  # --method without a name: the real parser says so
        name = None
    if name is not None:
        return choose_method(name)
    best = choose_method()
    given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    for other, row in METHODS.items():
        if given & (_options(row.settings) - _options(best.row.settings)):
            return choose_method(other)
    return best


def _options(kind: type[Settings]) -> set[str]:
    """List the options of a settings record."""
    names = [field.name.replace("_", "-") for field in kind.fields()]
    return {f"--{name}" for name in names} | {f"--no-{name}" for name in names}


def number(text: str) -> float:
    """Read a number, with a point or a comma."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def pixel_size(text: str) -> float | tuple[float, float]:
    """Read a pixel size, ``7.34`` or ``7.34,7.30`` (height, width)."""
    parts = text.split(",")
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError:
        numbers = ()
    if len(numbers) == 1:
        return numbers[0]
    if len(numbers) == 2:
        return numbers
    raise argparse.ArgumentTypeError(f"{text!r} is not a size in nm, nor height,width")


def _add_field(group: Any, field: SettingField, kind: type[Settings]) -> None:
    """Add the option of one field."""
    option = "--" + field.name.replace("_", "-")
    common: dict[str, Any] = {
        "dest": f"{kind.__name__}.{field.name}",
        "default": argparse.SUPPRESS,
        "help": f"{field.help.replace('%', '%%')} ({_default_text(field)})",
    }
    if field.kind is bool:
        group.add_argument(option, action=argparse.BooleanOptionalAction, **common)
    elif field.choices:
        group.add_argument(option, choices=field.choices, **common)
    else:
        group.add_argument(option, type=_READERS[field.kind], metavar=_WORDS[field.kind], **common)


def _default_text(field: SettingField) -> str:
    """Say what holds without the option, and the range."""
    default = "found by itself" if field.default is None else f"default {field.default}"
    if field.min is None and field.max is None:
        return default
    low = "" if field.min is None else f"from {field.min:g} "
    high = "" if field.max is None else f"to {field.max:g}"
    return f"{default}; {low}{high}".rstrip()


def _whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


_READERS: dict[type, Callable[[str], Any]] = {int: _whole, float: number, str: str}
_WORDS: dict[type, str] = {int: "N", float: "X", str: "TEXT"}
