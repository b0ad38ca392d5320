"""The table of augmentation recipes: a name, its steps, where its numbers are from."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.training.augmentation import electron, geometry

__all__ = ["RECIPES", "Recipe", "Step", "augment", "recipe"]

_EXTRA = 0.05  # Augmentor rounds its die to a tenth, so that its real rate is this much higher
_ORDER = 3  # of the spline, offline; the library's resampling is bicubic as well


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a recipe.

    Attributes
    ----------
    run : callable
        Of `geometry`: ``run(shape, rng, compat=..., **parameters)`` returns a map of places;
        of `electron`: ``run(grey, rng, **parameters)`` returns grey values.
    rate : float
        How often it is done, 0 to 1.
    parameters : mapping
    """

    run: Callable[..., Any]
    rate: float
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def drawn(self, rng: np.random.Generator, compat: str = "") -> bool:
        """Throw the die."""
        rate = self.rate + _EXTRA * (compat == geometry.COMPAT)
        return bool(rng.random() < rate)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A row of the table.

    Attributes
    ----------
    name, help, source : str
    places : tuple of Step
        Move pixels of image and mask; in this order.
    greys : tuple of Step
        Change grey values; in this order, after the places.
    """

    name: str
    help: str
    source: str
    places: tuple[Step, ...] = ()
    greys: tuple[Step, ...] = ()


_R = Step(geometry.rotate, 0.7, {"degrees": 25.0})
_D = Step(geometry.distort, 0.9, {"grid": 8, "magnitude": 2.0})
_Z = Step(geometry.zoom, 0.3, {"least": 1.1, "most": 1.6})
_FLIPS = Step(geometry.symmetry, 1.0)
_PAPER = "Š. Mocko (TEM U-Net); M. D. Bloice 2017, arXiv 1708.04680"
_SEM = (
    Step(electron.polarity, 0.1),
    Step(electron.gamma, 0.5, {"strength": 0.4}),
    Step(electron.gain, 0.9, {"contrast": 0.3, "brightness": 0.15}),
    Step(electron.shading, 0.3, {"strength": 0.2}),
    Step(electron.charging, 0.12, {"strength": 0.8}),
    Step(electron.blur, 0.3, {"most_px": 1.6, "astigmatism": 0.5}),
    Step(electron.counting, 0.5, {"dose": (30.0, 1000.0)}),
    Step(electron.jitter, 0.15, {"strength": 0.03}),
    Step(electron.letters, 0.15),
)

_ROWS = (
    Recipe("none", "the images as they are", "-"),
    Recipe("flips", "mirror images, and quarter turns of a square", "-", (_FLIPS,)),
    Recipe("R", "rotation by up to 25 degrees (rate 0.7)", _PAPER, (_R,)),
    Recipe("D", "elastic distortion, grid 8 x 8, 2 px (rate 0.9)", _PAPER, (_D,)),
    Recipe("Z", "zoom by 1.1 to 1.6 (rate 0.3)", _PAPER, (_Z,)),
    Recipe("RDZ", "rotation, distortion and zoom", _PAPER, (_R, _D, _Z)),
    Recipe(
        "sem",
        "what an SEM changes: grey curve, spot, dose, charging, polarity, lettering; "
        "and mirror images and size",
        "own; ranges as in the simulator",
        (_FLIPS, Step(geometry.zoom, 0.5, {"least": 0.75, "most": 1.33})),
        _SEM,
    ),
    Recipe(
        "RDZ+sem",
        "RDZ, mirror images and the grey values of sem",
        "own",
        (_FLIPS, _R, _D, _Z),
        _SEM,
    ),
)

RECIPES: dict[str, Recipe] = {row.name: row for row in _ROWS}
"""Recipes by name."""


def recipe(name: str) -> Recipe:
    """Find a recipe.

    Parameters
    ----------
    name : str

    Returns
    -------
    Recipe

    Raises
    ------
    InvalidSettings
        There is none of this name.

    Examples
    --------
    >>> [step.rate for step in recipe("RDZ").places]
    [0.7, 0.9, 0.3]
    """
    if name in RECIPES:
        return RECIPES[name]
    near = difflib.get_close_matches(name, RECIPES, n=1)
    raise InvalidSettings(
        f"There is no recipe {name!r}.",
        hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(RECIPES)}.",
    )


def augment(
    image: NDArray[np.float32],
    mask: NDArray[Any],
    name: str,
    rng: np.random.Generator,
    *,
    compat: str = "",
    order: int = _ORDER,
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Change an image and its mask by a recipe.

    Parameters
    ----------
    image : float32 array (Y, X)
        0 is black, 1 is white.
    mask : array (..., Y, X)
        Labels, classes or several planes.
    name : str
        Row of `RECIPES`.
    rng : numpy.random.Generator
    compat : str
        ``"augmentor"``: rates and cuts as the library really has them.
    order : int
        Of the spline for the image.

    Returns
    -------
    image : float32 array (Y, X)
    mask : array (..., Y, X)
        In its own type, from the same places; it has no value that it had not, but 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> mask = np.eye(16, dtype=np.uint8)
    >>> image, same = augment(mask.astype(np.float32), mask, "flips", rng)
    >>> bool((image == same).all())
    True
    """
    row = recipe(name)
    shape = (image.shape[0], image.shape[1])
    drawn = [
        step.run(shape, rng, compat=compat, **step.parameters)
        for step in row.places
        if step.drawn(rng, compat)
    ]
    if drawn:
        places = np.indices(shape, float)
        for back in reversed(drawn):  # from the last result to the image
            places = back(places)
        image, mask = geometry.sample(image, mask, places, order=order)
    for step in row.greys:
        if not step.drawn(rng):
            continue
        if step.run is electron.letters:
            image, mask = electron.letters(image, mask, rng)
        else:
            image = step.run(image, rng, **step.parameters)
    return image, mask
