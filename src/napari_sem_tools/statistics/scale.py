"""Size of the pixels behind a table, and how well it is known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem_tools.statistics.sample import included
from napari_sem_tools.statistics.settings import StatisticsSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Scale", "scale_of"]


@dataclasses.dataclass(frozen=True)
class Scale:
    """Size of a pixel.

    Attributes
    ----------
    pixel : float
        Mean side of a pixel over the counted particles, in `unit`; 1 in px.
    unit : str
        ``"nm"`` or ``"px"``.
    relative_uncertainty : float
        Standard uncertainty of the pixel size; 0 in px.
    basis : str
        Where that is from.
    """

    pixel: float
    unit: str
    relative_uncertainty: float
    basis: str


def scale_of(table: pd.DataFrame, settings: StatisticsSettings) -> Scale:
    """Return the size of the pixels behind the counted particles of a table.

    Parameters
    ----------
    table : DataFrame
        As `measure` or `pool` return it.
    settings : StatisticsSettings
        The user's certificate counts before what the images say.

    Returns
    -------
    Scale
    """
    counted = included(table)
    if "area_nm2" not in counted.columns or not len(counted):
        return Scale(1.0, "px", 0.0, "no pixel size")
    sides = np.sqrt(counted["area_nm2"].to_numpy() / counted["area_px"].to_numpy())
    relative, basis = _uncertainty(table.attrs, settings)
    return Scale(float(np.mean(sides)), "nm", relative, basis)


def _uncertainty(attributes: Mapping[Any, Any], settings: StatisticsSettings) -> tuple[float, str]:
    """Return the relative uncertainty of the pixel size and where it is from."""
    from napari_sem_tools.calibration import INSTRUMENT_UNCERTAINTY

    percent = settings.calibration_uncertainty_percent
    if percent is not None:
        return percent / 100, "certificate or standard, as stated by the user"
    images = attributes.get("images") or [attributes]
    stated = [dict(image.get("calibration") or {}).get("relative_uncertainty") for image in images]
    known = [float(u) for u in stated if u is not None]
    relative = max(known) if len(known) == len(stated) else INSTRUMENT_UNCERTAINTY
    relative = max([relative, *known])
    if math.isclose(relative, INSTRUMENT_UNCERTAINTY, rel_tol=0.05):
        return relative, "assumed for an instrument without a certificate"
    return relative, "as stated by the image, without a certificate"
