"""Particles in the colours of a column, with the bar or the list that says what they mean.

A labels layer of napari takes one colour a label for a few milliseconds when its colours
come as a cycle as long as the largest label; a dictionary of colours takes a second.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.widgets.plots.drawing import CLASS_COLOURS

__all__ = ["MAPS", "Colouring", "Legend", "column_colours"]

MAPS = ("viridis", "cividis", "magma", "turbo")
"""Colour maps on offer; the first three are even to the eye and to people who see no red."""

_MISSING = (0.5, 0.5, 0.5, 0.6)  # a particle without a value
_MOST_LABELS = 2**16 - 1  # colours that a cycle of napari takes
_MOST_GROUPS = 12  # names in a legend
_TRIM = (2.0, 98.0)  # percent: a single giant would make all others one colour

Colours = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Legend:
    """What the colours mean.

    Attributes
    ----------
    title : str
        The quantity with its unit.
    low, high : float
        Ends of the colour bar; values beyond have the colour of the end.
    clipped : (bool, bool)
        Whether there are such values.
    entries : tuple of (str, str)
        Name and ``#rrggbb`` of each group, for text; empty: a colour bar.
    colour_map : str
    """

    title: str
    low: float = 0.0
    high: float = 1.0
    clipped: tuple[bool, bool] = (False, False)
    entries: tuple[tuple[str, str], ...] = ()
    colour_map: str = MAPS[0]


def column_colours(
    values: NDArray[Any], title: str, *, colour_map: str = MAPS[0]
) -> tuple[Colours, Legend]:
    """Choose a colour for each particle from a column.

    Parameters
    ----------
    values : array (n,)
        Numbers: a colour map from the 2nd to the 98th percentile.  Text or True and False:
        a colour a group.
    title : str
    colour_map : str
        Name of a map of matplotlib.

    Returns
    -------
    float32 array (n, 4), Legend

    Examples
    --------
    >>> colours, legend = column_colours(np.array(["rod", "sphere", "rod"], object), "class")
    >>> bool((colours[0] == colours[2]).all()), [name for name, _ in legend.entries]
    (True, ['rod', 'sphere'])
    """
    if values.dtype.kind in "iuf":
        return _along_a_map(values.astype(float), title, colour_map)
    return _by_group(values, title)


def _along_a_map(values: Any, title: str, colour_map: str) -> tuple[Colours, Legend]:
    """Colour numbers."""
    import matplotlib

    finite = np.isfinite(values)
    colours = np.tile(np.asarray(_MISSING, np.float32), (len(values), 1))
    if not finite.any():
        return colours, Legend(title, colour_map=colour_map)
    known = values[finite]
    low, high = (float(v) for v in np.percentile(known, _TRIM))
    if high <= low:
        low, high = float(known.min()), float(known.max())
    share = (known - low) / (high - low) if high > low else np.full(len(known), 0.5)
    colours[finite] = matplotlib.colormaps[colour_map](np.clip(share, 0, 1))
    clipped = bool((known < low).any()), bool((known > high).any())
    return colours, Legend(title, low, high, clipped, (), colour_map)


def _by_group(values: NDArray[Any], title: str) -> tuple[Colours, Legend]:
    """Colour text, and True and False."""
    from matplotlib.colors import to_rgba

    if values.dtype == bool:
        values = np.where(values, "yes", "no").astype(object)
    names, number = np.unique(values.astype(str), return_inverse=True)
    given = [name for name in names if name]
    if len(given) > _MOST_GROUPS:
        raise InvalidSettings(
            f"{title} has {len(given)} different values: too many colours to tell apart.",
            hint="Colour by a number, or by a class.",
        )
    chosen = {
        name: CLASS_COLOURS[i % len(CLASS_COLOURS)] if i < len(CLASS_COLOURS) else f"C{i}"
        for i, name in enumerate(given)
    }
    palette = np.array([to_rgba(chosen[n]) if n else _MISSING for n in names], np.float32)
    from matplotlib.colors import to_hex

    entries = tuple((str(name), to_hex(chosen[name])) for name in given)
    if "" in names:
        entries += (("(none)", to_hex(_MISSING)),)
    return palette[number].reshape(-1, 4), Legend(title, entries=entries)


class Colouring:
    """Colours of labels layers that are given back as they were."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, Any]] = []

    def show(self, layer: Any, labels: NDArray[Any], colours: Colours) -> None:
        """Colour the particles of a layer.

        Parameters
        ----------
        layer : napari Labels layer
        labels : int array (n,)
        colours : float32 array (n, 4)
            Particles without a colour are grey.

        Raises
        ------
        InvalidSettings
            A label is too large for napari's colours.
        """
        from napari.utils.colormaps import CyclicLabelColormap

        largest = max(int(np.max(layer.data, initial=0)), int(labels.max(initial=0)))
        if largest > _MOST_LABELS:
            raise InvalidSettings(
                f"A label is {largest}; colours go up to {_MOST_LABELS}.",
                hint="Number the particles anew from 1.",
            )
        cycle = np.tile(np.asarray(_MISSING, np.float32), (largest + 2, 1))
        cycle[0] = 0
        cycle[labels] = colours
        if not any(one is layer for one, _ in self._before):
            self._before.append((layer, layer.colormap))
        layer.colormap = CyclicLabelColormap(colors=cycle)

    def clear(self) -> None:
        """Give every layer its own colours back."""
        before, self._before = self._before, []
        for layer, colormap in before:
            layer.colormap = colormap
