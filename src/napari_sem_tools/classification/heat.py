"""What decided: where in an image a trained network saw the category that it named."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.field import field_box
from napari_sem_tools.classification.look import Look, counted, picture_of, shown_box
from napari_sem_tools.errors import InvalidSettings, SemError
from napari_sem_tools.reading.inputs import as_micrograph

__all__ = ["heat_map"]

_LEAST_CELLS: Final = 4  # of a layer that still knows where things are


def heat_map(
    image: Any, model: str, *, category: str | None = None, device: str = "auto"
) -> NDArray[np.float32]:
    """Map what in an image decided for a category (Grad-CAM).

    Parameters
    ----------
    image : path-like, Micrograph, layer or array
    model : str
        Name of a trained model of the registry.
    category : str, optional
        By default the one that it names.
    device : str

    Returns
    -------
    float32 array (Y, X)
        On the grid of the image: 1 where most spoke for the category, 0 where nothing did, NaN
        where the network did not look (data bar, burnt-in letters, what was cut off).

    Raises
    ------
    ModelNotFound, UntrustedModel, MissingExtra
        There is no such model, or it cannot be run.
    InvalidSettings
        The model is not for categories, does not know this one, or has no layer with places.
    SemError
        Networks run in a process of their own here, which gives no gradients.

    Notes
    -----
    The last layer that still has places is weighted by the mean gradient of the category's
    logit; what is negative counts nothing.  It says where, not what, and is as coarse as that
    layer.

    References
    ----------
    .. [1] R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via
       gradient-based localization", ICCV (2017).

    Examples
    --------
    >>> import napari_sem_tools as sem
    >>> heat = sem.heat_map("wires.tif", "my-categories")  # doctest: +SKIP
    """
    from napari_sem_tools.models import models

    card = models[model]
    names = [one.name for one in card.classes]
    if card.task != "classification":
        raise InvalidSettings(f"{card.key} is a model for {card.task}, not for categories.")
    if category is not None and category not in names:
        raise InvalidSettings(
            f"{card.key} knows no category {category!r}.", hint=f"It knows {', '.join(names)}."
        )
    record = as_micrograph(image).plane()
    look = Look.of(card.arguments)
    wish = {} if device == "auto" else {"device": device}
    with models.lease(model, **wish) as lent:
        if lent.network is None:
            raise SemError(
                "Networks run in a process of their own here, which gives no gradients.",
                hint="Set device to cpu, or start with 'sem-tools gui'.",
            )
        picture = picture_of(record, look)
        number = None if category is None else names.index(category)
        cells = _cells(lent, picture, number)
    return _on_image(cells, record, look)


def _cells(lent: Any, picture: NDArray[np.uint8], number: int | None) -> NDArray[np.float32]:
    """Run the network once forward and once back; return the map of its last layer with places."""
    import torch

    from napari_sem_tools.classification.network import as_input

    seen: list[Any] = []

    def note(_: Any, __: Any, made: Any) -> None:
        if isinstance(made, torch.Tensor) and _has_places(made) and made.requires_grad:
            seen.append(made)

    network = lent.network
    hooks = [part.register_forward_hook(note) for part in network.network.modules()]
    try:
        given = torch.from_numpy(as_input(picture)).to(lent.device).requires_grad_(True)
        with torch.enable_grad():
            logits = network(given)[0, : len(lent.card.outputs)]
            chosen = int(logits.argmax()) if number is None else number
            if not seen:
                raise InvalidSettings(f"{lent.card.key} has no layer that still knows places.")
            (slope,) = torch.autograd.grad(logits[chosen], seen[-1])
    finally:
        for hook in hooks:
            hook.remove()
    layer, slope = (_as_map(part.detach().float(), network) for part in (seen[-1], slope))
    weighted = (layer * slope.mean((1, 2), keepdim=True)).sum(0).clamp(min=0)
    return np.asarray((weighted / weighted.max().clamp(min=1e-12)).cpu().numpy(), np.float32)


def _has_places(made: Any) -> bool:
    """Tell whether an answer of a layer still knows where things are."""
    if made.ndim == 4:
        return bool(made.shape[2] * made.shape[3] >= _LEAST_CELLS)
    return bool(made.ndim == 3 and made.shape[1] >= _LEAST_CELLS)


def _as_map(part: Any, network: Any) -> Any:
    """Return a layer as (channels, rows, columns); tokens are put where they were cut."""
    if part.ndim == 4:
        return part[0]
    inner = network.network
    rows, columns = inner.patch_embed.grid_size
    tokens = part[0, -rows * columns :]
    return tokens.T.reshape(-1, rows, columns)


def _on_image(cells: NDArray[np.float32], record: Any, look: Look) -> NDArray[np.float32]:
    """Put the map on the grid of the image."""
    from PIL import Image

    counts = counted(record, look)
    box = field_box(counts)
    first = np.array([part.start for part in box])
    size = tuple(part.stop - part.start for part in box)
    left, top, right, bottom = (round(edge) for edge in shown_box(size, look))
    large = Image.fromarray(cells).resize(
        (max(right - left, 1), max(bottom - top, 1)), Image.Resampling.BILINEAR
    )
    heat = np.full(record.shape, np.nan, np.float32)
    place = tuple(
        slice(start + begin, start + end)
        for start, begin, end in zip(first, (top, left), (bottom, right), strict=True)
    )
    room = heat[place]
    room[:] = np.clip(np.asarray(large, np.float32), 0, 1)[: room.shape[0], : room.shape[1]]
    heat[~counts] = np.nan
    return heat
