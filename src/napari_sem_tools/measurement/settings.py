"""Settings of measuring: what is measured and what is left out of the statistics."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from napari_sem_tools.settings import Settings, described

__all__ = ["MeasureSettings"]


@dataclasses.dataclass(frozen=True)
class MeasureSettings(Settings):
    """What is measured and what is left out of the statistics.

    A particle left out stays in the table with ``included`` False and its reason.

    Examples
    --------
    >>> settings = MeasureSettings(edge_margin_px=2)
    >>> settings.replace(leave_out_doubtful=False).edge_margin_px
    2
    """

    edge_margin_px: Annotated[
        int,
        described(
            "A particle closer than this to the border, the data bar or a region's outline is cut",
            min=0,
            max=100,
        ),
    ] = 1
    leave_out_edge: Annotated[bool, described("Leave cut particles out of the statistics")] = True
    leave_out_doubtful: Annotated[
        bool, described("Mark doubtful particles and leave them out of the statistics")
    ] = True
    min_ecd_px: Annotated[
        float,
        described("Doubtful: a smaller equivalent diameter in px", min=0, max=1000, step=0.5),
    ] = 5.0
    min_solidity: Annotated[
        float,
        described(
            "Doubtful, merged: solidity below this part of that of a convex particle of its size",
            min=0,
            max=1,
            step=0.01,
        ),
    ] = 0.9
    max_fragment_ratio: Annotated[
        float,
        described(
            "Doubtful, fragment: touches a particle and has less than this part of its area",
            min=0,
            max=1,
            step=0.01,
        ),
    ] = 0.1
    min_contrast: Annotated[
        float,
        described(
            "Doubtful: grey step at the outline below this many SD of the grey values",
            min=0,
            max=100,
            step=0.1,
        ),
    ] = 0.5
    min_confidence: Annotated[
        float,
        described(
            "Doubtful: confidence of the segmentation below this; networks give how probably a "
            "particle is right",
            min=0,
            max=1,
        ),
    ] = 0.5
    doubt_covered: Annotated[
        bool, described("Doubtful: burnt-in letters or a drawn bar cover a part")
    ] = True
    max_doubt: Annotated[
        float,
        described(
            "Doubtful: a score above this; 0.5 lets every rule hold at its own setting, "
            "less is stricter",
            min=0,
            max=1,
            step=0.05,
        ),
    ] = 0.5
    shape_min_px: Annotated[
        float,
        described("Shape columns count as reliable from this equivalent diameter in px on", min=0),
    ] = 8.0
    perimeter_directions: Annotated[
        Literal["2", "4", "8"],
        described(
            "Directions of the Crofton perimeter: 4; 8 for facets (square pixels alone, worse "
            "below 8 px); 2 only to compare with other programs"
        ),
    ] = "4"
    corner_ferets: Annotated[
        bool, described("Measure Feret diameters on pixel corners, too, as ImageJ does")
    ] = True
    intensity: Annotated[bool, described("Measure grey values and the contrast at the edge")] = True
    neighbours: Annotated[
        bool, described("Measure the distance to the nearest particle and what touches")
    ] = True
    inscribed: Annotated[
        bool,
        described("Measure the largest disc inside and the smallest circle around; takes longer"),
    ] = False
    stack: Annotated[
        Literal["slices", "bodies"],
        described("Stacks: every slice by itself, or labels as bodies in space"),
    ] = "slices"
    slice_nm: Annotated[
        float,
        described("Bodies: distance of two slices in nm; 0: as the file says", min=0, max=1e9),
    ] = 0.0
    engine: Annotated[
        Literal["auto", "numba", "numpy"],
        described(
            "What measures: compiled loops (numba) or arrays (numpy), with the same numbers; "
            "auto takes numba where it is installed and the image is large"
        ),
    ] = "auto"
