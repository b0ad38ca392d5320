"""Crops that the classification benchmark tests, and pictures that are no micrographs.

Every crop is grey, without strip, ranked (so that brightness and contrast tell nothing) and
passed through JPEG of quality 90.  Tasks contrast categories *within* one source.
"""

from __future__ import annotations

import dataclasses
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.io import imread
from skimage.measure import regionprops

from napari_sem_tools.classification.field import ranked

CROP_PX = 320
KINDS = Path(__file__).with_name("emps_kinds.csv")  # labels by eye, two rounds
BAM_ROWS = 712  # below lies the strip
LEAST_SHARE = 0.02  # of a crop must be crack or oxide
LEAST_PARTICLE_PX, ROUND_IT = 40, 1.5  # side of the box of a particle, and how much is cut round it
NOT_MICROGRAPHS = (
    "astronaut", "brick", "camera", "cell", "chelsea", "chessboard_GRAY", "clock_motion", "coffee",
    "coins", "color", "grass", "gravel", "horse", "hubble_deep_field", "ihc", "logo",
    "microaneurysms", "moon", "motorcycle_left", "page", "phantom", "retina", "rocket", "text",
)  # fmt: skip
MADE = 4  # pages, plots, white and 1/f noises, blanks each

Grey = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class Crop:
    """A crop with its truth.

    Attributes
    ----------
    task, category, group, picture : str
        `group` is the specimen that is never divided.
    pixels : uint8 array
    """

    task: str
    category: str
    group: str
    picture: str
    pixels: Grey


def equal(grey: NDArray[np.generic], *, turned: bool = False) -> Grey:
    """Rank the grey values, flip and turn by chance where asked, and pass them through JPEG.

    Equal values are put in a random order: gaps in the histogram would tell the contrast of the
    recording, by which the conditions of task T1 could be told apart without looking at them.
    """
    dither = np.random.default_rng(zlib.crc32(np.ascontiguousarray(grey).tobytes()))
    if turned:
        grey = np.rot90(grey[:: dither.choice((-1, 1))], dither.integers(4))
    levels = np.uint8(np.clip(256 * ranked(grey + dither.uniform(-0.5, 0.5, grey.shape)), 0, 255))
    packed = io.BytesIO()
    Image.fromarray(levels).save(packed, "JPEG", quality=90)
    return np.asarray(Image.open(packed))


def grey_of(path: Path) -> Grey:
    """Read a picture as grey."""
    pixels = imread(path)
    return np.asarray(pixels if pixels.ndim == 2 else pixels[..., :3].mean(-1), np.uint8)


def corners(shape: tuple[int, ...], each: int) -> Iterator[tuple[slice, slice]]:
    """Yield `each` x `each` places of a crop, from border to border."""
    rows, columns = (np.linspace(0, side - CROP_PX, each).astype(int) for side in shape[:2])
    for row in rows:
        for column in columns:
            yield slice(row, row + CROP_PX), slice(column, column + CROP_PX)


def condition(data: Path) -> Iterator[Crop]:
    """T1: superalloy before and after 180 days; groups are spots."""
    for path in sorted((data / "nasa/superalloy/images").glob("*.png")):
        spot, days, _ = path.stem.split("_")
        grey = grey_of(path)
        for place in corners(grey.shape, 2):
            yield Crop("T1 condition", days, spot, path.stem, equal(grey[place]))


def coating(data: Path) -> Iterator[Crop]:
    """T2: coating with a crack, an oxide layer, or neither; groups are specimens."""
    for path in sorted((data / "nasa/coating/images").glob("*.png")):
        grey, mask = grey_of(path), imread(data / "nasa/coating/masks" / path.name)
        for place in corners(grey.shape, 3):
            oxide, crack = ((mask[place] == value).mean() >= LEAST_SHARE for value in (1, 2))
            kind = "crack" if crack else "oxide" if oxide else "neither"
            yield Crop("T2 coating", kind, path.stem[:-4], path.stem, equal(grey[place]))


def powder(data: Path) -> Iterator[Crop]:
    """T3: powder particles with and without satellite; groups are pictures."""
    for path in sorted((data / "powder/images").glob("*.png")):
        grey, labels = grey_of(path), imread(data / "powder/masks" / path.name)
        satellites = imread(data / "powder/satellites" / path.name) > 0
        for one in regionprops(labels):
            top, left, bottom, right = one.bbox
            side = int(ROUND_IT * max(bottom - top, right - left))
            if side < ROUND_IT * LEAST_PARTICLE_PX:
                continue
            row, column = max((top + bottom - side) // 2, 0), max((left + right - side) // 2, 0)
            cut = grey[row : row + side, column : column + side]
            has = bool((satellites[one.slice] & one.image).any())
            kind = "satellite" if has else "none"
            if min(cut.shape) >= LEAST_PARTICLE_PX:
                yield Crop("T3 powder", kind, path.stem, path.stem, equal(cut))


def coverage(data: Path) -> Iterator[Crop]:
    """T4: sparse, middle and dense thirds by the area of the masks; groups are pictures."""
    found = []
    for path in sorted((data / "bam/images").glob("*.tif")):
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))[:BAM_ROWS]
        mask = imread(data / "bam/masks" / f"{path.stem}.png")[:BAM_ROWS] > 0
        for number, place in enumerate(corners(grey.shape, 3)):
            if number in (0, 2, 6, 8):  # the middle ones overlap
                found.append((float(mask[place].mean()), path.stem, equal(grey[place])))
    limits = np.quantile([share for share, _, _ in found], (1 / 3, 2 / 3))
    for share, name, pixels in found:
        kind = ("sparse", "middle", "dense")[int(np.digitize(share, limits))]
        yield Crop("T4 coverage", kind, name, name, pixels)


