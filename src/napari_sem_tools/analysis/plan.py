"""What an analysis will do: inputs and wishes joined into one frozen, printable plan."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import operator
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np

from napari_sem_tools._version import __version__
from napari_sem_tools.analysis.regions import wished_region
from napari_sem_tools.analysis.wishes import Wishes, takes_wishes
from napari_sem_tools.errors import InvalidSettings, SemError, UnreadableFile
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.settings import Settings

if TYPE_CHECKING:
    from napari_sem_tools.analysis.job import Measured
    from napari_sem_tools.measurement import MeasureSettings
    from napari_sem_tools.statistics import StatisticsSettings

__all__ = ["Plan", "Source", "named_apart", "resolve"]

_RESERVED = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # what some system refuses in a file name
_DEVICE = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)$")  # reserved words of Windows
_LONGEST_NAME = 120
ALL_PAGES = "all"


@dataclasses.dataclass(frozen=True)
class Source:
    """One thing to analyse: a file, or an image that is in memory.

    Attributes
    ----------
    name : str
        Under which its results are kept; unique within a plan, whatever the file system.
    path : Path or None
    image : Micrograph or None
        Given when the image is in memory already.
    """

    name: str
    path: Path | None = None
    image: Micrograph | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def file(self) -> str:
        """Name of the file without its folder, which may name a person."""
        return self.path.name if self.path is not None else f"{self.name} (in memory)"


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What will be read, how it is analysed and where the results go.

    Attributes
    ----------
    sources : tuple of Source
    out : Path
    method : str
        A row of the table of segmentation methods.
    settings, measure_settings, statistics_settings : Settings
    page : int, "all" or None
        None: the first picture of each file.
    pixel_size, width : optional
        Typed, in nm; None: as each file states.
    roi, roi_exclude : bool array (Y, X), list of polygons in px, or None
        Region to measure in, region to leave out.
    exports : tuple of str
        Further files to write.
    workers : int
        Processes.
    left_out : int
        Inputs that `limit` or `shard` leave to somebody else.
    measured : tuple of Measured
        What was found and measured before, where only a report is written; else empty.
    """

    sources: tuple[Source, ...]
    out: Path
    method: str
    settings: Settings
    measure_settings: Settings
    statistics_settings: Settings
    page: int | str | None = None
    pixel_size: float | tuple[float, float] | None = None
    width: float | None = None
    roi: Any = None
    roi_exclude: Any = None
    exports: tuple[str, ...] = ()
    workers: int = 1
    left_out: int = 0
    measured: tuple[Measured, ...] = dataclasses.field(default=(), repr=False)

    @property
    def measuring(self) -> MeasureSettings:
        """`measure_settings` under its own type."""
        return cast("MeasureSettings", self.measure_settings)

    @property
    def reckoning(self) -> StatisticsSettings:
        """`statistics_settings` under its own type."""
        return cast("StatisticsSettings", self.statistics_settings)

    @property
    def partial(self) -> Path:
        """The folder beside `out` where a run under way lives."""
        return self.out.with_name(self.out.name + ".partial")

    def __str__(self) -> str:
        """Say in a few lines what will be done."""
        shown = ", ".join(source.file for source in self.sources[:3])
        more = len(self.sources) - 3
        lines = [
            f"read: {shown}" + (f" and {more} more" if more > 0 else "") + self._pages_text,
            f"pixel size: {self.calibration_text}",
            f"region: {_region_text(self.roi, 'the whole field')}"
            + (
                f", without {_region_text(self.roi_exclude, '')}"
                if self.roi_exclude is not None
                else ""
            ),
            f"particles: as they are, from {self.method}"
            if self.measured
            else f"segment: {self.method}, {_changed(self.settings)}",
            f"measure: {_changed(self.measure_settings)}",
            f"statistics: {_changed(self.statistics_settings)}",
            f"write: {self.out.name}/"
            + (f", with {', '.join(self.exports)}" if self.exports else ""),
        ]
        if self.left_out:
            lines.append(f"left out: {self.left_out} further inputs (limit or shard)")
        return "\n".join(lines)

    @property
    def _pages_text(self) -> str:
        """Say which pages are read, where that was wished."""
        if self.page is None:
            return ""
        return ", all pages" if self.page == ALL_PAGES else f", page {self.page}"

    @property
    def calibration_text(self) -> str:
        """Where the pixel size comes from."""
        if self.pixel_size is not None:
            return f"{self.pixel_size} nm, typed"
        if self.width is not None:
            return f"image width {self.width:g} nm, typed"
        return "as each file states"

    def fingerprint(self) -> str:
        """Return a hash of all that changes a result but the inputs, to recognise a stopped run."""
        said = {
            "version": __version__,
            "method": self.method,
            "settings": self.settings.to_dict(),
            "measure": self.measure_settings.to_dict(),
            "page": self.page,
            "pixel_size": self.pixel_size,
            "width": self.width,
            "roi": _digest(self.roi),
            "roi_exclude": _digest(self.roi_exclude),
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


@takes_wishes
def resolve(
    inputs: Any,
    out: str | os.PathLike[str],
    *,
    replaces_out: bool = True,
    **wishes: Unpack[Wishes],
) -> Plan:
    """Join inputs and wishes into a plan; nothing is written and no pixel is read.

    Keywords are those of `analyze`; `replaces_out` False allows inputs that lie in `out`,
    for what only adds files there.

    Returns
    -------
    Plan

    Raises
    ------
    InvalidSettings
        A wish that cannot be granted.
    MissingExtra
        A file is wished for that needs a library which is not installed.
    UnreadableFile
        No input is there.
    """
    from napari_sem_tools.analysis.exports import chosen_exports
    from napari_sem_tools.measurement import MeasureSettings
    from napari_sem_tools.segmentation import choose_method
    from napari_sem_tools.statistics import StatisticsSettings

    settings = wishes.get("settings")
    choice = choose_method(wishes.get("method"), settings, load=True)
    if wishes.get("pixel_size") is not None and wishes.get("width") is not None:
        raise InvalidSettings("Give the pixel size or the image width, not both.")
    found = _sources(inputs)
    chosen = _share(found, wishes.get("limit"), wishes.get("shard"))
    return Plan(
        sources=tuple(chosen),
        out=_place(out, chosen if replaces_out else []),
        method=choice.name,
        settings=_record(settings, choice.row.settings),
        measure_settings=_record(wishes.get("measure_settings"), MeasureSettings),
        statistics_settings=_record(wishes.get("statistics_settings"), StatisticsSettings),
        page=_page(wishes.get("page")),
        pixel_size=_lengths(wishes.get("pixel_size"), "pixel_size"),
        width=_lengths(wishes.get("width"), "width"),
        roi=wished_region(wishes.get("roi")),
        roi_exclude=wished_region(wishes.get("roi_exclude")),
        exports=chosen_exports(wishes.get("exports")),
        workers=_positive(wishes.get("workers"), "workers") or 1,
        left_out=len(found) - len(chosen),
    )


def _record(settings: Any, kind: type[Settings]) -> Settings:
    """Take a settings record, a dict of its fields, or nothing."""
    if settings is None:
        return kind()
    if isinstance(settings, dict):
        return kind.from_dict(settings)
    if not isinstance(settings, kind):
        raise InvalidSettings(f"{type(settings).__name__} is given where {kind.__name__} belongs.")
    return settings


def _sources(inputs: Any) -> list[Source]:
    """List what is to be analysed, each under a name of its own."""
    from napari_sem_tools.reading.inputs import as_micrograph, list_files

    given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    named: list[tuple[str, Path | None, Micrograph | None]] = []
    missing: list[UnreadableFile] = []
    for thing in given:
        if not isinstance(thing, str | os.PathLike):
            image = as_micrograph(thing)
            named.append((image.name, image.source, image))
            continue
        try:
            paths: Sequence[Path] = list_files([thing])
        except UnreadableFile as error:  # fails when its turn comes; the others are done
            missing.append(error)
            paths = [Path(thing)]
        named += [(path.stem, path, None) for path in paths]
    if missing and len(missing) == len(given):
        raise missing[0]
    if not named:
        raise UnreadableFile(
            "There is no image to analyse.", hint="Give files, folders, globs or a CSV of paths."
        )
    names = named_apart([name for name, _, _ in named])
    return [Source(name, path, image) for name, (_, path, image) in zip(names, named, strict=True)]


def named_apart(names: Iterable[str]) -> list[str]:
    """Make file names that every system takes and that differ from each other.

    Examples
    --------
    >>> named_apart(["a", "A", "b/c"])
    ['a', 'A_2', 'b_c']
    """
    taken: set[str] = set()
    return [_unique(name, taken) for name in names]


def _unique(name: str, taken: set[str]) -> str:
    """Make a file name that every system takes and that differs from all others."""
    plain = _RESERVED.sub("_", name).strip(" .")[:_LONGEST_NAME] or "image"
    if _DEVICE.match(plain):
        plain += "_"
    unique, number = plain, 1
    while unique.casefold() in taken:
        number += 1
        unique = f"{plain}_{number}"
    taken.add(unique.casefold())
    return unique


def _share(
    sources: list[Source], limit: int | None, shard: str | tuple[int, int] | None
) -> list[Source]:
    """Keep the share of one of several machines, then the first few."""
    chosen = sources
    if shard is not None:
        number, count = _shard(shard)
        chosen = sources[number - 1 :: count]
        if not chosen:
            raise InvalidSettings(f"Shard {number}/{count} holds none of {len(sources)} inputs.")
    limit = _positive(limit, "limit")
    return chosen[:limit] if limit is not None else chosen


def _shard(shard: str | tuple[int, int]) -> tuple[int, int]:
    """Read ``i/n``."""
    parts: Iterable[Any] = shard.split("/") if isinstance(shard, str) else shard
    try:
        number, count = (int(part) for part in parts)
    except (TypeError, ValueError):
        number = count = 0
    if not 1 <= number <= count:
        raise InvalidSettings(f"shard = {shard!r} is not i/n.", hint="The third of eight is 3/8.")
    return number, count


def _place(out: str | os.PathLike[str], sources: Sequence[Source]) -> Path:
    """Return where the results go; never a place that holds an input."""
    place = Path(os.path.abspath(out))
    if not place.name:
        raise InvalidSettings(f"{place} cannot be the folder of the results.")
    for source in sources:
        if source.path is not None and Path(os.path.abspath(source.path)).is_relative_to(place):
            raise InvalidSettings(
                f"{source.file} lies in {place}, which the results would replace.",
                hint="Choose another folder for the results.",
            )
    return place


def _lengths(value: Any, name: str) -> Any:
    """Check a typed length in nm."""
    if value is None:
        return None
    if isinstance(value, str):
        from napari_sem_tools.calibration import parse_length

        value = parse_length(value, default_unit="nm")
    try:
        numbers = np.atleast_1d(np.asarray(value, float))
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if numbers.size not in (1, 2) or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise InvalidSettings(f"{name} = {value!r} is no length in nm.")
    plain = tuple(numbers.tolist())
    return plain[0] if len(plain) == 1 else plain


def _page(page: Any) -> int | str | None:
    """Check a page: a number from 0, or all of them."""
    if page is None or page == ALL_PAGES:
        return cast("str | None", page)
    try:
        number = operator.index(int(page) if isinstance(page, str) else page)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise InvalidSettings(
            f"page = {page!r} is no page.",
            hint=f'Pages count from 0; "{ALL_PAGES}" takes them all.',
        )
    return number


def _positive(value: int | None, name: str) -> int | None:
    """Check a count of at least 1."""
    if value is not None and (value != int(value) or value < 1):
        raise InvalidSettings(f"{name} = {value!r} is not a whole number of at least 1.")
    return value


def _is_mask(region: Any) -> bool:
    """Tell a mask from polygons."""
    return isinstance(region, np.ndarray) and region.dtype == np.bool_


def _region_text(region: Any, otherwise: str) -> str:
    """Say how large a region is."""
    if region is None:
        return otherwise
    if _is_mask(region):
        return f"a mask of {int(region.sum())} px"
    return f"{len(region)} drawn regions"


def _changed(settings: Settings) -> str:
    """List the settings that differ from their default."""
    default = {field.name: field.default for field in settings.fields()}
    changed = {k: v for k, v in settings.to_dict().items() if v != default[k]}
    return ", ".join(f"{k} = {v}" for k, v in changed.items()) or "settings as they come"


def _digest(region: Any) -> str | None:
    """Hash a region."""
    if region is None:
        return None
    digest = hashlib.sha256()
    try:
        for part in [region] if hasattr(region, "dtype") else region:
            array = np.ascontiguousarray(part)
            digest.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    except (TypeError, ValueError) as error:
        raise SemError("The region is neither a mask nor a list of polygons.") from error
    return digest.hexdigest()
