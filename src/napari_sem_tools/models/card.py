"""The card of a model: what it is, what it wants, what it gives, and where it is from.

A card is a JSON file beside the weights.  It runs nothing and needs no torch, so that
lists, commands and widgets can show every model within milliseconds.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from napari_sem_tools.errors import InvalidSettings, UntrustedModel
from napari_sem_tools.models import strict_json
from napari_sem_tools.settings import Settings, described

__all__ = [
    "MIGRATIONS",
    "SCHEMA",
    "InputSpec",
    "ModelCard",
    "OutputChannel",
    "OutputClass",
    "Score",
    "TrainingData",
    "WeightsFile",
    "version_key",
]

Task = Literal["segmentation", "classification", "focus", "embedding", "generator"]

SCHEMA = 1
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From schema n to n + 1, without changing the meaning; a released schema is never dropped."""

MAX_CARD_BYTES = 256 * 1024
MAX_WEIGHTS_BYTES = 4 * 1024**3
_MAX_DEPTH = 8
_MAX_TEXT = 4000
_MAX_PARTS = 500

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_VERSION = re.compile(r"(?:0|[1-9]\d{0,5})(?:\.(?:0|[1-9]\d{0,5})){2}")
_WEIGHTS = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{p}{n}" for p in ("com", "lpt") for n in range(10)}


@dataclasses.dataclass(frozen=True)
class _Part(Settings):
    """A part of a card: plain fields with ranges, and texts that a terminal may show."""

    def __post_init__(self) -> None:
        """Check ranges, then that texts are short and printable."""
        super().__post_init__()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str):
                _check_text(value, field.name)


@dataclasses.dataclass(frozen=True)
class InputSpec(_Part):
    """What the network wants to see.

    Attributes
    ----------
    channels : int
        Number of input channels.
    clip_low_percent, clip_high_percent : float
        Percentiles of the **whole** image (its field) at which grey values are clipped
        before anything else; 0 and 100 clip nothing.
    normalisation : str
        ``range``: the clip limits become 0 and 1.  ``standard``: zero mean and unit
        standard deviation of the clipped image.  ``fixed``: ``range``, then minus `mean`,
        divided by `standard_deviation`.  ``none``: grey values as they are.
    mean, standard_deviation : float
        For ``fixed``.
    pixel_size_nm : float or None
        Pixel size of the training images, if they had one.
    object_size_px : float or None
        Median equivalent-circle diameter of the training objects; an image is resampled
        so that its objects have this size.
    tile_px : int
        Preferred tile edge; 0 when any will do.
    halo_px : int
        Border of a tile that is thrown away: the radius of the receptive field.
    multiple_of : int
        Tile edges must be a multiple of this.
    """

    channels: Annotated[int, described("Input channels", min=1, max=64)] = 1
    clip_low_percent: Annotated[float, described("Lower clip", min=0, max=100)] = 0.0
    clip_high_percent: Annotated[float, described("Upper clip", min=0, max=100)] = 100.0
    normalisation: Annotated[
        Literal["range", "standard", "fixed", "none"], described("How grey values are scaled")
    ] = "range"
    mean: Annotated[float, described("Subtracted, for 'fixed'")] = 0.0
    standard_deviation: Annotated[float, described("Divided by, for 'fixed'", min=1e-6)] = 1.0
    pixel_size_nm: Annotated[float | None, described("Trained pixel size", min=1e-6, max=1e9)] = (
        None
    )
    object_size_px: Annotated[float | None, described("Trained size", min=0.1, max=1e5)] = None
    tile_px: Annotated[int, described("Preferred tile edge, 0 = any", min=0, max=16384)] = 0
    halo_px: Annotated[int, described("Border thrown away", min=0, max=4096)] = 0
    multiple_of: Annotated[int, described("Tile edges are a multiple", min=1, max=4096)] = 1

    def __post_init__(self) -> None:
        """Check what the single ranges cannot say."""
        super().__post_init__()
        if self.clip_low_percent >= self.clip_high_percent:
            raise InvalidSettings(
                f"clip_low_percent = {self.clip_low_percent:g} is not below "
                f"clip_high_percent = {self.clip_high_percent:g}."
            )
        if self.tile_px % self.multiple_of:
            raise InvalidSettings(
                f"tile_px = {self.tile_px} is not a multiple of multiple_of = {self.multiple_of}."
            )
        if self.tile_px and self.tile_px <= 2 * self.halo_px:
            raise InvalidSettings(
                f"tile_px = {self.tile_px} leaves nothing inside a halo of {self.halo_px} px."
            )


@dataclasses.dataclass(frozen=True)
class OutputChannel(_Part):
    """One channel of the network's answer.

    Attributes
    ----------
    name : str
        Short, e.g. ``foreground``, ``boundary``, ``distance``.
    meaning : str
        One sentence: what a high value says.
    activation : str
        What turns the raw output into that meaning; ``softmax`` runs over all channels
        that have it.
    """

    name: Annotated[str, described("Name of the channel")]
    meaning: Annotated[str, described("What a high value says")] = ""
    activation: Annotated[
        Literal["none", "sigmoid", "softmax", "tanh", "relu"], described("Final function")
    ] = "none"


