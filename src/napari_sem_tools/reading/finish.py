"""From statement and pixels to a Micrograph: strip, resize verdict, calibration, notes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.calibration import INSTRUMENT_UNCERTAINTY, find_burnt_in
from napari_sem_tools.calibration.resized import Verdict, compare_sizes
from napari_sem_tools.micrograph import Calibration, Metadata, Micrograph
from napari_sem_tools.reading.pixels import not_finite
from napari_sem_tools.reading.source import Source
from napari_sem_tools.reading.statement import Picture, Pixels, Statement
from napari_sem_tools.reading.strip import label_strip

__all__ = ["make_micrograph"]

_SMALLEST_NM: Final = 1e-4
_SAID_TILT_DEG: Final = 5.0  # cos 5 deg is 0.4 % off
_SQUARE: Final = 1e-3


def make_micrograph(source: Source, picture: Picture) -> Micrograph:
    """Decode a picture and hold what the file says against it.

    Parameters
    ----------
    source : Source
    picture : Picture

    Returns
    -------
    Micrograph
    """
    found = picture.load()
    said = picture.statements[0]
    notes = [*said.notes, *found.notes]
    grey = _one_plane(found)
    size = (int(grey.shape[0]), int(grey.shape[1]))
    stored = said.stored[::-1] if found.transposed else said.stored
    strip = label_strip(dataclasses.replace(said, stored=stored), grey)
    notes += strip.notes
    rows = [] if strip.rows is None else [strip.rows[0]]
    verdict = compare_sizes(stored, size, picture_rows=[*rows, *strip.candidates])
    if strip.resized and verdict.kind == "unknown":
        verdict = Verdict("unclear", note=strip.resized)
    if verdict.note:
        notes.append(verdict.note)
    calibration, more = _calibration(said, verdict, transposed=found.transposed)
    notes += more
    field, marks, more = _field(found, grey, strip.rows)
    notes += more
    metadata = _metadata(said, found)
    notes += _optics_notes(metadata, calibration)
    return Micrograph(
        pixels=found.array,
        calibration=calibration,
        data_bar=strip.rows,
        field=field,
        metadata=metadata,
        raw_metadata=_raw(picture.statements),
        notes=tuple(dict.fromkeys(notes)),
        source=source.path,
        page=picture.page,
        axes=found.axes,
        pages=_pages(picture, found),
        marks=marks,
    )


def _one_plane(found: Pixels) -> NDArray[Any]:
    """Return the first page as grey for looking at it."""
    if found.axes == "NYX":
        return np.asarray(found.array[0])
    if found.axes == "YXC":
        return np.asarray(found.array.mean(axis=-1)).astype(found.array.dtype)
    return np.asarray(found.array)


def _calibration(
    said: Statement, verdict: Verdict, *, transposed: bool
) -> tuple[Calibration, list[str]]:
    """Decide what pixel size holds, and say why not where none does."""
    if said.reciprocal is not None:
        return _diffraction(said, transposed=transposed)
    if said.pixel_size is None:
        return Calibration(evidence=said.evidence), []
    size = said.pixel_size[::-1] if transposed else said.pixel_size
    y, x = (float(s) / f for s, f in zip(size, verdict.factor, strict=True))
    if not all(math.isfinite(s) and _SMALLEST_NM <= s <= said.largest_nm for s in (y, x)):
        note = f"The stated pixel size {size[1]:.4g} nm is none of a microscope; uncalibrated."
        return Calibration(evidence=f"{said.evidence} (not usable)"), [note]
    if not verdict.holds or (said.must_be_stored and verdict.kind == "unknown"):
        offered = (float(size[0]), float(size[1]))
        reason = "" if verdict.note else "The file does not state the size at acquisition. "
        note = f"{reason}Uncalibrated; if it was only cropped, a pixel is {offered[1]:.6g} nm."
        return Calibration(evidence=said.evidence, offered=offered), [note]
    evidence = said.evidence
    if verdict.kind == "resized":
        evidence = f"{said.evidence}; rescaled by {verdict.factor[1]:.6g}"
    notes = []
    if abs(y - x) > _SQUARE * max(y, x):
        notes.append(f"Pixels are not square: {x:.6g} nm wide, {y:.6g} nm high.")
    uncertainty = math.hypot(INSTRUMENT_UNCERTAINTY, said.rounding)
    return Calibration((y, x), said.origin, evidence, uncertainty), notes


def _diffraction(said: Statement, *, transposed: bool) -> tuple[Calibration, list[str]]:
    """Keep the scale of a diffraction pattern apart from lengths."""
    pair = said.reciprocal or (0.0, 0.0)
    y, x = pair[::-1] if transposed else pair
    if not all(math.isfinite(s) and s > 0 for s in (y, x)):
        return Calibration(evidence=f"{said.evidence} (not usable)"), []
    note = f"Diffraction pattern: a pixel is {x:.6g} 1/nm; there are no lengths to measure."
    calibration = Calibration(
        origin=said.origin, evidence=said.evidence, unit="1/nm", reciprocal=(float(y), float(x))
    )
    return calibration, [note]


def _field(
    found: Pixels, grey: NDArray[Any], data_bar: tuple[int, int] | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None, list[str]]:
    """Return where specimen may be measured, what is burnt in, and notes."""
    field = np.ones(grey.shape, bool)
    marks = None
    notes = []
    if data_bar is not None:
        field[slice(*data_bar)] = False
    overlay = found.overlay
    if overlay is not None and overlay.shape != field.shape:
        overlay = None
    if grey.dtype.kind in "uif":
        burnt = find_burnt_in(grey, data_bar=data_bar, overlay=overlay) & field
        field &= ~burnt
        if burnt.any():
            marks = burnt
            notes.append(
                f"Letters or lines are drawn into the picture: {int(burnt.sum())} pixels "
                "are not measured."
            )
    bad = not_finite(np.asarray(found.array)) if found.array.dtype.kind in "fc" else None
    if bad is not None:
        if bad.shape != field.shape:
            bad = np.asarray(bad.any(axis=-1))
        field &= ~bad
        notes.append(f"{int(bad.sum())} pixels are NaN or infinite; they are not measured.")
    return field, marks, notes


def _metadata(said: Statement, found: Pixels) -> Metadata:
    """Fill the vocabulary; what cannot be is left out."""
    values = {key: value for key, value in said.metadata.items() if value not in (None, "")}
    values.setdefault("lossy", found.lossy)
    return Metadata(vendor=said.vendor, format=said.format, **values)


def _pages(picture: Picture, found: Pixels) -> tuple[Metadata, ...]:
    """Return the metadata of each page of a stack."""
    if found.axes != "NYX" or len(picture.statements) != found.array.shape[0]:
        return ()
    return tuple(_metadata(said, found) for said in picture.statements)


def _raw(statements: tuple[Statement, ...]) -> dict[str, Any]:
    """Keep what the file said; further pages under ``"pages"``."""
    raw = dict(statements[0].raw)
    if len(statements) > 1:
        raw["pages"] = [dict(said.raw) for said in statements]
    return raw


def _optics_notes(metadata: Metadata, calibration: Calibration) -> list[str]:
    """Say aloud what tilt, gamma and the like do to lengths and grey values."""
    notes = []
    if calibration.is_calibrated:
        notes += _tilt_notes(metadata)
    if metadata.gamma is not None and abs(metadata.gamma - 1) > 1e-3:
        notes.append(f"Gamma {metadata.gamma:g} was applied: grey values are not linear.")
    return notes


def _tilt_notes(metadata: Metadata) -> list[str]:
    """Say what a tilted stage and its correction do to lengths."""
    tilt = metadata.tilt_deg
    if metadata.tilt_correction:
        angle = metadata.tilt_correction_deg
        angle = tilt if angle is None else angle
        stretch = f" by {1 / abs(math.cos(math.radians(angle))):.4g}" if angle else ""
        stage = f"; the stage is at {tilt:g} deg" if tilt is not None else ""
        how = f" for {angle:g} deg" if angle is not None else ""
        return [
            f"Tilt correction was on{how}{stage}: flat surfaces are right, "
            f"spheres appear stretched{stretch}."
        ]
    if tilt is None or abs(tilt) < _SAID_TILT_DEG:
        return []
    rotation = metadata.scan_rotation_deg
    turned = f", turned by the scan rotation of {rotation:g} deg" if rotation else ""
    return [
        f"The stage is tilted by {tilt:g} deg without tilt correction: lengths along the tilt "
        f"(image y{turned}) appear shorter by {abs(math.cos(math.radians(tilt))):.3g}."
    ]
