"""The focus of every image of a folder: one row a picture, as a table that can be sorted."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sem_tools.errors import Cancelled, SemError
from napari_sem_tools.focus.score import FocusScore, focus
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading import list_files, read
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FileScore", "score_file", "score_files", "scores_table"]

Heard = Callable[["FileScore", Micrograph | None], None]
Scoring = Callable[[Micrograph], FocusScore]


@dataclasses.dataclass(frozen=True)
class FileScore:
    """The focus of one file, or why it has none.

    Attributes
    ----------
    file : Path
    score : FocusScore or None
        None where the file could not be read or scored.
    error, hint : str
        Why there is no score, in one sentence, and what to do; empty where there is one.
    calibration : str
        How large a pixel is and how that is known.
    acquired : str
        When the microscope took it (ISO 8601); empty where the file does not say.
    working_distance_mm : float or None
    notes : tuple of str
        What the reader wants said aloud.
    """

    file: Path
    score: FocusScore | None = None
    error: str = ""
    hint: str = ""
    calibration: str = ""
    acquired: str = ""
    working_distance_mm: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """The score; NaN where there is none, so that rows can be sorted."""
        return float("nan") if self.score is None else self.score.score

    def to_dict(self) -> dict[str, Any]:
        """Return plain values by the names of the columns of `scores_table`."""
        found: dict[str, Any] = {"file": str(self.file)}
        if self.score is not None:
            found |= _columns(self.score)
        found |= {
            "acquired": self.acquired or None,
            "working_distance_mm": self.working_distance_mm,
            "calibration": self.calibration,
            "error": self.error or None,
        }
        return found


def score_file(
    path: str | os.PathLike[str],
    *,
    pixel_size: float | tuple[float, float] | None = None,
    width: float | None = None,
    scoring: Scoring | None = None,
    heard: Heard | None = None,
) -> FileScore:
    """Read one file and score the focus of its first picture.

    Parameters
    ----------
    path : path-like
    pixel_size, width : float, optional
        Typed, in nm, instead of what the file says.
    scoring : callable, optional
        What scores a `Micrograph`; by default `focus`.
    heard : callable, optional
        Called with the row and the image that was read, None where it could not be.

    Returns
    -------
    FileScore
        An unreadable file has its reason in `error`; it raises nothing.

    Examples
    --------
    >>> score_file("there-is-none.tif").error
    'There is no file there-is-none.tif.'
    """
    image: Micrograph | None = None
    try:
        image = read(path, pixel_size=pixel_size, width=width)
        row = _row(Path(path), image, (scoring or focus)(image.plane()))
    except Cancelled:
        raise
    except SemError as error:
        row = FileScore(Path(path), error=error.message, hint=error.hint)
    if heard is not None:
        heard(row, image)
    return row


def score_files(
    inputs: Any,
    *,
    pixel_size: float | tuple[float, float] | None = None,
    width: float | None = None,
    scoring: Scoring | None = None,
    heard: Heard | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> list[FileScore]:
    """Score the focus of files and folders, one after the other.

    Parameters
    ----------
    inputs : path-like or iterable of path-like
        Files, folders, patterns or a CSV of paths.
    pixel_size, width : float, optional
        Typed, in nm, instead of what the files say.
    scoring : callable, optional
        What scores a `Micrograph`; by default `focus`.
    heard : callable, optional
        Called with each row and its image as soon as it is scored.
    progress, cancel : callable, optional

    Returns
    -------
    list of FileScore
        In natural order of names; a file that cannot be read has its reason.

    Raises
    ------
    UnreadableFile
        There is no image in `inputs`.
    Cancelled

    Examples
    --------
    >>> import tempfile
    >>> from napari_sem_tools.tiff import write_tiff
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_tiff(Path(folder) / "black.tif", np.zeros((64, 64), np.uint8))
    ...     rows = score_files(folder)
    >>> rows[0].file.name, rows[0].score.information
    ('black.tif', False)
    """
    rows: list[FileScore] = []
    files = list_files(inputs)
    for number, path in enumerate(files):
        stop_if_cancelled(cancel)
        report(progress, number, len(files), f"scoring {path.name}")
        rows.append(
            score_file(path, pixel_size=pixel_size, width=width, scoring=scoring, heard=heard)
        )
    report(progress, len(files), len(files), "scored")
    return rows


def scores_table(
    rows: Iterable[FileScore],
    *,
    marks: Mapping[Path, str] | None = None,
    measures: Sequence[str] = (),
) -> pd.DataFrame:
    """Return rows as a table, one a file.

    Parameters
    ----------
    rows : iterable of FileScore
    marks : mapping of Path to str, optional
        ``"keep"`` or ``"reject"`` by file; a column ``mark`` is added.
    measures : sequence of str, optional
        Classical measures that get a column each.

    Returns
    -------
    DataFrame
        ``file``, ``score``, ``score_low``, ``score_high`` (90 % interval), ``blur_px``,
        ``blur_nm`` (only where some file is calibrated), ``snr``, ``contrast``,
        ``information``, ``reasons``, ``acquired``, ``working_distance_mm``,
        ``calibration``, ``error``.

    Examples
    --------
    >>> scores_table([FileScore(Path("a.tif"), FocusScore(7.5, (7.0, 8.0), blur_px=1.0))])[
    ...     ["file", "score", "blur_px"]
    ... ].values.tolist()
    [['a.tif', 7.5, 1.0]]
    """
    import pandas as pd

    rows = list(rows)
    content = []
    for row in rows:
        one = row.to_dict()
        if row.score is not None:
            one |= {name: row.score.measures.get(name) for name in measures}
        if marks is not None:
            one["mark"] = marks.get(row.file, "")
        content.append(one)
    in_nm = any(row.score is not None and row.score.blur_nm is not None for row in rows)
    names = [name for name in _COLUMNS if name != "blur_nm" or in_nm]
    at = names.index("acquired")
    names[at:at] = [*measures, *(["mark"] if marks is not None else [])]
    return pd.DataFrame(content, columns=names)


_COLUMNS = (
    "file", "score", "score_low", "score_high", "blur_px", "blur_nm", "snr", "contrast",
    "information", "reasons", "method", "acquired", "working_distance_mm", "calibration", "error",
)  # fmt: skip


def _columns(score: FocusScore) -> dict[str, Any]:
    """Return the columns that a score fills; a blur in nm only where it is known."""
    low, high = score.interval
    found = {
        "score": score.score,
        "score_low": low,
        "score_high": high,
        "blur_px": score.blur_px,
        "snr": score.snr,
        "contrast": score.contrast,
        "information": score.information,
        "reasons": "; ".join(score.reasons),
        "method": score.method,
    }
    return found if score.blur_nm is None else found | {"blur_nm": score.blur_nm}


def _row(path: Path, image: Micrograph, score: FocusScore) -> FileScore:
    """Join a score with what the file said."""
    return FileScore(
        path,
        score,
        calibration=image.calibration.describe(),
        acquired=image.metadata.acquired or "",
        working_distance_mm=image.metadata.working_distance_mm,
        notes=image.notes,
    )
