"""The page of a model or of a folder of results: scores, errors, best and worst images."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_sem_tools._version import __version__
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation import tables
from napari_sem_tools.evaluation.protocol import Protocol
from napari_sem_tools.evaluation.scenes import Scene, legend_png, scene_png
from napari_sem_tools.evaluation.scores import Scores
from napari_sem_tools.files import write_text
from napari_sem_tools.reporting import Paragraph, Picture, Report, Section, render_report

__all__ = ["check_page", "page_of", "write_page"]

Scenes = Sequence[Scene] | Callable[[int], Scene]

_FEW_IMAGES = 10  # fewer: the interval says little
_SUFFIXES = (".html", ".htm", ".pdf")


def write_page(
    path: str | os.PathLike[str],
    scores: Scores,
    *,
    scenes: Scenes | None = None,
    protocol: Protocol | None = None,
    title: str = "",
    opacity: float = 0.35,
    shown: int = 3,
) -> Path:
    """Write a page that holds all scores with their intervals, and the best and worst images.

    Parameters
    ----------
    path : path
        An HTML file that loads nothing from elsewhere, or a PDF; what is there is replaced.
    scores : Scores
    scenes : sequence of Scene, or callable
        The images, or what gives the one of a number; only those that are shown are asked
        for.  None: no pictures.
    protocol : Protocol, optional
        Data set, split, model, seeds.
    title : str
    opacity : float
        Of the colours over the image, 0 to 1.
    shown : int
        How many of the best images, and how many of the worst.

    Returns
    -------
    Path

    Raises
    ------
    InvalidSettings
        The opacity is not between 0 and 1, or the suffix is no page's.
    SemError
        The page cannot be written.
    """
    target = Path(path)
    check_page(target, opacity)
    page = page_of(
        scores, scenes=scenes, protocol=protocol, title=title, opacity=opacity, shown=shown
    )
    if target.suffix.lower() == ".pdf":
        from napari_sem_tools.reporting import write_pdf

        return write_pdf(target, page)
    return write_text(target, render_report(page))


def check_page(path: str | os.PathLike[str], opacity: float) -> None:
    """Refuse what `write_page` cannot do, before the work is done.

    Raises
    ------
    InvalidSettings
        The opacity is not between 0 and 1, or the suffix is no page's.
    """
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise InvalidSettings(f"{path} is no page.", hint=f"It ends in {', '.join(_SUFFIXES)}.")
    if not 0 <= opacity <= 1:
        raise InvalidSettings(f"An opacity of {opacity:g} is not between 0 and 1.")


def page_of(
    scores: Scores,
    *,
    scenes: Scenes | None = None,
    protocol: Protocol | None = None,
    title: str = "",
    opacity: float = 0.35,
    shown: int = 3,
) -> Report:
    """Make the page of `write_page`, to be rendered as HTML or PDF.

    Parameters
    ----------
    scores, scenes, protocol, title, opacity, shown
        As for `write_page`.

    Returns
    -------
    Report
    """
    said = protocol or Protocol()
    summary = scores.summary(n_boot=said.n_boot, seed=said.seed)
    when = datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    sections = (
        tables.protocol_section(scores, said),
        tables.scores_section(scores, summary),
        tables.sizes_section(scores, summary, said),
        tables.errors_section(scores, summary),
        _pictures(scores, scenes, opacity=opacity, shown=shown),
        tables.images_section(scores),
        tables.definitions_section(),
    )
    return Report(
        title=title or f"Scores of {said.model or 'a segmentation'}",
        headline=tables.headline(scores, summary),
        made=f"{when}, napari-sem-tools {__version__}",
        warnings=_warnings(scores, said),
        further=tuple(part for part in sections if part.blocks),
    )


def _warnings(scores: Scores, protocol: Protocol) -> tuple[str, ...]:
    """Say what a reader must know before comparing."""
    lines = list(protocol.notes)
    if len(scores.images) < _FEW_IMAGES:
        lines.append(
            f"{tables.images_text(len(scores.images))}: the interval over images says little."
        )
    if not protocol.data_set or not protocol.split:
        lines.append("Data set or split are not stated: the numbers cannot be compared.")
    return tuple(lines)


def _pictures(scores: Scores, scenes: Scenes | None, *, opacity: float, shown: int) -> Section:
    """Show the worst and the best images."""
    if scenes is None or shown < 1:
        return Section("Best and worst images", ())
    get = scenes if callable(scenes) else scenes.__getitem__
    rows = scores.per_image()
    order = sorted(range(len(rows)), key=lambda i: (rows[i]["ap50"], rows[i]["pq"]))
    worst = order[:shown]
    best = [i for i in order[::-1][:shown] if i not in worst]
    blocks: list[Paragraph | Picture] = [Picture("What the colours mean.", legend_png())]
    for heading, chosen in (("Worst images", worst), ("Best images", best)):
        if chosen:
            blocks.append(Paragraph(f"{heading}, by AP@0.5", kind="heading"))
        for i in chosen:
            png = scene_png(
                get(i),
                scores.images[i],
                rows=scores.rows,
                min_area=scores.min_area,
                opacity=opacity,
            )
            blocks.append(Picture(tables.caption(scores.images[i].name, rows[i]), png))
    return Section("Best and worst images", tuple(blocks))
