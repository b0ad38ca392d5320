"""What a report is made of: plain records, without arrays and without names of persons."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from napari_sem_tools.reporting.blocks import Picture, Section

__all__ = ["ImageRow", "Report", "Statistic"]


@dataclasses.dataclass(frozen=True)
class Statistic:
    """One number of the summary with its interval.

    Attributes
    ----------
    name : str
        As in ``summary.json``, e.g. ``"mean"``.
    value : float
        NaN when it cannot be given.
    low, high : float or None
        Ends of the interval, None without one.
    unit : str
        ``"nm"``, ``"px"`` or empty.
    label : str
        How the report calls it; derived from `name` when empty.

    Examples
    --------
    >>> Statistic("mean", 41.234, 39.1, 43.3, "nm").text
    '41.2 nm (39.1 to 43.3)'
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    label: str = ""

    @property
    def title(self) -> str:
        """Name for people."""
        return self.label or self.name.replace("_", " ")

    @property
    def text(self) -> str:
        """Value, unit and interval in a line."""
        shown = f"{short(self.value)} {self.unit}".strip()
        return f"{shown} ({self.interval})" if self.interval else shown

    @property
    def interval(self) -> str:
        """The interval in words; with few particles it may be open to one side."""
        low = math.nan if self.low is None else self.low
        high = math.nan if self.high is None else self.high
        if math.isfinite(low) and math.isfinite(high):
            return f"{short(low)} to {short(high)}"
        if math.isfinite(low):
            return f"at least {short(low)}"
        return f"at most {short(high)}" if math.isfinite(high) else ""


@dataclasses.dataclass(frozen=True)
class ImageRow:
    """What the report says about one image.

    Attributes
    ----------
    name : str
        The name under which its results are kept.
    file : str
        Name of the file, without its folder.
    calibration : str
        Pixel size, its origin and its evidence in a line.
    sha256 : str
        Of the file, or of the pixels of an image that was never a file.
    particles, included, edge, doubtful : int
    median : str
        Median ECD with its unit.
    method : str
        What found the particles, in a sentence.
    notes : tuple of str
    error : str
        Empty when the image was analysed.
    details : dict
        Further lines about the picture, e.g. accelerating voltage.
    """

    name: str
    file: str
    calibration: str = ""
    sha256: str = ""
    particles: int = 0
    included: int = 0
    edge: int = 0
    doubtful: int = 0
    median: str = ""
    method: str = ""
    notes: tuple[str, ...] = ()
    error: str = ""
    details: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """All that ``report.html`` shows.

    Attributes
    ----------
    title, headline : str
        Name of the analysis, and its result in a sentence.
    made : str
        Date and time.
    statistics : dict of str to tuple of Statistic
        One table per unit; more than one only when some images are uncalibrated.
    images : tuple of ImageRow
    figures : tuple of Picture
    method : tuple of str
        The text for a paper, a paragraph each.
    doubt_rule : str
        What makes a particle doubtful, and how to switch that off.
    settings : dict of str to dict
        Block name to values.
    software : dict of str to str
        Name to version.
    warnings : tuple of str
    columns : tuple of (name, explanation)
        Of the table that is shown.
    rows : tuple of tuple of str
        First rows of ``particles.csv``.
    row_count : int
        Number of rows there.
    files : tuple of (path, explanation)
    plan : str
        The plan that the run obeyed, as printed.
    further : tuple of Section
        Uncertainty, fits, what standards ask for: sections that were made elsewhere.
    """

    title: str
    headline: str
    made: str
    statistics: dict[str, tuple[Statistic, ...]] = dataclasses.field(default_factory=dict)
    images: tuple[ImageRow, ...] = ()
    figures: tuple[Picture, ...] = ()
    method: tuple[str, ...] = ()
    doubt_rule: str = ""
    settings: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    software: dict[str, str] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    row_count: int = 0
    files: tuple[tuple[str, str], ...] = ()
    plan: str = ""
    further: tuple[Section, ...] = ()


def short(value: float, digits: int = 3) -> str:
    """Write a number with three significant digits, whole ones in full.

    Examples
    --------
    >>> short(41.234), short(1234.5), short(0.01234), short(float("nan"))
    ('41.2', '1234', '0.0123', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == int(value) or abs(value) >= 10**digits:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"
