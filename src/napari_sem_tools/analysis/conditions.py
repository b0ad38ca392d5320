"""What the standards ask a report of particle sizes to state, gathered in one table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_sem_tools._version import __version__
from napari_sem_tools.analysis.finished import Finished
from napari_sem_tools.reporting import Paragraph, Section, Table
from napari_sem_tools.reporting.records import short

__all__ = ["conditions"]

_SHOWN_VALUES = 4  # different values of one item that are written out
_ASKED = (
    "Image analysis of still images after ISO 13322-1, in the terms of ISO 9276; instrument, "
    "pixel size, field, edge rule, number of particles and software as ISO 19749 (SEM) and "
    "ISO 21363 (TEM) ask for. What the file does not say is left open."
)
_RECORDED = {  # what the file may say: how the table calls it
    "instrument": "instrument",
    "accelerating_voltage_kV": "accelerating voltage",
    "detector": "detector",
    "working_distance_mm": "working distance",
    "magnification": "magnification (nominal; sizes rest on the pixel size)",
    "tilt_deg": "tilt",
    "acquired": "acquired",
}


def conditions(finished: Finished) -> Section:
    """State instrument, scale, field, rules and numbers of an analysis.

    Parameters
    ----------
    finished : Finished

    Returns
    -------
    Section
    """
    said = {title: _recorded(finished, name) for name, title in _RECORDED.items()}
    rows = [(title, text) for title, text in said.items() if text]
    silent = ", ".join(title.split(" (")[0] for title, text in said.items() if not text)
    if silent:
        rows.append(("not stated in the file", silent))
    rows += [(title, answer(finished)) for title, answer in _ANSWERS]
    return Section("Conditions of measurement", (Paragraph(_ASKED), Table(("", ""), tuple(rows))))


def _recorded(finished: Finished, name: str) -> str:
    """Return what the files say."""
    return _listed([i.details[name] for i in finished.done if i.details.get(name)])


def _listed(values: list[str]) -> str:
    """List different values, the first few in full."""
    different = list(dict.fromkeys(values))
    more = len(different) - _SHOWN_VALUES
    return ", ".join(different[:_SHOWN_VALUES]) + (f" and {more} more" if more > 0 else "")


def _pixel_size(finished: Finished) -> str:
    """Return the pixel sizes and how they are known."""
    return _listed([image.calibration.describe() for image in finished.done])


def _images(finished: Finished) -> str:
    """Count the images and their pixels."""
    shapes = _listed([f"{image.shape[1]} x {image.shape[0]} px" for image in finished.done])
    return f"{len(finished.done)} ({shapes})"


def _field(finished: Finished) -> str:
    """Return the area in which particles were counted."""
    pixels = sum(image.field_px for image in finished.done)
    scaled = [image for image in finished.done if image.calibration.is_calibrated]
    area = sum(image.field_px * float(np.prod(image.calibration.nm_per_px)) for image in scaled)
    text = f"{pixels} px"
    if scaled:
        text += f", {short(area / 1e6)} µm²"
        if len(scaled) < len(finished.done):
            text += f" in the {len(scaled)} calibrated images"
    return text


def _particles(finished: Finished) -> str:
    """Count found and counted particles."""
    done = finished.done
    found, counted = (sum(len(i.table) for i in done), sum(i.count("included") for i in done))
    reasons: dict[str, int] = {}
    for one in finished.summaries.values():
        for reason, count in one.excluded.items():
            reasons[reason] = reasons.get(reason, 0) + count
    left = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
    return f"{found} found, {counted} counted" + (f"; left out: {left}" if left else "")


def _edge_rule(finished: Finished) -> str:
    """Say what becomes of particles that the edge cuts."""
    table = finished.table
    if not len(table):
        return "no particle"
    counted = bool((table["edge"] & table["included"]).any())
    return (
        "a particle whose outline, grown by one pixel, leaves the field is cut; cut particles "
        + ("are counted" if counted else "are not counted, which favours small ones")
    )


def _smallest(finished: Finished) -> str:
    """Return how many pixels the smallest counted particle has across."""
    widths = [
        float(np.sqrt(4 / np.pi * image.table.loc[image.table["included"], "area_px"].min()))
        for image in finished.done
        if image.count("included")
    ]
    if not widths:
        return "no particle is counted"
    bias = "; below 8 px shape columns mean little" if min(widths) < 8 else ""
    return f"{short(min(widths))} px across (equal area){bias}"


def _segmentation(finished: Finished) -> str:
    """Return method and model."""
    models = _listed([image.model for image in finished.done if image.model])
    return finished.plan.method + (f", model {models}" if models else "; no trained model")


def _perimeter(finished: Finished) -> str:
    """Name the estimator of the perimeter, as it was set."""
    return f"Crofton formula, {finished.plan.measuring.perimeter_directions} directions"


_ANSWERS: tuple[tuple[str, Callable[[Finished], str]], ...] = (
    ("pixel size", _pixel_size),
    ("images", _images),
    ("field measured in", _field),
    ("particles", _particles),
    ("smallest particle counted", _smallest),
    ("edge rule", _edge_rule),
    ("found by", _segmentation),
    ("size", lambda _: "equivalent circular diameter, x_A = √(4A/π)"),
    ("perimeter", _perimeter),
    ("Feret diameters", lambda _: "calipers on the hull of the midpoints of the pixels' edges"),
    ("distribution", lambda _: "by number (r = 0); D[p,q] are moment means after ISO 9276-2"),
    ("software", lambda _: f"napari-sem-tools {__version__}"),
)
