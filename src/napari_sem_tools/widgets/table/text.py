"""The line below the particle table, and the values of its plot; no Qt here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.widgets.plots.drawing import PlotValues, group_numbers
from napari_sem_tools.widgets.table.filters import flag
from napari_sem_tools.widgets.table.state import CLASS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Offered", "offered_columns", "plot_values", "summary_text"]

_PLACES = ("centroid_", "box_")


@dataclasses.dataclass(frozen=True)
class Offered:
    """The columns that a user can choose from, each name with its title.

    Attributes
    ----------
    titles : dict
        Of all columns.
    ranges : tuple of str
        Numbers, for the slider.
    plots : dict
        Numbers that are sizes, shapes or grey values, for the axes of a plot.
    groups : dict
        Texts that tell particles apart.
    colours : dict
        All that particles can be coloured by.
    """

    titles: dict[str, str]
    ranges: tuple[str, ...]
    plots: dict[str, str]
    groups: dict[str, str]
    colours: dict[str, str]


def offered_columns(columns: Mapping[str, NDArray[Any]], titles: Mapping[str, str]) -> Offered:
    """Sort columns by what they can be used for.

    Parameters
    ----------
    columns : mapping
        Name -> values.
    titles : mapping
        Name -> title.

    Returns
    -------
    Offered
    """
    known = {**titles, "doubtful": "doubtful"}
    numbers = [name for name, values in columns.items() if values.dtype.kind in "iuf"]
    plots = [name for name in numbers if name != "label" and not name.startswith(_PLACES)]
    groups = [name for name in ("image", CLASS, "doubt_reason") if name in columns]
    return Offered(
        titles=known,
        ranges=tuple(numbers),
        plots={name: known[name] for name in plots},
        groups={name: known[name] for name in groups},
        colours={name: known[name] for name in columns if name != "label"},
    )


def summary_text(
    table: pd.DataFrame | None, shown: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> str:
    """Write how many particles count, are shown and are chosen, and their mean ECD.

    Parameters
    ----------
    table : DataFrame or None
    shown, chosen : bool arrays (n,)

    Returns
    -------
    str
        The mean is that of the particles that count, are shown and, where several are
        chosen, are chosen; an uncalibrated table says so.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"ecd_nm": [10.0, 20.0], "included": [True, True]})
    >>> summary_text(table, np.array([True, True]), np.array([False, False]))
    '2 of 2 particles counted. Mean ECD 15 nm, SD 7.07 nm (2 particles).'
    """
    if table is None or not len(table):
        return ""
    counted = flag(table, "included", True)
    parts = [f"{int(counted.sum())} of {len(table)} particles counted"]
    parts += [f"{int(shown.sum())} shown"] if not shown.all() else []
    parts += [f"{int(chosen.sum())} chosen"] if chosen.any() else []
    text = f"{', '.join(parts)}."
    size = "ecd_nm" if "ecd_nm" in table else "ecd_px"
    rows = counted & shown & (chosen if chosen.sum() > 1 else True)
    if size in table and rows.any():
        values = table[size].to_numpy(float)[rows]
        unit = size[4:]
        # the SD is the width of the distribution, never the uncertainty that ± would say
        spread = f", SD {values.std(ddof=1):.3g} {unit}" if len(values) > 1 else ""
        noun = "particle" if len(values) == 1 else "particles"
        text += f" Mean ECD {values.mean():.4g} {unit}{spread} ({len(values)} {noun})."
    return text if "ecd_nm" in table else f"{text} Uncalibrated: px."


def plot_values(
    table: pd.DataFrame, rows: NDArray[np.intp], x: str | None, y: str | None, group: str | None
) -> PlotValues:
    """Gather the values of some rows for a plot.

    Parameters
    ----------
    table : DataFrame
    rows : int array (k,)
        Rows of the table.
    x, y : str or None
        Columns of numbers; what is no column is empty.
    group : str or None
        Column of text; None: one group without a name.

    Returns
    -------
    PlotValues
    """
    label = table.index.to_numpy()

    def numbers(name: str | None) -> NDArray[np.float64]:
        """Return a column as float."""
        if name == "label":
            return label[rows].astype(float)
        if not name or name not in table:
            return np.full(len(rows), np.nan)
        return table[name].to_numpy(float)[rows]

    if group and group in table:
        number, names = group_numbers(table[group].to_numpy(object)[rows].tolist())
    else:
        number, names = np.zeros(len(rows), np.intp), ("",)
    images = None
    if "image" in table:
        images, _ = group_numbers(table["image"].to_numpy(object)[rows].tolist())
    return PlotValues(numbers(x), numbers(y), number, names, images)
