"""Batches of pictures: the same epoch and step always give the same batch."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification.network import as_input
from napari_sem_tools.training.augmentation import electron
from napari_sem_tools.training.augmentation.recipes import Step
from napari_sem_tools.training.classification.settings import ClassificationTraining

__all__ = ["PictureSource"]

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
Numbers = NDArray[np.intp]
Rng = np.random.Generator

_NOISE: Final = (
    Step(electron.gamma, 0.5, {"strength": 0.4}),
    Step(electron.gain, 0.8, {"contrast": 0.3, "brightness": 0.15}),
    Step(electron.shading, 0.2, {"strength": 0.2}),
    Step(electron.charging, 0.05, {"strength": 0.6}),
    Step(electron.blur, 0.25, {"most_px": 1.2, "astigmatism": 0.5}),
    Step(electron.counting, 0.4, {"dose": (30.0, 1000.0)}),
    Step(electron.jitter, 0.1, {"strength": 0.03}),
)
_EXPONENT: Final = {"images": 1.0, "root": 0.5, "categories": 0.0}


class PictureSource:
    """Draws pictures of some images, changed, with the probability of each category.

    Parameters
    ----------
    pictures : uint8 array (N, rows, columns)
    labels : int array (N,)
    categories : int
    chosen : int array (n,)
        Which of them are drawn.
    settings : ClassificationTraining

    Notes
    -----
    Batch k of epoch n is drawn by (seed, n, k) alone.

    References
    ----------
    .. [1] H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, "mixup: beyond empirical risk
       minimization", ICLR (2018).
    .. [2] S. Yun et al., "CutMix: regularization strategy to train strong classifiers with
       localizable features", ICCV (2019).
    """

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        labels: Numbers,
        categories: int,
        chosen: Numbers,
        settings: ClassificationTraining,
    ) -> None:
        self.pictures, self.labels, self.chosen = pictures, labels, chosen
        self.categories, self.settings = categories, settings
        counts = np.bincount(labels[chosen], minlength=categories)[labels[chosen]]
        weight = counts ** (_EXPONENT[settings.balance] - 1.0)
        self._chance = weight / weight.sum()

    @property
    def steps(self) -> int:
        """Steps until as many images were drawn as there are."""
        return max(1, -(-len(self.chosen) // self.settings.batch))

    def batch(self, epoch: int, step: int) -> Batch:
        """Draw a batch.

        Parameters
        ----------
        epoch, step : int

        Returns
        -------
        images : float32 array (batch, 1, rows, columns)
        targets : float32 array (batch, categories)
        """
        wish = self.settings
        order = self._order(epoch)
        rng = np.random.default_rng((wish.seed, epoch, step + 1))
        places = order[(step * wish.batch + np.arange(wish.batch)) % len(order)]
        images = np.stack([self._changed(self.pictures[place], rng) for place in places])
        targets = np.eye(self.categories, dtype=np.float32)[self.labels[places]]
        spread = np.float32(wish.label_smoothing)
        targets = targets * (1 - spread) + spread / np.float32(self.categories)
        return _mixed(images[:, None], targets, wish, rng)

    def _order(self, epoch: int) -> Numbers:
        """Draw the order of an epoch, by image or with rare categories more often."""
        rng = np.random.default_rng((self.settings.seed, epoch))
        if self.settings.balance == "images":
            return rng.permutation(self.chosen)
        return rng.choice(self.chosen, len(self.chosen), p=self._chance)

    def _changed(self, picture: NDArray[np.uint8], rng: Rng) -> NDArray[np.float32]:
        """Turn, shift, shear, enlarge, mirror and expose a picture anew."""
        grey = as_input(_moved(picture, self.settings, rng)[None])[0, 0]
        if self.settings.noise == "sem":
            for step in _NOISE:
                if step.drawn(rng):
                    grey = step.run(grey, rng, **step.parameters)
        return np.asarray(np.clip(grey, -0.5, 1.5), np.float32)


def _moved(picture: NDArray[np.uint8], wish: ClassificationTraining, rng: Rng) -> NDArray[np.uint8]:
    """Take a picture from other places, beyond its border mirrored."""
    angle, shear = np.radians(rng.uniform(-1, 1, 2) * (wish.rotation_degrees, wish.shear_degrees))
    scale = np.exp(rng.uniform(-1, 1) * np.log(1 + wish.zoom))
    shift = rng.uniform(-1, 1, 2) * wish.shift * picture.shape
    if wish.rotation_degrees or wish.shear_degrees or wish.zoom or wish.shift:
        from scipy.ndimage import affine_transform

        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.array([[1.0, 0.0], [np.tan(shear), 1.0]]) / scale
        centre = (np.array(picture.shape) - 1) / 2
        offset = centre - matrix @ centre + shift
        picture = affine_transform(picture, matrix, offset, order=1, mode="mirror")
    sideways, upside_down = rng.random(2) < 0.5
    if sideways and wish.flips != "none":
        picture = picture[:, ::-1]
    if upside_down and wish.flips == "all":
        picture = picture[::-1]
    return picture


def _mixed(
    images: NDArray[np.float32],
    targets: NDArray[np.float32],
    wish: ClassificationTraining,
    rng: Rng,
) -> Batch:
    """Mix each picture with its neighbour in the batch, all of it or a box."""
    ways = [way for way in ("mixup", "cutmix") if getattr(wish, way) > 0]
    if not ways:
        return images, targets
    way = ways[int(rng.integers(len(ways)))]
    alpha = getattr(wish, way)
    share = np.float32(rng.beta(alpha, alpha))
    other = np.roll(images, 1, axis=0)
    if way == "mixup":
        images = share * images + (1 - share) * other
    else:
        rows, columns = images.shape[2:]
        box = [_span(size, float(np.sqrt(1 - share)), rng) for size in (rows, columns)]
        images = images.copy()
        images[:, :, box[0], box[1]] = other[:, :, box[0], box[1]]
        cut = (box[0].stop - box[0].start) * (box[1].stop - box[1].start)
        share = np.float32(1 - cut / (rows * columns))
    return images, share * targets + (1 - share) * np.roll(targets, 1, axis=0)


def _span(size: int, share: float, rng: Rng) -> slice:
    """Draw a span of this share."""
    length = round(share * size)
    first = int(rng.integers(size - length + 1))
    return slice(first, first + length)
