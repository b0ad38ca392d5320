"""Forms made of settings records through magicgui.

Optional numbers get a tick box "auto": a number box alone would turn None into 0.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

from napari_sem_tools.settings import SettingField, Settings

__all__ = ["SettingsForm", "field_help", "field_label", "number_options"]

_WIDEST = 1e9  # bound of a number box whose field has none; magicgui's own are 0 and 999
_USUAL = 10.0  # px or grey values that a box shows when "auto" is taken off
_WORDS = {"ecd": "ECD", "ferets": "Feret diameters"}
_SLIDER_SPAN = 2.0  # a fraction is dragged, a length is typed
_FINE = 1e-3  # of a step; what has more decimals is typed as it is written, e.g. 3e-5
_UNITS = {"px": "px", "nm": "nm", "um": "µm", "mm": "mm", "deg": "°", "px2": "px²", "nm2": "nm²"}


def field_label(field: SettingField) -> str:
    """Return the words before a field, its unit in brackets.

    Examples
    --------
    >>> from napari_sem_tools.segmentation import ThresholdSettings
    >>> [field_label(f) for f in ThresholdSettings.fields() if f.name == "min_size_px"]
    ['Min size (px)']
    """
    words = field.name.split("_")
    unit = _UNITS.get(words[-1]) if len(words) > 1 else None
    label = field.options.get("label")
    if label is None:
        label = " ".join(_WORDS.get(word, word) for word in (words[:-1] if unit else words))
        label = label[:1].upper() + label[1:]
    return f"{label} ({unit})" if unit and f"({unit})" not in label else str(label)


def field_help(field: SettingField) -> str:
    """Return the help of a field with its range in words, for a tooltip."""
    parts = [field.help] if field.help else []
    if field.min is not None and field.max is not None:
        parts.append(f"From {field.min:g} to {field.max:g}.")
    elif field.min is not None:
        parts.append(f"At least {field.min:g}.")
    elif field.max is not None:
        parts.append(f"At most {field.max:g}.")
    if field.optional:
        parts.append("auto: found from the image.")
    return " ".join(parts)


def number_options(field: SettingField) -> dict[str, Any]:
    """Return range and step of a number box."""
    low = -_WIDEST if field.min is None else field.min
    high = _WIDEST if field.max is None else field.max
    if field.kind is int:
        return {"min": int(low), "max": int(high), "step": int(field.options.get("step", 1))}
    step = field.options.get("step")
    if step is None:
        span = high - low
        step = 0.01 if span <= _SLIDER_SPAN else 0.1 if span <= 20 else 1.0
    return {"min": float(low), "max": float(high), "step": float(step)}


class SettingsForm:
    """The form of a settings record: a row a field, with range and help.

    Parameters
    ----------
    kind : type of Settings
    values : Settings, optional
        Shown at first; the defaults otherwise.
    skip : collection of str, optional
        Fields that the widget shows elsewhere; they keep their value.

    Attributes
    ----------
    container : magicgui Container
    rows : dict
        Row widget of each field.
    """

    def __init__(
        self,
        kind: type[Settings],
        values: Settings | None = None,
        *,
        skip: Collection[str] = (),
    ) -> None:
        from magicgui.widgets import Container

        self.kind = kind
        self._base = values or kind()
        self.rows: dict[str, Any] = {}
        self._read: dict[str, Callable[[], Any]] = {}
        for field in kind.fields():
            if field.name not in skip:
                self._add(field, getattr(self._base, field.name))
        self.container = Container(widgets=list(self.rows.values()), labels=True)
        self.container.margins = (0, 0, 0, 0)

    @property
    def native(self) -> Any:
        """The Qt widget."""
        return self.container.native

    def value(self) -> Settings:
        """Return the record as the form stands.

        Raises
        ------
        InvalidSettings
            A value is out of its range, or two do not go together.
        """
        return self._base.replace(**{name: read() for name, read in self._read.items()})

    def reset(self) -> None:
        """Put every field back to its default."""
        for field in self.kind.fields():
            if field.name in self.rows:
                self._write(field, field.default)

    def show(self, values: Settings) -> None:
        """Show another record; its fields without a row are kept, too."""
        self._base = values
        with self.container.changed.blocked():
            for field in self.kind.fields():
                if field.name in self.rows:
                    self._write(field, getattr(values, field.name))
        self.container.changed.emit(self.container)

    def show_found(self, values: Mapping[str, Any]) -> None:
        """Show, greyed, what the program found where "auto" is ticked.

        Parameters
        ----------
        values : mapping
            Settings as resolved for an image; what is None or not numeric is passed over.
        """
        for name, row in self.rows.items():
            value = values.get(name)
            if value is None or not hasattr(row, "automatic") or not row.automatic.value:
                continue
            with row.number.changed.blocked():
                row.number.value = min(row.number.max, max(row.number.min, value))
            row.number.visible = True

    def connect(self, callback: Callable[[], Any]) -> None:
        """Call a function after any change."""
        self.container.changed.connect(callback)

    def _add(self, field: SettingField, value: Any) -> None:
        """Make the row of a field."""
        make = _optional_row if field.optional and not field.choices else _plain_row
        row, read = make(field, value)
        self.rows[field.name] = row
        self._read[field.name] = read

    def _write(self, field: SettingField, value: Any) -> None:
        """Show a value in the row of a field."""
        row = self.rows[field.name]
        if hasattr(row, "automatic"):
            row.automatic.value = value is None
            if value is not None:
                row.number.value = value
        else:
            row.value = f"{value:g}" if _is_fine(field) else value


def _plain_row(field: SettingField, value: Any) -> tuple[Any, Callable[[], Any]]:
    """Make a tick box, a choice, a number box or a line of text."""
    from magicgui.widgets import CheckBox, ComboBox, LineEdit

    common = {"name": field.name, "label": field_label(field), "tooltip": field_help(field)}
    if field.choices:
        choices: list[Any] = [(word.replace("_", " "), word) for word in field.choices]
        if field.optional:
            choices.insert(0, ("auto", None))
        row = ComboBox(choices=choices, value=value, nullable=field.optional, **common)
    elif field.kind is bool:
        common["text"] = common.pop("label")
        row = CheckBox(value=bool(value), label="", **common)
    elif _is_fine(field):  # the record reads it, or says what it must be
        row = LineEdit(value=f"{value:g}", **common)
    elif field.kind in (int, float):
        row = _number(field, value, **common)
    else:
        row = LineEdit(value=value or "", **common)
    return row, lambda: row.value


def _optional_row(field: SettingField, value: Any) -> tuple[Any, Callable[[], Any]]:
    """Make a tick box "auto" beside the number box that it switches off."""
    from magicgui.widgets import CheckBox, Container

    tooltip = field_help(field)
    automatic = CheckBox(text="auto", value=value is None, name="automatic", tooltip=tooltip)
    start = value if value is not None else _start(field)
    number = _number(field, start, name="number", tooltip=tooltip)
    number.enabled = number.visible = value is not None
    row = Container(
        widgets=[automatic, number],
        layout="horizontal",
        labels=False,
        label=field_label(field),
        name=field.name,
        tooltip=tooltip,
    )
    row.margins = (0, 0, 0, 0)

    def toggle(auto: bool) -> None:
        number.enabled = not auto
        number.visible = number.visible or not auto

    automatic.changed.connect(toggle)
    return row, lambda: None if automatic.value else number.value


def _number(field: SettingField, value: Any, **common: Any) -> Any:
    """Make a number box with the field's range."""
    from magicgui.widgets import FloatSlider, FloatSpinBox, SpinBox

    options = number_options(field)
    box = SpinBox if field.kind is int else FloatSpinBox
    if field.kind is float and options["max"] - options["min"] <= _SLIDER_SPAN:
        box = FloatSlider
    number = box(value=value, **options, **common)
    with contextlib.suppress(AttributeError):
        number.native.setKeyboardTracking(False)  # typed digits count when the number is whole
    return number


def _is_fine(field: SettingField) -> bool:
    """Say whether a number has more decimals than a box or a slider shows."""
    return field.kind is float and field.options.get("step", 1.0) < _FINE


def _start(field: SettingField) -> float:
    """Choose what an "auto" number shows when the tick is taken off for the first time."""
    low = -_WIDEST if field.min is None else field.min
    high = _WIDEST if field.max is None else field.max
    middle = min(high, max(low, _USUAL))
    return int(middle) if field.kind is int else float(middle)
