"""Range, unit and help of a settings field; forms and options are made from it.

A capability has one frozen dataclass of settings beside it, derived from `Settings`.
The same record is the keyword list of the function, the form of the widget, the options
of the command and the block ``settings`` in ``summary.json``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Self, Union

from napari_sem_tools.errors import InvalidSettings

__all__ = ["SettingField", "Settings", "described"]


def described(
    text: str,
    *,
    min: float | None = None,
    max: float | None = None,
    step: float | None = None,
    label: str | None = None,
) -> dict[str, Any]:
    """Annotate a settings field with its help and its inclusive range.

    The keys are those that magicgui reads, so that a form needs nothing more.

    Examples
    --------
    >>> from typing import Annotated
    >>> size = Annotated[int, described("Smallest particle", min=0, max=10_000)]
    """
    given = {"tooltip": text, "min": min, "max": max, "step": step, "label": label}
    return {key: value for key, value in given.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class SettingField:
    """One field of a settings record, ready for a form or an option.

    Attributes
    ----------
    name, help : str
    kind : type
        ``bool``, ``int``, ``float`` or ``str``.
    default : object
    min, max : float or None
        Inclusive range of numbers.
    choices : tuple of str
        The allowed words; empty when free.
    optional : bool
        True when None is allowed (and means: found by the program).
    options : dict
        All that the annotation said, for magicgui.
    """

    name: str
    help: str
    kind: type
    default: Any
    min: float | None
    max: float | None
    choices: tuple[str, ...]
    optional: bool
    options: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of all settings records: a bad value is refused where it is set.

    Raises
    ------
    InvalidSettings
        A value is out of its range; the message gives the range.
    """

    def __post_init__(self) -> None:
        """Check every field against its annotation."""
        for field in self.fields():
            value = _checked(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)

    @classmethod
    def fields(cls) -> tuple[SettingField, ...]:
        """List the fields with range, help and default, in order."""
        hints = typing.get_type_hints(cls, include_extras=True)
        return tuple(_field(f, hints[f.name]) for f in dataclasses.fields(cls))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a record from plain values; an unknown name is refused with the nearest one."""
        names = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}."
                raise InvalidSettings(f"There is no setting {name}.", hint=hint)
        return cls(**dict(values))

    def to_dict(self) -> dict[str, Any]:
        """Return the values as plain Python, for JSON."""
        return dataclasses.asdict(self)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def _field(field: dataclasses.Field[Any], hint: Any) -> SettingField:
    """Read one annotation."""
    options: dict[str, Any] = {}
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extras = typing.get_args(hint)
        for extra in extras:
            options |= extra if isinstance(extra, dict) else {}
    optional = False
    if typing.get_origin(hint) in (Union, types.UnionType):
        kinds = [k for k in typing.get_args(hint) if k is not type(None)]
        optional = len(kinds) < len(typing.get_args(hint))
        hint = kinds[0]
    choices: tuple[str, ...] = ()
    if typing.get_origin(hint) is Literal:
        choices, hint = typing.get_args(hint), str
    return SettingField(
        name=field.name,
        help=options.get("tooltip", ""),
        kind=hint,
        default=field.default,
        min=options.get("min"),
        max=options.get("max"),
        choices=choices,
        optional=optional,
        options=options,
    )


def _checked(field: SettingField, value: Any) -> Any:
    """Return the value in its own type, or refuse it with the range."""
    if value is None and field.optional:
        return None
    good: Any
    try:
        if field.kind is bool:
            good = bool(value)
            fits = value in (True, False)
        elif field.kind is int:
            good = int(value)
            fits = good == value
        elif field.kind is float:
            good = float(value)
            fits = math.isfinite(good)
        else:
            good = value
            fits = isinstance(value, field.kind)
    except (TypeError, ValueError):
        fits, good = False, value
    if fits and field.choices:
        fits = good in field.choices
    if fits and field.min is not None:
        fits = good >= field.min
    if fits and field.max is not None:
        fits = good <= field.max
    if not fits:
        raise InvalidSettings(f"{field.name} = {value!r} is not {_range(field)}.", hint=field.help)
    return good


def _range(field: SettingField) -> str:
    """Say in words what a field may be."""
    if field.choices:
        return "one of " + ", ".join(field.choices)
    noun = {bool: "True or False", int: "a whole number", float: "a number"}.get(
        field.kind, "a text"
    )
    if field.min is not None and field.max is not None:
        noun += f" from {field.min:g} to {field.max:g}"
    elif field.min is not None:
        noun += f" of at least {field.min:g}"
    elif field.max is not None:
        noun += f" of at most {field.max:g}"
    return noun + (", or None" if field.optional else "")
