"""JSON from strangers: limits before parsing, then only the fields that a record has.

A card comes from a colleague's stick, a network share or the web.  What it may hold is
stated once, by the annotations of the records in `card`; everything else is refused with
the place and the value.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

from napari_sem_tools.errors import InvalidSettings, UntrustedModel

__all__ = ["decode", "depth_of", "parse"]

Record = TypeVar("Record")

_SHOWN_CHARACTERS = 60  # of a refused value, so that a message stays one line


def parse(text: bytes, *, what: str, max_bytes: int, max_depth: int) -> Any:
    """Parse JSON that may be hostile.

    Parameters
    ----------
    text : bytes
        UTF-8.
    what : str
        What is read, for the message: the start of a sentence.
    max_bytes, max_depth : int
        Limits of size and of nesting.

    Returns
    -------
    object
        Plain Python values; no key stands twice, no number is NaN or infinite.

    Raises
    ------
    UntrustedModel
        Larger or deeper than allowed, a key twice, or no JSON at all.

    Examples
    --------
    >>> parse(b'{"a": [1]}', what="The note", max_bytes=100, max_depth=2)
    {'a': [1]}
    """
    if len(text) > max_bytes:
        raise UntrustedModel(f"{what} has {len(text)} bytes; at most {max_bytes} are read.")
    try:
        value = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise UntrustedModel(f"{what} is nested deeper than {max_depth} levels.") from error
    except ValueError as error:
        reason = str(error).split("\n")[0][:_SHOWN_CHARACTERS]
        raise UntrustedModel(f"{what} is not valid JSON: {reason}.") from error
    if depth_of(value) > max_depth:
        raise UntrustedModel(f"{what} is nested deeper than {max_depth} levels.")
    return value


def depth_of(value: Any) -> int:
    """Return how deep lists and dicts are nested; plain values have depth 0.

    Examples
    --------
    >>> depth_of(1), depth_of({"a": [1]})
    (0, 2)
    """
    depth, level = 0, [value]
    while any(isinstance(item, dict | list) for item in level):
        depth += 1
        level = [inner for item in level for inner in _inside(item)]
    return depth


def decode(kind: type[Record], value: Any, *, where: str) -> Record:
    """Make a record from parsed JSON, strictly.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are plain values, records, or tuples of records.
    value : object
        What was parsed.
    where : str
        Place of the value, for the message.

    Returns
    -------
    record
        Checked by its own ``__post_init__`` as well.

    Raises
    ------
    InvalidSettings
        A field is missing, unknown, or of the wrong kind.
    """
    if not isinstance(value, dict):
        raise InvalidSettings(f"{where} is {_shown(value)}, not a JSON object.")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in value:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(fields)}."
            raise InvalidSettings(f"{where} has an unknown field {_shown(name)}.", hint=hint)
    for name, field in fields.items():
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise InvalidSettings(f"{where} has no field {name}.")
    hints = typing.get_type_hints(kind)
    arguments = {n: _convert(hints[n], v, where=f"{where}: {n}") for n, v in value.items()}
    return kind(**arguments)


def _convert(hint: Any, value: Any, *, where: str) -> Any:
    """Return the value as the annotation wants it, without guessing."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        hint = next(k for k in typing.get_args(hint) if k is not type(None))
        return _convert(hint, value, where=where)
    if origin is tuple:
        if not isinstance(value, list):
            raise InvalidSettings(f"{where} is {_shown(value)}, not a list.")
        item = typing.get_args(hint)[0]
        return tuple(_convert(item, v, where=f"{where}[{i}]") for i, v in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(type, hint), value, where=where)
    wanted: Any = {"int": int, "float": (int, float), "bool": bool, "dict": dict}.get(
        getattr(origin or hint, "__name__", ""), str
    )
    wrong_bool = isinstance(value, bool) and wanted is not bool
    if wrong_bool or not isinstance(value, wanted):
        noun = {int: "a whole number", bool: "true or false", dict: "a JSON object", str: "a text"}
        word = noun.get(wanted, "a number")
        raise InvalidSettings(f"{where} is {_shown(value)}, not {word}.")
    return value


def _inside(value: Any) -> Iterator[Any]:
    """Yield what a list or dict holds."""
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: readers would disagree on which one counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(word: str) -> NoReturn:
    """Refuse NaN and Infinity, which JSON does not know."""
    raise ValueError(f"{word} is not a number")


def _shown(value: Any) -> str:
    """Return a value as it is shown in a message."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
