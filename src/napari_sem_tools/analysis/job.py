"""The work on one source: read, segment, measure, draw, and write it into the ledger."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd

from napari_sem_tools.analysis.ledger import Ledger, hash_file
from napari_sem_tools.analysis.plan import ALL_PAGES, Plan, Source
from napari_sem_tools.analysis.regions import within_regions
from napari_sem_tools.analysis.result import ImageResult
from napari_sem_tools.errors import Cancelled, SemError, UnreadableFile
from napari_sem_tools.micrograph import Metadata, Micrograph, Segmentation
from napari_sem_tools.tasks import Cancel, Progress, part_of, stop_if_cancelled

__all__ = ["Measured", "analyse_image", "analyse_source", "read_source", "record_measured"]

_log = logging.getLogger(__name__)
_Done = TypeVar("_Done")

_DETAILS = {  # what the report says about the picture; nothing that may name a person
    "instrument": "{}",
    "accelerating_voltage_kV": "{:g} kV",
    "working_distance_mm": "WD {:.3g} mm",
    "detector": "detector {}",
    "magnification": "{:.0f}x",
    "tilt_deg": "tilt {:.3g}°",
    "acquired": "{}",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """One image with what was found in it."""

    image: Micrograph
    found: Segmentation
    table: pd.DataFrame


def analyse_source(
    source: Source, plan: Plan, ledger: Ledger, *, progress: Progress | None, cancel: Cancel | None
) -> list[ImageResult]:
    """Analyse all pages of a source and record them.

    A source that cannot be analysed is recorded with its error; that the results cannot be
    written is nobody's fault but the disk's, and is raised.
    """
    opened = _tried(lambda: _open(source, plan), source, source.name)
    if isinstance(opened, ImageResult):
        ledger.add(source, [opened])
        return [opened]
    digest, pages = opened
    results = []
    for number, image in enumerate(pages):
        name = source.name if len(pages) == 1 else _page_name(source, image.page, plan)
        part = part_of(progress, number / len(pages), (number + 1) / len(pages))
        work = functools.partial(analyse_image, image, plan, progress=part, cancel=cancel)
        measured = _tried(work, source, name, image.page)
        if isinstance(measured, ImageResult):
            results.append(measured)
            continue
        named = dataclasses.replace(source, name=name)
        single = len(pages) == len(plan.sources) == 1
        results.append(record_measured(named, measured, digest, ledger, single=single))
        stop_if_cancelled(cancel)
    ledger.add(source, results)
    return results


def _open(source: Source, plan: Plan) -> tuple[str, list[Micrograph]]:
    """Return the SHA-256 of the file, empty without one, and its pages."""
    digest = hash_file(source.path) if source.path is not None else ""
    return digest, list(read_source(source, plan))


def _tried(
    work: Callable[[], _Done], source: Source, name: str, page: int = 0
) -> _Done | ImageResult:
    """Return what `work` returns, or the record of its error; cancelling goes through."""
    try:
        return work()
    except Cancelled:
        raise
    except SemError as error:
        return ImageResult(
            name,
            source.file,
            page,
            error=str(error),
            hint=error.hint,
            kind=type(error).__name__,
        )
    except Exception as error:  # noqa: BLE001  ends one image, not the run, and is logged
        _log.exception("%s could not be analysed", source.file)
        return ImageResult(
            name,
            source.file,
            page,
            error=f"{source.file} could not be analysed: {type(error).__name__}: {error}",
            hint="Please report this with the file.",
        )


def _page_name(source: Source, page: int, plan: Plan) -> str:
    """Name a page unlike any other source."""
    name = f"{source.name}_page{page}"
    taken = {other.name.casefold() for other in plan.sources}
    while name.casefold() in taken:
        name += "_"
    return name


def read_source(source: Source, plan: Plan) -> Iterator[Micrograph]:
    """Read a source, page by page, with the typed pixel size and the regions applied."""
    from napari_sem_tools.calibration import calibrate

    for picture in _pictures(source, plan.page):
        image = picture
        if plan.pixel_size is not None or plan.width is not None:
            image = calibrate(image, pixel_size=plan.pixel_size, width=plan.width)
        for page in range(image.n_pages):
            yield within_regions(image.plane(page), plan.roi, plan.roi_exclude)


def _pictures(source: Source, page: int | str | None) -> list[Micrograph]:
    """Read what is wished of a source: its first picture, one page, or all pictures."""
    from napari_sem_tools.reading import read, read_all

    if source.image is not None:
        return [source.image.plane(page) if isinstance(page, int) else source.image]
    if source.path is None:
        raise UnreadableFile(f"{source.name} has neither a file nor pixels.")
    if page == ALL_PAGES:
        return read_all(source.path)
    return [read(source.path, page=cast("int | None", page))]


def analyse_image(
    image: Micrograph, plan: Plan, *, progress: Progress | None, cancel: Cancel | None
) -> Measured:
    """Segment and measure one image."""
    from napari_sem_tools.measurement import measure
    from napari_sem_tools.segmentation import segment

    found = segment(
        image,
        plan.method,
        settings=plan.settings,
        progress=part_of(progress, 0.0, 0.7),
        cancel=cancel,
    )
    stop_if_cancelled(cancel)
    table = measure(found, image, settings=plan.measuring)
    stop_if_cancelled(cancel)
    return Measured(image, found, table)


def record_measured(
    source: Source, measured: Measured, digest: str, ledger: Ledger, *, single: bool
) -> ImageResult:
    """Write labels and figures of a measured image, and say what was found in it.

    Parameters
    ----------
    source : Source
        Its name is that of the files.
    measured : Measured
    digest : str
        SHA-256 of the image file, empty without one.
    ledger : Ledger
    single : bool
        Whether the report is on this image alone.

    Returns
    -------
    ImageResult
    """
    result = _result(source, measured, digest)
    _draw_and_write(measured, result, ledger, single=single)
    return result


def _result(source: Source, measured: Measured, digest: str) -> ImageResult:
    """Say what was found in an image."""
    image, found, name = measured.image, measured.found, source.name
    table = measured.table.assign(image=name)
    table.attrs = {**measured.table.attrs, "image": name}
    return ImageResult(
        name=name,
        file=source.file,
        page=image.page,
        table=table,
        file_sha256=digest,
        pixels_sha256=found.image.sha256 or image.identity().sha256,
        shape=image.shape,
        calibration=image.calibration,
        data_bar=image.data_bar,
        field_px=int(np.count_nonzero(image.field)),
        method=found.method,
        model=found.model or "",
        settings=found.settings,
        notes=tuple(dict.fromkeys([*image.notes, *found.notes, *table.attrs.get("notes", ())])),
        details=_details(image.metadata),
    )


def _details(metadata: Metadata) -> dict[str, str]:
    """Choose what the report says about the picture."""
    said: dict[str, str] = {}
    for key, form in _DETAILS.items():
        value: Any = metadata.get(key)
        if value is not None:
            said[key] = form.format(value)
    return said


def _draw_and_write(
    measured: Measured, result: ImageResult, ledger: Ledger, *, single: bool
) -> None:
    """Write labels, figure and thumbnail of an image."""
    from napari_sem_tools.reporting import four_panels, outlined_png, write_figure
    from napari_sem_tools.tiff import write_tiff

    labels = measured.found.labels
    write_tiff(ledger.labels_path(result.name), labels, calibration=measured.image.calibration)
    figure = four_panels(measured.image, labels, measured.table, title=result.file)
    place = ledger.result / "figure.png" if single else ledger.figure_path(result.name)
    write_figure(place, figure)
    if not single:
        from napari_sem_tools.files import write_file

        write_file(
            ledger.thumbnail_path(result.name),
            outlined_png(measured.image, labels, measured.table),
        )