def articles(data: Path) -> Iterator[Crop]:
    """R: pictures of journal articles with another picture of the same article."""
    import pandas as pd

    table = pd.read_csv(data / "emps-train/metadata.csv", dtype={"name": str})
    several = table[table.groupby("doi")["name"].transform("size") > 1]
    for row in several.itertuples():
        grey = grey_of(data / "emps-train/images" / f"{row.name}.png")
        places = [(slice(0, CROP_PX), slice(0, CROP_PX)), (slice(-CROP_PX, None),) * 2]
        for place in places:
            yield Crop("R articles", str(row.doi), str(row.doi), str(row.name), equal(grey[place]))


def kinds(data: Path) -> Iterator[Crop]:
    """T5: SEM or TEM, and the shape of the particles, by eye; groups are publications.

    Pictures whose two labels disagree are left out.  The whole picture is reduced until its
    shorter side has 320 px, and its middle is taken.
    """
    import pandas as pd

    table = pd.read_csv(data / "emps-train/metadata.csv", dtype={"name": str}).set_index("name")
    for row in pd.read_csv(KINDS, dtype=str).itertuples():
        grey = equal(reduced(grey_of(data / "emps-train/images" / f"{row.name}.png")))
        group = str(table.loc[row.name, "doi"])
        if row.kind_1 == row.kind_2:
            yield Crop("T5 kind", row.kind_1, group, row.name, grey)
        if row.shape_1 == row.shape_2:
            yield Crop("T5 shape", row.shape_1, group, row.name, grey)


def reduced(grey: Grey) -> Grey:
    """Reduce a picture until its shorter side is that of a crop, and take its middle."""
    shorter = min(grey.shape)
    size = [max(CROP_PX, round(side * CROP_PX / shorter)) for side in grey.shape]
    small = np.asarray(Image.fromarray(grey).resize(size[::-1], Image.Resampling.BOX))
    first = [(side - CROP_PX) // 2 for side in small.shape]
    return small[first[0] : first[0] + CROP_PX, first[1] : first[1] + CROP_PX]


TASKS = (condition, coating, powder, coverage, articles, kinds)


def not_micrographs() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield photographs, light micrographs, pages, plots, noise and blanks, in their colours."""
    import skimage.data

    folder = Path(os.path.dirname(skimage.data.__file__))
    for name in NOT_MICROGRAPHS:
        pixels = imread(next(folder.glob(f"{name}.*")))
        if pixels.ndim == 3 and pixels.shape[-1] == 4:
            pixels = pixels[..., :3]
        yield name, np.asarray(pixels if pixels.max() > 1 else pixels * 255, np.uint8)
    for number in range(MADE):
        rng = np.random.default_rng((5, number))
        yield from drawn(rng, number)
        yield f"white noise {number}", rng.integers(0, 256, (480, 640)).astype(np.uint8)
        yield f"1/f noise {number}", pink(rng, 1.0 + 0.5 * number)
        yield f"blank {number}", np.full((480, 640), 80 * number, np.uint8)


def drawn(rng: np.random.Generator, number: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield a page of text and a plot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    for kind in ("page", "plot"):
        figure = Figure(figsize=(6.4, 4.8), dpi=100)
        canvas = FigureCanvasAgg(figure)
        if kind == "plot":
            axes = figure.add_subplot()
            axes.plot(np.cumsum(rng.normal(size=(80, 3)), axis=0), color="black")
        else:
            words = rng.integers(97, 123, (22, 60)).astype(np.uint8)
            words[rng.random(words.shape) < 0.16] = 32
            text = "\n".join(row.tobytes().decode() for row in words)
            figure.text(0.02, 0.5, text, family="monospace", va="center", size=11)
        canvas.draw()
        yield f"{kind} {number}", np.asarray(canvas.buffer_rgba())[..., :3].copy()


def pink(rng: np.random.Generator, power: float) -> NDArray[np.uint8]:
    """Return noise whose amplitude falls with a power of the frequency."""
    down, right = np.fft.fftfreq(480)[:, None], np.fft.rfftfreq(640)[None]
    radius = np.maximum(np.hypot(down, right), 1 / 640)
    wave = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(480, 640))) / radius**power, (480, 640))
    return np.uint8(255 * (wave - wave.min()) / np.ptp(wave))
