"""The main job as one function: images in, tables, figures and a report out."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, cast

import pandas as pd

from napari_sem_tools import errors
from napari_sem_tools.analysis.job import analyse_source
from napari_sem_tools.analysis.ledger import Ledger
from napari_sem_tools.analysis.outputs import write_outputs
from napari_sem_tools.analysis.plan import Plan, Source, resolve
from napari_sem_tools.analysis.result import ImageResult
from napari_sem_tools.analysis.wishes import Wishes
from napari_sem_tools.errors import Cancelled, MissingExtra, SemError
from napari_sem_tools.files import only_writer, replace_folder
from napari_sem_tools.settings import Settings
from napari_sem_tools.tasks import Cancel, Progress, part_of, report, stop_if_cancelled

__all__ = ["Analysis", "analyze"]

_log = logging.getLogger(__name__)

_POLL_S = 0.2  # how soon a cancel is noticed while processes work
_OUTPUTS_FROM = 0.9  # share of the progress after which tables and report are written


@dataclasses.dataclass(frozen=True, eq=False)
class Analysis:
    """What an analysis found and where it lies.

    Attributes
    ----------
    out : Path
        The folder of the results.
    plan : Plan
        What the run obeyed.
    images : tuple of ImageResult
        One an image, in the order of the inputs, failed ones included.
    table : DataFrame
        ``particles.csv``: a row a particle, all images.
    summary : dict
        ``summary.json``.
    """

    out: Path
    plan: Plan
    images: tuple[ImageResult, ...]
    table: pd.DataFrame
    summary: dict[str, Any]

    @property
    def failed(self) -> tuple[ImageResult, ...]:
        """Images that could not be analysed."""
        return tuple(image for image in self.images if image.failed)

    @property
    def report(self) -> Path:
        """The page that a person opens first."""
        return self.out / "report.html"


def analyze(  # noqa: PLR0913  the public contract: every wish is a keyword
    inputs: Any,
    out: str | os.PathLike[str],
    *,
    method: str | None = None,
    settings: Settings | dict[str, Any] | None = None,
    measure_settings: Settings | dict[str, Any] | None = None,
    statistics_settings: Settings | dict[str, Any] | None = None,
    page: int | str | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    width: float | str | None = None,
    roi: Any = None,
    roi_exclude: Any = None,
    exports: str | Iterable[str] | None = None,
    limit: int | None = None,
    workers: int | None = None,
    shard: str | tuple[int, int] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Analysis:
    """Find and measure the particles of micrographs and write figures, tables and a report.

    Parameters
    ----------
    inputs : path, Micrograph, layer, array (Y, X), or a list of these
        Files, folders, globs or a CSV of paths.
    out : path-like
        The folder of the results.  It appears whole or not at all.
    method : str, optional
        Segmentation method; None chooses the best one installed.
    settings : Settings or dict, optional
        Of the method, e.g. `ThresholdSettings`.
    measure_settings : MeasureSettings or dict, optional
    statistics_settings : StatisticsSettings or dict, optional
        What only the user knows of uncertainty and material, and what the report states.
    page : int or "all", optional
        One page of each file, counted from 0, or every picture of it; by default the first
        picture, whole if it is a stack.
    pixel_size : float or (float, float), optional
        Typed pixel size, or its height and width, in nm.
    width : float or str, optional
        Typed width of the image in nm, or with its unit: "5 µm".
    roi, roi_exclude : path, bool array (Y, X) or list of polygons in px, optional
        Region to measure in; region to leave out.
    exports : str or sequence of str, optional
        Further files: ``"pdf"``, ``"xlsx"``, ``"parquet"``, ``"roi"`` (ImageJ), ``"geojson"``,
        ``"coco"``, or ``"all"``; several in one text are separated by commas.
    limit : int, optional
        Only the first so many inputs.
    workers : int, optional
        Processes; 1 by default.
    shard : str or (int, int), optional
        ``"i/n"``: the i-th of n equal shares of the inputs.
    overwrite : bool
        Replace an existing `out`, once the new one is complete.
    resume : bool
        Go on with a run that was stopped.
    progress : callable, optional
        Called as ``progress(done, total, what)``.
    cancel : callable, optional
        Returns True to stop; what is done so far is kept beside `out` for `resume`.

    Returns
    -------
    Analysis

    Raises
    ------
    OutputExists
        `out` is there already, or another run is writing it.
    InvalidSettings
        A wish that cannot be granted.
    MissingExtra
        A file is wished for that needs a library which is not installed.
    UnreadableFile, UnknownFormat
        No image could be analysed.  When only some could not, they are named in
        ``images.csv`` and in `Analysis.failed`.
    Cancelled
        The user stopped the work.

    Examples
    --------
    >>> import napari_sem_tools as sem
    >>> result = sem.analyze("1908318.tif", "out")  # doctest: +SKIP
    >>> result.table.groupby("image")["ecd_nm"].median()  # doctest: +SKIP
    """
    given = locals()
    wishes = cast("Wishes", {name: given[name] for name in Wishes.__annotations__})
    plan = resolve(inputs, out, **wishes)
    _log.info("%s", plan)
    return run(plan, overwrite=overwrite, resume=resume, progress=progress, cancel=cancel)


def run(
    plan: Plan,
    *,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Analysis:
    """Carry out a plan; parameters and errors are those of `analyze`."""
    stop_if_cancelled(cancel)
    with only_writer(plan.out):
        return _run(plan, overwrite, resume, progress, cancel)


def _run(
    plan: Plan, overwrite: bool, resume: bool, progress: Progress | None, cancel: Cancel | None
) -> Analysis:
    """Carry out a plan while nobody else writes to its place."""
    ledger = Ledger(plan.partial)
    ledger.open(plan, overwrite=overwrite, resume=resume)
    try:
        _analyse_all(plan, ledger, progress=part_of(progress, 0.0, _OUTPUTS_FROM), cancel=cancel)
        images = ledger.results(plan.sources)
        _raise_if_all_failed(images)
        table, summary = write_outputs(
            plan, images, ledger, progress=part_of(progress, _OUTPUTS_FROM, 1.0)
        )
        stop_if_cancelled(cancel)
        ledger.finish()
        replace_folder(ledger.result, plan.out)
    except (SemError, KeyboardInterrupt) as error:
        if _nothing_worth_keeping(ledger, error):
            ledger.discard()
        raise
    ledger.discard()
    return Analysis(plan.out, plan, tuple(images), table, summary)


def _analyse_all(
    plan: Plan, ledger: Ledger, *, progress: Progress | None, cancel: Cancel | None
) -> None:
    """Analyse every source that the ledger does not know yet."""
    missing = [source for source in plan.sources if ledger.recall(source) is None]
    total = len(plan.sources)
    first = total - len(missing)
    work = _one_by_one if plan.workers == 1 or len(missing) < 2 else _side_by_side
    for done, source in enumerate(work(missing, plan, ledger, progress, cancel), first + 1):
        report(progress, done, total, source.file)


def _one_by_one(
    sources: list[Source],
    plan: Plan,
    ledger: Ledger,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Iterator[Source]:
    """Analyse in this process."""
    total = len(plan.sources)
    first = total - len(sources)
    for number, source in enumerate(sources, first):
        stop_if_cancelled(cancel)
        report(progress, number, total, source.file)
        part = part_of(progress, number / total, (number + 1) / total)
        analyse_source(source, plan, ledger, progress=part, cancel=cancel)
        yield source


def _side_by_side(
    sources: list[Source],
    plan: Plan,
    ledger: Ledger,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Iterator[Source]:
    """Analyse in processes of their own; each writes its results, and nothing large comes back."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")  # fork is unsafe once Qt or CUDA is up
    count = min(plan.workers, len(sources))
    bare = dataclasses.replace(
        plan, sources=tuple(dataclasses.replace(s, image=None) for s in plan.sources)
    )
    with ProcessPoolExecutor(count, mp_context=context, initializer=_ignore_interrupt) as pool:
        waiting: dict[Future[None], Source] = {
            pool.submit(_in_process, source, bare, ledger): source for source in sources
        }
        try:
            while waiting:
                stop_if_cancelled(cancel)
                done, _ = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    _raise_plainly(future)
                    yield waiting.pop(future)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _raise_plainly(future: Future[None]) -> None:
    """Raise what a worker raised; that it died is said in a sentence."""
    try:
        future.result()
    except BrokenProcessPool as error:
        raise SemError(
            "A worker process died, perhaps for want of memory.",
            hint="Go on with fewer workers and resume.",
        ) from error


def _in_process(source: Source, plan: Plan, ledger: Ledger) -> None:
    """Analyse one source in a worker process."""
    analyse_source(source, plan, ledger, progress=None, cancel=None)


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the process that the user talks to."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _raise_if_all_failed(images: list[ImageResult]) -> None:
    """Raise when no image could be analysed."""
    if not all(image.failed for image in images):
        return
    first = images[0]
    kind = getattr(errors, first.kind, SemError)
    if kind is MissingExtra or not issubclass(kind, SemError):
        kind = SemError
    if len(images) == 1:
        raise kind(first.error, hint=first.hint)
    raise kind(
        f"None of the {len(images)} images could be analysed. The first: {first.error}",
        hint=first.hint,
    )


def _nothing_worth_keeping(ledger: Ledger, error: BaseException) -> bool:
    """Tell whether a stopped run has nothing that `resume` could use."""
    stopped = isinstance(error, Cancelled | KeyboardInterrupt)
    return not ledger.done() if stopped else not _any_good(ledger)


def _any_good(ledger: Ledger) -> bool:
    """Tell whether any image of the run was analysed."""
    return any((ledger.result / "labels").glob("*.tif"))
