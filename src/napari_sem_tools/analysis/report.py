"""The report of particles that are measured already: found, edited and judged by hand.

`analyze` goes from files to a report in one go; this begins at labels and their table, e.g.
those in the window, and writes the same files by the same functions.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from napari_sem_tools.analysis.exports import chosen_exports
from napari_sem_tools.analysis.job import Measured, record_measured
from napari_sem_tools.analysis.ledger import Ledger, hash_file
from napari_sem_tools.analysis.main import Analysis
from napari_sem_tools.analysis.outputs import write_outputs
from napari_sem_tools.analysis.plan import Plan, Source, named_apart
from napari_sem_tools.errors import InvalidSettings, UnreadableFile
from napari_sem_tools.files import only_writer, replace_folder
from napari_sem_tools.measurement import MeasureSettings
from napari_sem_tools.settings import Settings
from napari_sem_tools.statistics import StatisticsSettings
from napari_sem_tools.tasks import Cancel, Progress, part_of, report, stop_if_cancelled

__all__ = ["write_report"]

_OUTPUTS_FROM = 0.5  # share of the progress after which tables and report are written
_NEEDED = {"included", "edge", "doubtful", "area_px"}


def write_report(
    measured: Sequence[Measured],
    out: str | os.PathLike[str],
    *,
    statistics_settings: Settings | dict[str, Any] | None = None,
    exports: str | Iterable[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Analysis:
    """Write figures, tables and a report of particles as they were measured and decided.

    Nothing is segmented or measured again: a number of the table is the number of the report.

    Parameters
    ----------
    measured : sequence of Measured
        Image, segmentation and table of each plane.
    out : path-like
        The folder of the results.  It appears whole or not at all.
    statistics_settings : StatisticsSettings or dict, optional
    exports : str or sequence of str, optional
        Further files, as `analyze` names them.
    overwrite : bool
        Replace an existing `out`, once the new one is complete.
    progress, cancel : callable, optional

    Returns
    -------
    Analysis

    Raises
    ------
    OutputExists
        `out` is there already, or another run is writing it.
    InvalidSettings
        There is nothing to report, or a table is not one of `measure`.
    MissingExtra
        A file is wished for that needs a library which is not installed.
    Cancelled
        The user stopped the work; nothing is left behind.

    Examples
    --------
    >>> from napari_sem_tools.analysis import Measured, write_report
    >>> import napari_sem_tools as sem
    >>> image = sem.read("1908318.tif")  # doctest: +SKIP
    >>> found = sem.segment(image)  # doctest: +SKIP
    >>> table = sem.measure(found, image)  # doctest: +SKIP
    >>> write_report([Measured(image, found, table)], "out").report  # doctest: +SKIP
    """
    _refuse_other_tables(measured)
    plan = _plan(measured, out, statistics_settings, exports)
    with only_writer(plan.out):
        ledger = Ledger(plan.partial)
        ledger.open(plan, overwrite=overwrite, resume=False)
        try:
            images = []
            for number, (source, one) in enumerate(zip(plan.sources, measured, strict=True)):
                stop_if_cancelled(cancel)
                report(part_of(progress, 0.0, _OUTPUTS_FROM), number, len(measured), source.file)
                single = len(measured) == 1
                images.append(record_measured(source, one, _hash(source), ledger, single=single))
            stop_if_cancelled(cancel)
            last = part_of(progress, _OUTPUTS_FROM, 1.0)
            table, summary = write_outputs(plan, images, ledger, progress=last)
            stop_if_cancelled(cancel)
            replace_folder(ledger.result, plan.out)
        finally:
            ledger.discard()
    return Analysis(plan.out, plan, tuple(images), table, summary)


def _refuse_other_tables(measured: Sequence[Measured]) -> None:
    """Refuse what a report cannot be made of, in a sentence."""
    if not measured:
        raise InvalidSettings("There is nothing to report.", hint="Measure particles first.")
    for one in measured:
        if one.found.labels.ndim != 2 or one.image.axes == "NYX" or "slice" in one.table:
            raise InvalidSettings(
                f"{one.image.name} is a stack; a report has planes.",
                hint="Measure the slices that it is about as images of their own.",
            )
        if not set(one.table.columns) >= _NEEDED or "unit" not in one.table.attrs:
            raise InvalidSettings(
                f"The table of {one.image.name} is not one that this program measured.",
                hint="Measure the particles again.",
            )


def _plan(
    measured: Sequence[Measured],
    out: str | os.PathLike[str],
    statistics_settings: Settings | dict[str, Any] | None,
    exports: str | Iterable[str] | None,
) -> Plan:
    """Say what is reported as `analyze` says what it will do."""
    place = Path(os.path.abspath(out))
    images = [one.image for one in measured]
    names = named_apart([image.name for image in images])
    sources = [Source(name, image.source, image) for name, image in zip(names, images, strict=True)]
    inside = [s for s in sources if s.path is not None and s.path.absolute().is_relative_to(place)]
    if inside:
        raise InvalidSettings(
            f"{inside[0].file} lies in {place}, which the report would replace.",
            hint="Choose another folder for the report.",
        )
    given = statistics_settings or {}
    stated = measured[0].table.attrs.get("settings") or {}
    return Plan(
        sources=tuple(sources),
        out=place,
        method=", ".join(dict.fromkeys(one.found.method for one in measured)),
        settings=Settings(),
        measure_settings=MeasureSettings.from_dict(stated),
        statistics_settings=StatisticsSettings.from_dict(given)
        if isinstance(given, dict)
        else given,
        exports=chosen_exports(exports),
        measured=tuple(measured),
    )


def _hash(source: Source) -> str:
    """Return the SHA-256 of the file that an image came from, empty where it is gone."""
    try:
        return hash_file(source.path) if source.path is not None else ""
    except UnreadableFile:
        return ""
