"""Every NFFA picture at hand from end to end: strip, size, vector, category; a table and a figure.

    python benchmarks/nffa_pictures.py DATA [FIGURE] [--embedding NAME]

DATA holds ``nffa/CATEGORY/*``.  Each picture is named by categories that were taught from all the
others, so that a category with one picture cannot be named at all: this shows that everything is
done, and is no score.  FIGURE is drawn from pictures reduced to 80 px; they are of the
NFFA-EUROPE 100 % SEM data set (CC BY 4.0), whose authors stand in the figure.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.classification import (
    Categories,
    Examples,
    TeachSettings,
    classify,
    embedding_row,
    teach_vectors,
    texture_field,
)
from napari_sem_tools.classification.examples import looked_at
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading import SUFFIXES, as_micrograph

SIDE = 80  # px of the reduced pictures
COLUMNS = 6
SOURCE = (
    "Pictures, reduced: NFFA-EUROPE 100 % SEM data set, Aversa, Modarres, Cozzini, Ciancio, "
    "Chiusole,\nSci. Data 5, 180172 (2018), doi 10.23728/b2share."
    "80df8606fcdb4b2bae1656f0dc6db8ba, CC BY 4.0"
)
RIGHT, WRONG, STRIP = "#009e73", "#d55e00", "#e69f00"


@dataclasses.dataclass(frozen=True, eq=False)
class Done:
    """A picture with what became of it."""

    path: Path
    category: str
    image: Micrograph
    field: tuple[int, ...]
    row: dict[str, Any]
    teachers: int

    @property
    def right(self) -> bool:
        """Whether it was named as its folder is."""
        return bool(self.row["category"] == self.category)


def pictures(data: Path) -> list[tuple[str, Path]]:
    """List the pictures with their categories."""
    return [
        (folder.name, path)
        for folder in sorted((data / "nffa").iterdir())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
    ]


def taught_without(listed: list[tuple[str, Path]], looks: list[Any], out: int, model: str) -> Any:
    """Teach from all pictures but one; categories left without a picture are not taught."""
    kept = [number for number in range(len(listed)) if number != out]
    names = tuple(dict.fromkeys(listed[number][0] for number in kept))
    labels = np.asarray([names.index(listed[number][0]) for number in kept], np.intp)
    examples = Examples(
        names,
        labels,
        np.stack([looks[number][0] for number in kept]),
        np.stack([looks[number][1] for number in kept]),
        np.arange(len(kept)),
        tuple(str(listed[number][1]) for number in kept),
    )
    return teach_vectors(examples, model=model, settings=TeachSettings(head="prototypes"))


def run(data: Path, model: str) -> list[Done]:
    """Take every picture from end to end."""
    listed = pictures(data)
    images = [as_micrograph(path) for _, path in listed]
    looks = [looked_at(image, model=model) for image in images]
    done = []
    for number, (category, path) in enumerate(listed):
        mine: Categories = taught_without(listed, looks, number, model)
        row = {str(k): v for k, v in classify([path], mine).iloc[0].to_dict().items()}
        done.append(
            Done(
                path, category, images[number], texture_field(images[number]).shape, row,
                mine.examples.counts.get(category, 0),
            )
        )  # fmt: skip
    return done


def report(done: list[Done]) -> None:
    """Print a line a picture, and what it comes to."""
    print("| picture | size | strip rows | field | category | named | p | answer |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for one in done:
        rows, columns = one.image.shape
        strip = "none" if one.image.data_bar is None else "{}-{}".format(*one.image.data_bar)
        named = one.row["category"] or "-"
        sides = " x ".join(map(str, one.field))
        print(
            f"| {one.category}/{one.path.stem[:14]} | {rows} x {columns} | {strip} | {sides} | "
            f"{one.category} | {named} | {one.row['confidence']:.2f} | {one.row['answer']} |"
        )
    possible = [one for one in done if one.teachers]
    strips = sum(one.image.data_bar is not None for one in done)
    print(
        f"\n{len(done)} pictures, {sum(not one.row['error'] for one in done)} done, "
        f"{sum(bool(one.row['error']) for one in done)} failed; a strip in {strips}; "
        f"of {len(possible)} whose category has another picture "
        f"{sum(one.right for one in possible)} named right"
    )


def small(image: Micrograph) -> tuple[NDArray[np.uint8], float]:
    """Return the picture reduced to `SIDE` px, and by how much."""
    from PIL import Image

    pixels = np.asarray(image.pixels)
    grey = pixels if pixels.ndim == 2 else pixels.mean(-1)
    factor = SIDE / max(grey.shape)
    size = tuple(max(1, round(side * factor)) for side in grey.shape[::-1])
    reduced = Image.fromarray(np.uint8(grey)).resize(size, Image.Resampling.BOX)
    return np.asarray(reduced), factor


def draw(done: list[Done], figure: Path, model: str) -> None:
    """Draw every picture with its strip and its answer."""
    import matplotlib as mpl
    from PIL import Image

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = -(-len(done) // COLUMNS)
    sheet, places = plt.subplots(rows, COLUMNS, figsize=(1.55 * COLUMNS, 1.72 * rows + 0.6))
    for place in places.ravel():
        place.axis("off")
    for place, one in zip(places.ravel(), done, strict=False):
        pixels, factor = small(one.image)
        place.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        if one.image.data_bar is not None:
            first, stop = (factor * edge - 0.5 for edge in one.image.data_bar)
            place.axhspan(first, stop, color=STRIP, alpha=0.45, linewidth=0)
        named = one.row["category"] or one.row["answer"]
        alone = "" if one.teachers else " *"
        truth = one.category.removesuffix("_and_electrodes").replace("_", " ")
        said = named.removesuffix("_and_electrodes").replace("_", " ")
        place.set_title(
            f"{truth}{alone}\n{said} {one.row['confidence']:.0%}",
            fontsize=7, color=RIGHT if one.right else WRONG if one.teachers else "0.4", pad=2,
        )  # fmt: skip
    sheet.suptitle(
        f"Category, and below it what the others say ({model}); orange: the strip that was found; "
        "*: the only one of its category",
        fontsize=8, y=0.995,
    )  # fmt: skip
    sheet.text(0.5, 0.004, SOURCE, fontsize=6, ha="center", va="bottom")
    sheet.subplots_adjust(0.01, 0.045, 0.99, 0.93, wspace=0.08, hspace=0.34)
    figure.parent.mkdir(parents=True, exist_ok=True)
    sheet.savefig(figure, dpi=100)
    with Image.open(figure) as drawn:  # 128 colours: a third of the bytes, and nobody sees it
        fewer = drawn.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    fewer.save(figure, optimize=True)


def main() -> None:
    """Print the table, and draw the figure where one is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("figure", type=Path, nargs="?")
    parser.add_argument("--embedding", default="auto")
    given = parser.parse_args()
    model = embedding_row(given.embedding).name
    done = run(given.data, model)
    report(done)
    if given.figure is not None:
        draw(done, given.figure, model)


if __name__ == "__main__":
    main()
