"""What can be chosen when categories are taught from examples."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from napari_sem_tools.settings import Settings, described

__all__ = ["TeachSettings"]


@dataclasses.dataclass(frozen=True)
class TeachSettings(Settings):
    """How categories are learnt from examples.

    Raises
    ------
    InvalidSettings
        A value is out of its range.

    Examples
    --------
    >>> TeachSettings(missed=0.05).head
    'best'
    """

    head: Annotated[
        Literal["best", "prototypes", "linear"],
        described("What decides; best: whichever names more of your own left-out examples right"),
    ] = "best"
    missed: Annotated[
        float,
        described(
            "Share of images whose set of categories may lack the right one", min=0.01, max=0.5
        ),
    ] = 0.1
    near_percent: Annotated[
        float,
        described("Share of your examples that shall count as known, %", min=50.0, max=100.0),
    ] = 95.0