@dataclasses.dataclass(frozen=True)
class OutputClass(_Part):
    """A class the model tells apart, with the colour it is shown in (``#rrggbb``)."""

    name: Annotated[str, described("Name of the class")]
    colour: Annotated[str, described("Colour as #rrggbb")] = "#808080"

    def __post_init__(self) -> None:
        """Check the colour, which goes into HTML."""
        super().__post_init__()
        _check_pattern(_COLOUR, self.colour, "colour", "of the form #rrggbb, in small letters")


@dataclasses.dataclass(frozen=True)
class TrainingData(_Part):
    """A data set the model learned from, with its licence and where to find it."""

    name: Annotated[str, described("Name of the data set")]
    licence: Annotated[str, described("Licence, as SPDX id where it has one")]
    source: Annotated[str, described("DOI or address")] = ""


@dataclasses.dataclass(frozen=True)
class Score(_Part):
    """A figure of merit with what it was measured on.

    Attributes
    ----------
    metric, data_set, split : str
        E.g. ``AP@0.5``, ``emps``, ``test``.
    value : float
    low, high : float or None
        95 % interval.
    """

    metric: Annotated[str, described("What was measured")]
    value: Annotated[float, described("The figure")]
    data_set: Annotated[str, described("On which data")]
    split: Annotated[str, described("On which part of it")]
    low: Annotated[float | None, described("Lower end of the 95 % interval")] = None
    high: Annotated[float | None, described("Upper end of the 95 % interval")] = None

    def __post_init__(self) -> None:
        """Check that the interval holds the value."""
        super().__post_init__()
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        if not low <= self.value <= high:
            raise InvalidSettings(
                f"{self.metric} = {self.value:g} is outside its interval {low:g} to {high:g}."
            )


