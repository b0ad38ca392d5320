"""Where models lie: with the package, with the user, and in folders that a lab shares."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.settings import Settings, described

__all__ = [
    "ModelSettings",
    "Place",
    "load_settings",
    "model_settings",
    "places",
    "preferences",
    "user_folder",
]

PACKAGED = Path(__file__).resolve().parents[1] / "weights"
"""Where the models that come with the package lie."""

_APP = "napari-sem-tools"
_PREFIX = "NAPARI_SEM_TOOLS_"
_TRUE = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
_MAX_SETTINGS_BYTES = 256 * 1024

Origin = Literal["packaged", "user", "shared"]
Kind = TypeVar("Kind", bound=Settings)


@dataclasses.dataclass(frozen=True)
class ModelSettings(Settings):
    """Where to look for models, beside those of the package and of the user.

    Attributes
    ----------
    models : str
        Folders that are read and never written to, e.g. on a network share, separated as
        in ``PATH``.  Also ``NAPARI_SEM_TOOLS_MODELS``.
    offline : bool
        Never load anything from the network.  Also ``NAPARI_SEM_TOOLS_OFFLINE``.
    """

    models: Annotated[str, described("Folders with more models")] = ""
    offline: Annotated[bool, described("Never load from the network")] = False


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder of models and what it is: ``packaged``, ``user`` or ``shared``."""

    folder: Path
    origin: Origin

    @property
    def writable(self) -> bool:
        """True for the user's folder alone; the others are never written to."""
        return self.origin == "user"


def user_folder() -> Path:
    """Return the folder of the user's models; it is made when the first one is kept."""
    import platformdirs

    return platformdirs.user_data_path(_APP, appauthor=False) / "models"


def settings_file() -> Path:
    """Return the path of ``settings.toml``, which need not exist."""
    import platformdirs

    return platformdirs.user_config_path(_APP, appauthor=False) / "settings.toml"


def load_settings(
    kind: type[Kind], group: str, *, preferences: Mapping[str, Any] | None = None, **given: Any
) -> Kind:
    """Join what was asked for with environment, preferences and the user's file.

    Parameters
    ----------
    kind : type
        A settings record.
    group : str
        Table of ``settings.toml``.
    preferences : dict, optional
        What napari's preferences page says.
    **given
        Arguments; None means: not given.

    Returns
    -------
    Settings
        The strongest of argument, environment (``NAPARI_SEM_TOOLS_<FIELD>``), preferences,
        file and default, field by field.

    Raises
    ------
    InvalidSettings
        A value is out of its range; the message gives the range.
    """
    fields = {field.name: field.kind for field in kind.fields()}
    values = {**_from_file(group), **(preferences or {}), **_from_environment(fields)}
    values |= {name: value for name, value in given.items() if value is not None}
    known = {name: value for name, value in values.items() if name in fields or name in given}
    return kind.from_dict(known)


def preferences(group: str) -> dict[str, Any]:
    """Return what the user changed on napari's preferences page, without importing napari.

    Parameters
    ----------
    group : str
        ``engine`` or ``models``, as in the manifest.

    Returns
    -------
    dict
        Empty where napari does not run, or is older than 0.9.  What stands at its default
        is left out, so that ``settings.toml`` counts for it.
    """
    ask = getattr(sys.modules.get("napari.settings"), "get_plugin_settings", None)
    if ask is None:
        return {}
    with contextlib.suppress(KeyError, AttributeError):  # npe2 does not know us, or no page
        return dict(getattr(ask(_APP), group).model_dump(exclude_defaults=True))
    return {}


def model_settings(**given: Any) -> ModelSettings:
    """Join what was asked for with what the user has set; see `load_settings`.

    Parameters
    ----------
    **given
        Fields of `ModelSettings`; None means: not given.

    Returns
    -------
    ModelSettings
    """
    page = preferences("models")
    if "folders" in page:  # models.folders reads better on a page, MODELS in the environment
        page["models"] = page.pop("folders")
    return load_settings(ModelSettings, "models", preferences=page, **given)


def places(settings: ModelSettings | None = None) -> tuple[Place, ...]:
    """List the folders in the order in which they are searched.

    Parameters
    ----------
    settings : ModelSettings, optional
        By default what the user has set.

    Returns
    -------
    tuple of Place
        The package's own first, so that nobody can put another model in its place.
    """
    chosen = settings or model_settings()
    shared = [part.strip() for part in chosen.models.split(os.pathsep)]
    return (
        Place(PACKAGED, "packaged"),
        Place(user_folder(), "user"),
        *(Place(Path(part).expanduser(), "shared") for part in shared if part),
    )


def _from_environment(fields: Mapping[str, type]) -> dict[str, Any]:
    """Read the fields that the environment sets."""
    found: dict[str, Any] = {}
    for name, kind in fields.items():
        text = os.environ.get(_PREFIX + name.upper())
        if text is not None:
            found[name] = _value(kind, text)
    return found


def _value(kind: type, text: str) -> Any:
    """Turn a word of the environment into the kind of its field, or leave it to be refused."""
    if kind is bool:
        return _TRUE.get(text.strip().lower(), text)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text


def _from_file(group: str) -> dict[str, Any]:
    """Read one table of ``settings.toml``; a missing file is an empty one."""
    path = settings_file()
    try:
        if path.stat().st_size > _MAX_SETTINGS_BYTES:
            raise InvalidSettings(f"{path} is larger than {_MAX_SETTINGS_BYTES} bytes.")
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(group, {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidSettings(
            f"{path} could not be read: {error}.", hint="Correct it or delete it."
        ) from error
    if not isinstance(table, dict):
        raise InvalidSettings(f"[{group}] in {path} is not a table.", hint="Correct it.")
    return table
