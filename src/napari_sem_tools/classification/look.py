"""How an image becomes the picture that a trained network looks at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.field import field_box
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.settings import Settings, described

__all__ = ["PARTS", "WHOLE", "Look", "counted", "picture_of", "shown_box"]

Picture = NDArray[np.uint8]
Part = tuple[float, float, float]

WHOLE: Final[Part] = (1.0, 0.0, 0.0)
"""All of the field: side as a share, and where the part lies from above and from the left."""

PARTS: Final[tuple[Part, ...]] = tuple(
    (0.5, down, right) for down in (0.0, 1.0) for right in (0.0, 0.5, 1.0)
)
"""The parts of an image that vote: six halves of its sides."""

_LEAST_PX: Final = 2  # of a part; smaller ones cannot be enlarged
_GREY_PIXELS: Final = 1 << 18  # that percentiles are taken of: more say nothing more


@dataclasses.dataclass(frozen=True)
class Look(Settings):
    """What a network for categories is shown of an image.

    Attributes
    ----------
    rows, columns : int
        Size of the picture.
    fit : {"middle", "whole"}
        ``middle``: the aspect stays, and what is too much is cut off on both sides.
        ``whole``: squeezed.
    strip : {"out", "in"}
        Whether data bar and burnt-in letters are left out.
    clip_low_percent, clip_high_percent : float
        Percentiles that become black and white; 0 and 100 together: black and white are what
        the file can hold.
    colours : int
        3: colour is kept.

    Examples
    --------
    >>> Look(rows=64, columns=80).fit
    'middle'
    """

    rows: Annotated[int, described("Rows of the picture", min=16, max=4096)] = 224
    columns: Annotated[int, described("Columns of the picture", min=16, max=4096)] = 288
    fit: Annotated[Literal["middle", "whole"], described("How the aspect is treated")] = "middle"
    strip: Annotated[Literal["out", "in"], described("Whether data bars are left out")] = "out"
    clip_low_percent: Annotated[float, described("Percentile that is black", min=0, max=49)] = 0.5
    clip_high_percent: Annotated[float, described("Percentile that is white", min=51, max=100)] = (
        99.5
    )
    colours: Annotated[int, described("Channels", min=1, max=3)] = 1

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Look:
        """Read it from the arguments of a card.

        Parameters
        ----------
        arguments : mapping

        Returns
        -------
        Look
        """
        return cls.from_dict(dict(arguments.get("look") or {}))


def picture_of(record: Micrograph, look: Look, parts: tuple[Part, ...] = (WHOLE,)) -> Picture:
    """Make the pictures of an image that a network looks at.

    Parameters
    ----------
    record : Micrograph
        One page.
    look : Look
    parts : tuple of (float, float, float)
        Which parts of the field, as `WHOLE` says.

    Returns
    -------
    uint8 array (parts, rows, columns) or (parts, rows, columns, 3)

    Raises
    ------
    InvalidSettings
        The field is smaller than 24 x 24 px.

    Examples
    --------
    >>> record = Micrograph(np.arange(64 * 96, dtype=np.uint16).reshape(64, 96))
    >>> picture_of(record, Look(rows=32, columns=32)).shape
    (1, 32, 32)
    """
    counts = counted(record, look)
    box = field_box(counts)
    pixels = np.asarray(record.pixels if look.colours == 3 else record.grey)[box]
    if look.colours == 3 and pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    inside = counts[box]
    scaled = _scaled(pixels, inside, look)
    if not inside.all():
        scaled[~inside] = scaled[inside].mean(axis=0)
    return np.stack([_resized(_cut(scaled, part), look) for part in parts])


def counted(record: Micrograph, look: Look) -> NDArray[np.bool_]:
    """Return the pixels that are looked at.

    Parameters
    ----------
    record : Micrograph
    look : Look

    Returns
    -------
    bool array (Y, X)
    """
    if look.strip == "in":
        return np.ones(record.shape, bool)
    return record.field if record.marks is None else record.field & ~record.marks


def _scaled(pixels: NDArray[Any], inside: NDArray[np.bool_], look: Look) -> NDArray[np.float32]:
    """Scale grey values to 0 (black) to 255 (white)."""
    values = np.nan_to_num(np.asarray(pixels, np.float32))
    integer = np.issubdtype(pixels.dtype, np.integer)
    whole = look.clip_low_percent == 0 and look.clip_high_percent == 100 and integer
    if whole:
        low, high = 0.0, float(np.iinfo(pixels.dtype).max)
    else:
        seen = values[inside]
        few = seen[:: max(1, len(seen) // _GREY_PIXELS)]
        shown = (look.clip_low_percent, look.clip_high_percent)
        low, high = (float(value) for value in np.percentile(few, shown))
    return np.asarray(np.clip((values - low) * (255 / max(high - low, 1e-9)), 0, 255), np.float32)


def _cut(pixels: NDArray[np.float32], part: Part) -> NDArray[np.float32]:
    """Cut a part out."""
    share, *places = part
    sizes = [max(_LEAST_PX, round(share * side)) for side in pixels.shape[:2]]
    first = [
        round(place * (side - size))
        for place, side, size in zip(places, pixels.shape, sizes, strict=False)
    ]
    return pixels[first[0] : first[0] + sizes[0], first[1] : first[1] + sizes[1]]


def shown_box(size: tuple[int, ...], look: Look) -> tuple[float, float, float, float]:
    """Return what of a field is shown.

    Parameters
    ----------
    size : (int, int)
        Rows and columns of the field.
    look : Look

    Returns
    -------
    (float, float, float, float)
        Left, upper, right and lower edge in px.

    Examples
    --------
    >>> shown_box((100, 300), Look(rows=50, columns=100))
    (50.0, 0.0, 250.0, 100.0)
    """
    rows, columns = size[:2]
    if look.fit == "whole":
        return 0.0, 0.0, float(columns), float(rows)
    scale = min(rows / look.rows, columns / look.columns)
    down, right = (rows - scale * look.rows) / 2, (columns - scale * look.columns) / 2
    return right, down, columns - right, rows - down


def _resized(pixels: NDArray[np.float32], look: Look) -> Picture:
    """Bring a part to the size of the picture, by area means where it becomes smaller."""
    from PIL import Image

    box = shown_box(pixels.shape, look)
    grey = np.rint(pixels).astype(np.uint8)
    small = Image.fromarray(np.ascontiguousarray(grey)).resize(
        (look.columns, look.rows), Image.Resampling.BILINEAR, box=box
    )
    return np.asarray(small, np.uint8)
