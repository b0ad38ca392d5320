"""What is looked for in a catalogue, taken from the window in the GUI thread; no Qt here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem_tools.catalogue import Catalogue, CatalogueFilter
from napari_sem_tools.catalogue.regions import box_round
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.widgets.focus.sight import Sight, sight_of
from napari_sem_tools.widgets.regions import region_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Question", "like_particle", "like_region", "like_view"]


@dataclasses.dataclass(frozen=True, eq=False)
class Question:
    """What is looked for.

    Attributes
    ----------
    filters : CatalogueFilter
    like : Sight, int or None
        An image of the window, the number of one of the catalogue, or nothing.
    region : object
        As `Catalogue.similar` takes it.
    count : int
        How many alike images are wanted.
    words : str
        What is asked, for people.
    """

    filters: CatalogueFilter
    like: Sight | int | None = None
    region: Any = None
    count: int = 20
    words: str = "all images"

    def answer(self, catalogue: Catalogue) -> pd.DataFrame:
        """Ask a catalogue; may take long, so call it in a thread.

        Returns
        -------
        DataFrame
            As `Catalogue.query`, with ``similarity`` where likeness was asked for.
        """
        if self.like is None:
            return catalogue.query(self.filters)
        image = self.like.image() if isinstance(self.like, Sight) else self.like
        return catalogue.similar(image, count=self.count, region=self.region, filters=self.filters)

    def python(self) -> str:
        """Return the same question as Python."""
        changed = {
            name: value
            for name, value in self.filters.to_dict().items()
            if value is not None and value is not False
        }
        named = "".join(f", {name}={value!r}" for name, value in changed.items())
        if self.like is None:
            return f"catalogue.query({named[2:]})"
        image = (
            f"sem.from_layer(viewer.layers[{self.like.layer.name!r}])"
            if isinstance(self.like, Sight)
            else str(self.like)
        )
        boxed = isinstance(self.region, tuple)
        region = f", region={self.region!r}" if boxed else ""
        return f"catalogue.similar({image}, count={self.count}{region}{named})"


def like_view(layer: Any, page: int) -> tuple[Sight, None, str]:
    """Look for images like the slice that is shown."""
    sight = sight_of(layer, page)
    return sight, None, f"like {sight.name}"


def like_region(layer: Any, page: int, shapes: Any) -> tuple[Sight, Any, str]:
    """Look for images like what was drawn round.

    Raises
    ------
    InvalidSettings
        Nothing is drawn on the image.
    """
    sight = sight_of(layer, page)
    mask = None if shapes is None else region_of(shapes, layer, sight.whole.shape[-2:])
    if mask is None or not mask.any():
        raise InvalidSettings(
            "No region is drawn on the image.",
            hint="File > New Layer > Measuring region, then draw round what is looked for.",
        )
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)
    return sight, box, f"like the region of {sight.name}"


def like_particle(layer: Any, page: int, labels: Any) -> tuple[Sight, Any, str]:
    """Look for images like the neighbourhood of the particle that is chosen.

    Raises
    ------
    InvalidSettings
        No particle is chosen, or its layer is of another size.
    """
    sight = sight_of(layer, page)
    number = 0 if labels is None else int(labels.selected_label)
    data = None if labels is None else np.asarray(labels.data)
    if data is not None and data.ndim == 3:
        data = data[min(page, len(data) - 1)]
    shape = tuple(sight.whole.shape[-2:])
    if data is None or number == 0 or data.shape != shape or not (data == number).any():
        raise InvalidSettings(
            "No particle of the image is chosen.",
            hint="Choose one in the Labels layer (pick with the dropper, or click in the table).",
        )
    return sight, box_round(data == number), f"like particle {number} of {sight.name}"
