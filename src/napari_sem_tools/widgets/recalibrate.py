"""Give layers another pixel size, together and reversibly; what to tell about it.  No Qt here."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem_tools.layers.grid import grid_of, layer_name
from napari_sem_tools.layers.records import without_pixels
from napari_sem_tools.micrograph import Micrograph

__all__ = [
    "LayerState",
    "companions",
    "facts",
    "layers_of_file",
    "pixel_size_text",
    "recalibrate",
    "restore",
    "unit_offenders",
    "warnings_of",
]

_SAME = 1e-9  # relative difference below which two scales are one


@dataclasses.dataclass(frozen=True)
class LayerState:
    """What `recalibrate` changes of a layer, as it was."""

    layer: Any
    name: str
    scale: tuple[float, ...]
    translate: tuple[float, ...]
    affine: Any
    units: tuple[Any, ...]
    axis_labels: tuple[str, ...]
    sem: Micrograph | None


def companions(layers: Iterable[Any], image: Any) -> list[Any]:
    """Return the other layers that lie on an image's grid, and would be torn off it.

    Parameters
    ----------
    layers : iterable of napari layers
    image : napari layer

    Returns
    -------
    list
        Images and labels of the same rows and columns, and shapes and points, with the
        image's scale, position and units.
    """
    return [layer for layer in layers if layer is not image and _on_grid(layer, image)]


def _on_grid(layer: Any, image: Any) -> bool:
    """Say whether a layer has the last two axes of an image's grid."""
    if layer.ndim < 2 or tuple(layer.units[-2:]) != tuple(image.units[-2:]):
        return False
    for name in ("scale", "translate"):
        ours, theirs = getattr(layer, name)[-2:], getattr(image, name)[-2:]
        if not np.allclose(ours, theirs, rtol=_SAME, atol=1e-12):
            return False
    if isinstance(layer.data, np.ndarray) and hasattr(layer, "contrast_limits"):
        return _plane(layer) == _plane(image)
    if hasattr(layer, "selected_label"):
        return _plane(layer) == _plane(image)
    return True


def _plane(layer: Any) -> tuple[int, ...]:
    """Return rows and columns of an image or labels layer."""
    shape = layer.data.shape
    return tuple(shape[:2] if getattr(layer, "rgb", False) else shape[-2:])


def layers_of_file(layers: Iterable[Any], path: str | Path | None) -> list[Any]:
    """Return the layers that were opened from a file."""
    if not path:
        return []
    wanted = Path(path)
    return [one for one in layers if one.source.path and Path(one.source.path) == wanted]


def recalibrate(image: Any, micrograph: Micrograph, others: Sequence[Any] = ()) -> list[LayerState]:
    """Give an image's layer the calibration of a record, and move what lies on its grid along.

    Parameters
    ----------
    image : napari Image layer
    micrograph : Micrograph
        Its calibration, metadata and notes become those of the layer.
    others : sequence of napari layers, optional
        Layers on the image's grid; they keep their place over the image.

    Returns
    -------
    list of LayerState
        How the layers were, for `restore`.
    """
    states = [_state(layer) for layer in (image, *others)]
    grid = grid_of(micrograph)
    factor = np.array(grid["scale"][-2:]) / np.asarray(image.scale[-2:], float)
    for layer in (image, *others):
        _rescale(layer, factor, grid["units"][-2:])
        if layer is image or "sem" in layer.metadata:
            layer.metadata["sem"] = without_pixels(micrograph)
    image.axis_labels = tuple(image.axis_labels[:-2]) + tuple(grid["axis_labels"][-2:])
    if image.ndim == len(grid["axis_labels"]):
        image.axis_labels = grid["axis_labels"]
    for layer in others:
        layer.axis_labels = tuple(layer.axis_labels[:-2]) + tuple(grid["axis_labels"][-2:])
    image.name = layer_name(micrograph, image.name)
    return states


def restore(states: Iterable[LayerState]) -> None:
    """Put layers back to how they were before `recalibrate`."""
    for state in states:
        layer = state.layer
        layer.scale = state.scale
        layer.translate = state.translate
        layer.affine = state.affine
        layer.units = state.units
        layer.axis_labels = state.axis_labels
        layer.name = state.name
        if state.sem is None:
            layer.metadata.pop("sem", None)
        else:
            layer.metadata["sem"] = state.sem


def _state(layer: Any) -> LayerState:
    """Keep what is going to change."""
    return LayerState(
        layer=layer,
        name=layer.name,
        scale=tuple(float(s) for s in layer.scale),
        translate=tuple(float(t) for t in layer.translate),
        affine=np.array(layer.affine.affine_matrix),
        units=tuple(layer.units),
        axis_labels=tuple(layer.axis_labels),
        sem=layer.metadata.get("sem"),
    )