@dataclasses.dataclass(frozen=True)
class WeightsFile(_Part):
    """The weights: a safetensors file beside the card, known by its hash.

    Attributes
    ----------
    file : str
        Plain file name that ends in ``.safetensors``.
    sha256 : str
        64 hexadecimal digits of the whole file.
    size_bytes : int
    url : str
        Where the file can be had (``https://``); empty when it lies beside the card.
    """

    file: Annotated[str, described("File name")]
    sha256: Annotated[str, described("SHA-256 of the file")]
    size_bytes: Annotated[int, described("Size", min=1, max=MAX_WEIGHTS_BYTES)]
    url: Annotated[str, described("Address to load it from")] = ""

    def __post_init__(self) -> None:
        """Refuse a name that is a path, and whatever is not a hash."""
        super().__post_init__()
        if not _WEIGHTS.fullmatch(self.file) or self.file.split(".")[0] in _RESERVED:
            raise UntrustedModel(
                f"The weights are called {self.file[:80]!r}, which is not a plain file name "
                "ending in .safetensors."
            )
        _check_pattern(_SHA256, self.sha256, "sha256", "64 hexadecimal digits in small letters")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise UntrustedModel(f"The address {self.url[:80]!r} is not one of the web.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Everything about a model but its weights.

    Attributes
    ----------
    name : str
        Small letters, digits, ``-`` and ``_``; the name users type.
    version : str
        Three numbers, e.g. ``1.0.0``.  A published version never changes.
    task : str
        ``segmentation``, ``classification``, ``focus``, ``embedding`` or ``generator``.
    architecture : str
        Row of the table of architectures.
    arguments : dict
        Its arguments, as plain JSON values.
    weights : WeightsFile
    input : InputSpec
    outputs : tuple of OutputChannel
        In the order of the network's output channels.
    classes : tuple of OutputClass
    licence : str
        Of the weights.
    training_data : tuple of TrainingData
    scores : tuple of Score
    description : str
        One or two sentences for whoever chooses a model.
    code_version : str
        Version of the package that trained it.
    created : str
        Date as ``YYYY-MM-DD``.

    Raises
    ------
    InvalidSettings
        A field is out of its range.
    UntrustedModel
        The name or the file would leave the store.

    Examples
    --------
    >>> weights = WeightsFile("weights.safetensors", "0" * 64, 10)
    >>> card = ModelCard(name="particles", version="1.0.0", task="segmentation",
    ...                  architecture="unet", weights=weights, licence="BSD-3-Clause",
    ...                  created="2026-01-31")
    >>> ModelCard.from_json(card.to_json()) == card
    True
    """

    name: str
    version: str
    task: Task
    architecture: str
    weights: WeightsFile
    licence: str
    created: str
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    input: InputSpec = dataclasses.field(default_factory=InputSpec)
    outputs: tuple[OutputChannel, ...] = ()
    classes: tuple[OutputClass, ...] = ()
    training_data: tuple[TrainingData, ...] = ()
    scores: tuple[Score, ...] = ()
    description: str = ""
    code_version: str = ""

    def __post_init__(self) -> None:
        """Check every field; a card that exists is a card that can be used."""
        check_name(self.name)
        _check_pattern(_VERSION, self.version, "version", "three numbers such as 1.0.0")
        tasks = Task.__args__  # type: ignore[attr-defined]
        if self.task not in tasks:
            raise InvalidSettings(f"task = {self.task!r} is not one of {', '.join(tasks)}.")
        for field in ("architecture", "licence", "description", "code_version"):
            _check_text(getattr(self, field), field)
        for field in ("architecture", "licence"):
            if not getattr(self, field):
                raise InvalidSettings(f"{field} of a model is not to be empty.")
        for field in ("outputs", "classes", "training_data", "scores"):
            if len(getattr(self, field)) > _MAX_PARTS:
                raise UntrustedModel(f"The card lists more than {_MAX_PARTS} {field}.")
        try:
            datetime.date.fromisoformat(self.created)
        except (TypeError, ValueError) as error:
            raise InvalidSettings(f"created = {self.created!r} is not a date.") from error
        _check_arguments(self.arguments)

    @property
    def key(self) -> str:
        """Name and version as users type them, e.g. ``particles@1.0.0``."""
        return f"{self.name}@{self.version}"

    @property
    def identity(self) -> str:
        """Name, version and weights hash, for a result that says what made it."""
        return f"{self.key} sha256:{self.weights.sha256}"

    def replace(self, **changes: Any) -> ModelCard:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with the schema version first."""
        return {"schema": SCHEMA} | dataclasses.asdict(self)

    def to_json(self) -> str:
        """Return the card as JSON; the same card gives the same text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Read a card of this or an older schema; see `from_dict` for what is refused."""
        raw = text.encode("utf-8") if isinstance(text, str) else text
        limits = {"max_bytes": MAX_CARD_BYTES, "max_depth": _MAX_DEPTH}
        return cls.from_dict(strict_json.parse(raw, what="The card", **limits))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelCard:
        """Make a card from plain values of this or an older schema.

        Parameters
        ----------
        values : dict
            As `to_dict` gives it.

        Returns
        -------
        ModelCard

        Raises
        ------
        InvalidSettings
            A field is missing, unknown, of the wrong kind or out of its range.
        UntrustedModel
            The card is newer than this program, or would leave the store.
        """
        if not isinstance(values, Mapping):
            raise InvalidSettings("The card is not a JSON object.")
        fields = migrate(dict(values))
        return strict_json.decode(cls, fields, where="The card")


def migrate(fields: dict[str, Any]) -> dict[str, Any]:
    """Bring the fields of an older card to the present schema, and drop its number."""
    schema = fields.pop("schema", None)
    if type(schema) is not int or schema < 1:
        raise InvalidSettings("The card does not say its schema version.")
    if schema > SCHEMA:
        raise UntrustedModel(
            f"The card has schema {schema}; this version of napari-sem-tools knows {SCHEMA}.",
            hint="Update with: pip install --upgrade napari-sem-tools",
        )
    for step in range(schema, SCHEMA):
        fields = MIGRATIONS[step](fields)
    return fields


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions are ordered by.

    Examples
    --------
    >>> version_key("1.10.0") > version_key("1.9.3")
    True
    """
    return tuple(int(part) for part in version.split("."))


def check_name(name: str) -> None:
    """Refuse a model name that is no plain folder name on every system."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        raise UntrustedModel(
            f"The model is called {str(name)[:80]!r}, which is not a plain name.",
            hint="Use small letters, digits, - and _, at most 64.",
        )


def _check_pattern(pattern: re.Pattern[str], value: str, name: str, what: str) -> None:
    """Refuse a text that does not match."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidSettings(f"{name} = {str(value)[:80]!r} is not {what}.")


def _check_text(value: str, name: str) -> None:
    """Refuse a text that is too long or that would steer a terminal."""
    if not isinstance(value, str):
        raise InvalidSettings(f"{name} = {value!r} is not a text.")
    if len(value) > _MAX_TEXT:
        raise UntrustedModel(f"{name} has {len(value)} characters; at most {_MAX_TEXT} are read.")
    if not value.replace("\n", "").isprintable():
        raise UntrustedModel(f"{name} holds control characters.")


def _check_arguments(arguments: dict[str, Any]) -> None:
    """Refuse arguments of the architecture that are not plain JSON values."""
    if not isinstance(arguments, dict):
        raise InvalidSettings(f"arguments = {arguments!r} is not a dict.")
    try:
        text = json.dumps(arguments, allow_nan=False)
        same = json.loads(text) == arguments
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSettings("arguments of a model are to be plain JSON values.") from error
    if not same or "architecture" in arguments:
        raise InvalidSettings(
            "arguments of a model are to be plain JSON values, none of them named architecture."
        )
    if strict_json.depth_of(arguments) > _MAX_DEPTH or not text.isprintable():
        raise UntrustedModel(f"arguments of the model are nested deeper than {_MAX_DEPTH} levels.")
