"""The figures of a report: the images with what was found, and the distribution of sizes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.analysis.finished import Finished
from napari_sem_tools.analysis.result import ImageResult
from napari_sem_tools.errors import SemError
from napari_sem_tools.files import write_file
from napari_sem_tools.reporting import (
    Distribution,
    Picture,
    Thumbnail,
    distribution_figure,
    four_panels,
    overview,
    png_bytes,
    read_png,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["distribution_of", "pictures"]

Floats = NDArray[np.float64]

_SHOWN_IMAGES = 12  # figures embedded in the report, and pictures of the overview
_DISTRIBUTION = (
    "Sizes of all counted particles. Histogram by number, with what the best fit expects; "
    "cumulative distributions by number (Q0) with its interval at each size, and by volume (Q3); "
    "quantiles on a log-probability scale with the log-normal distribution of the same mean and "
    "standard deviation of ln d; "
)


def pictures(finished: Finished) -> tuple[Picture, ...]:
    """Collect the figures; the overview of several images is drawn and written.

    Returns
    -------
    tuple of Picture
        Each can be drawn again with lines and letters.
    """
    single = finished.out / "figure.png"
    distribution = _distribution(finished)
    if len(finished.images) == 1 and single.exists():
        image = finished.done[0]
        return (_image(finished, image, single.read_bytes()), distribution)
    shown = finished.done[:_SHOWN_IMAGES]
    draw = functools.partial(_overview, finished, shown)
    picture = png_bytes(draw())
    write_file(single, picture)
    each = [_image(finished, i, finished.ledger.figure_path(i.name).read_bytes()) for i in shown]
    whole = Picture("All images together, doubtful particles in red.", picture, draw)
    return (whole, distribution, *each)


def distribution_of(finished: Finished) -> Distribution:
    """Return the sizes that the plots show: in nm where any image is calibrated."""
    unit = finished.units[0]
    table = finished.table
    counted = table[table["included"].to_numpy(bool)] if len(table) else table
    ferets = [f"feret_{which}_{unit}" for which in ("min", "max")]
    least, most = (
        counted[name].to_numpy(float) if name in counted else np.empty(0) for name in ferets
    )
    known = np.isfinite(least) & np.isfinite(most) if len(least) == len(most) else slice(0)
    fits = finished.statistics[unit].fits
    return Distribution(
        {image.name: image.sizes for image in finished.of_unit(unit)},
        unit,
        finished.pixel(unit),
        least[known],
        most[known],
        band=_band(finished, unit),
        fit=(fits[0].family, fits[0].below) if fits else None,
    )


def _band(finished: Finished, unit: str) -> tuple[Floats, Floats, Floats] | None:
    """Return the interval of the cumulative distribution, point by point."""
    from napari_sem_tools.measurement import pool
    from napari_sem_tools.statistics import distribution_band, sample_of

    tables = [image.table for image in finished.of_unit(unit)]
    return distribution_band(sample_of(pool(tables), quantity=f"ecd_{unit}"))


def _distribution(finished: Finished) -> Picture:
    """Draw the distribution of sizes."""
    found = distribution_of(finished)
    draw = functools.partial(distribution_figure, found)
    last = "the sizes image by image." if len(found.sizes) > 1 else "the Feret diameters."
    return Picture(_DISTRIBUTION + last, png_bytes(draw()), draw)


def _image(finished: Finished, image: ImageResult, png: bytes) -> Picture:
    """Show one image with what was found in it."""
    return Picture(_caption(image), png, _drawer(finished, image, png))


def _drawer(finished: Finished, image: ImageResult, png: bytes) -> Callable[[], Figure]:
    """Return what draws the four panels again, from the file and the labels written."""

    def draw() -> Figure:
        from napari_sem_tools.analysis.exports import read_labels
        from napari_sem_tools.reporting.pdf import pasted

        try:
            micrograph = finished.read_again(image)
        except SemError:  # the file has gone since: its finished figure is shown
            return pasted(png)
        labels = read_labels(finished.ledger.labels_path(image.name))
        return four_panels(micrograph, labels, image.table)

    return draw


def _overview(finished: Finished, shown: list[ImageResult]) -> Figure:
    """Draw the overview of several images."""
    thumbnails = [
        Thumbnail(
            image.name,
            read_png(finished.ledger.thumbnail_path(image.name).read_bytes()),
            image.shape,
            image.calibration,
            image.data_bar,
        )
        for image in shown
    ]
    unit = finished.units[0]
    return overview(
        thumbnails,
        finished.sizes(unit),
        unit=unit,
        min_width=finished.pixel(unit),
        left_out=len(finished.done) - len(shown),
    )


def _caption(image: ImageResult) -> str:
    """Say below a figure what it shows."""
    scale = image.calibration.describe()
    return (
        f"{image.file}: {len(image.table)} particles found, {image.count('included')} counted, "
        f"{image.count('doubtful')} doubtful (red), {image.count('edge')} cut by the edge; {scale}."
    )