def _rescale(layer: Any, factor: Any, units: tuple[str, str]) -> None:
    """Multiply the last two axes of a layer's world by a factor; the pixels stay together."""
    full = np.ones(layer.ndim)
    full[-2:] = factor
    affine = np.array(layer.affine.affine_matrix)
    affine[:-1, -1] *= full
    scale, translate = np.asarray(layer.scale) * full, np.asarray(layer.translate) * full
    layer.scale, layer.translate, layer.affine = scale, translate, affine
    layer.units = (*(str(u) for u in layer.units[:-2]), *units)


def unit_offenders(layers: Sequence[Any]) -> list[str]:
    """Return the names of the layers whose units take the unit from the scale bar of all.

    Parameters
    ----------
    layers : sequence of napari layers

    Returns
    -------
    list of str
        Empty while all layers measure the same kind of quantity.  Lengths count as right
        where there are any; else what most layers have.
    """
    kinds = [str(layer.units[-1].dimensionality) for layer in layers]
    if len(set(kinds)) < 2:
        return []
    right = "[length]" if "[length]" in kinds else Counter(kinds).most_common(1)[0][0]
    return [layer.name for layer, kind in zip(layers, kinds, strict=True) if kind != right]


def pixel_size_text(image: Micrograph) -> str:
    """Say the pixel size with its unit and standard uncertainty.

    Examples
    --------
    >>> from napari_sem_tools.micrograph import Calibration
    >>> pixel_size_text(Micrograph(np.zeros((4, 4)), Calibration((52.3, 52.3), "tag", "", 0.02)))
    '52.3 ± 1.0 nm'
    """
    calibration = image.calibration
    size, unit = calibration.pixel_size, "nm"
    if size is None:
        size, unit = calibration.reciprocal, "1/nm"
    if size is None:
        return "unknown (px)"
    values = size if abs(size[0] - size[1]) > 1e-3 * max(size) else size[1:]
    return " high, ".join(
        _with_uncertainty(value, calibration.relative_uncertainty, unit) for value in values
    ) + (" wide" if len(values) == 2 else "")


def _with_uncertainty(value: float, relative: float | None, unit: str) -> str:
    """Write a value with two digits of its uncertainty."""
    if not relative:
        return f"{value:.5g} {unit}"
    spread = value * relative
    digits = max(0, 1 - int(np.floor(np.log10(spread))))
    if digits == 0:
        return f"{value:.0f} ± {spread:.0f} {unit}"
    return f"{value:.{digits}f} ± {spread:.{digits}f} {unit}"


_FACTS = (
    ("Vendor", "vendor", ""),
    ("Instrument", "instrument", ""),
    ("Acquired", "acquired", ""),
    ("Mode", "mode", ""),
    ("Detector", "detector", ""),
    ("Voltage", "accelerating_voltage_kV", " kV"),
    ("Working distance", "working_distance_mm", " mm"),
    ("Magnification", "magnification", " ×"),
    ("Tilt", "tilt_deg", "°"),
)


def facts(image: Micrograph) -> list[tuple[str, str]]:
    """Return what is known about an image, as rows of a name and a text."""
    rows = []
    for title, key, unit in _FACTS:
        value = getattr(image.metadata, key)
        if value is not None:
            rows.append((title, f"{value:.5g}{unit}" if isinstance(value, float) else str(value)))
    rows.append(("Pixel size", pixel_size_text(image)))
    origin = image.calibration.origin
    rows.append(("Known from", origin if origin != "none" else "nothing in the file"))
    if image.calibration.evidence:
        rows.append(("Evidence", image.calibration.evidence))
    bar = image.data_bar
    rows.append(("Data bar", f"rows {bar[0]} to {bar[1] - 1}" if bar else "none"))
    return rows


def warnings_of(image: Micrograph) -> list[str]:
    """Return what must be said aloud about an image's scale."""
    said = list(image.notes)
    calibration = image.calibration
    if not calibration.is_square:
        said.append("The pixels are not square.")
    if calibration.reciprocal is not None and calibration.pixel_size is None:
        said.append("This is a diffraction pattern: its scale is in 1/nm, not a length.")
    if calibration.offered is not None and calibration.pixel_size is None:
        said.append(
            f"The file states {calibration.offered[1]:.5g} nm per pixel; that may no longer hold."
        )
    return list(dict.fromkeys(said))
