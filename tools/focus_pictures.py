"""Pictures that the shipped focus model learns from, read from the folder of data sets.

``clean`` are the 28 pictures of the evaluation protocol, ``others`` the further licence-clean
ones, ``scenes`` rendered ones; `train_focus.py` joins them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.training.focus.frames import SharpPicture

FOUR = (
    "021519_3_1426C-100cyc0008",
    "040617_3_S0410019",
    "040617_3_S0410028",
    "050317_3_S0440026",
)
NFFA = {  # rows above the data band
    "nanowires/L6_0a6f18702a4a32677c74ed390f3af7af.jpg": 630,
    "nanowires/L6_0a6f78b39b585f1be2400daebf44dcb3.jpg": 360,
    "patterned_surface/Patteerned_surfaces.jpg": 635,
}
LEAST_DOSE = 60.0  # of a rendered scene; noisier ones are no sharp pictures


def read(path: Path, rows: int | None = None) -> NDArray[np.uint8]:
    """Read a picture as grey, the mean of its channels."""
    from skimage.io import imread

    pixels = imread(path)
    if pixels.ndim == 3:
        pixels = np.rint(pixels[..., :3].mean(-1))
    if pixels.dtype == np.uint16:
        pixels = pixels / 257
    return np.asarray(pixels[:rows], np.uint8)


def specimen(name: str) -> str:
    """Return the specimen of a coating picture: its name without the last four digits."""
    return name[:-4]


def listed(
    paths: Iterable[Path], group: Callable[[Path], str], weight: float = 1.0
) -> list[SharpPicture]:
    """Read pictures, each with its group."""
    return [SharpPicture(path.name, read(path), group(path), weight) for path in paths]


def coating(data: Path) -> list[Path]:
    """List the coating pictures."""
    return sorted((data / "nasa/coating/images").glob("*.png"))


def clean(data: Path) -> list[SharpPicture]:
    """Return the 28 pictures, by group."""
    superalloy = sorted((data / "nasa/superalloy/images").glob("*.png"))
    powder = sorted((data / "powder/images").glob("*.png"))
    msa = sorted((data / "msa-em-nanoparticles").glob("*/images/*.png"))
    return [
        *listed(superalloy, lambda path: path.name.split("_")[0]),
        *listed((p for p in coating(data) if p.stem in FOUR), lambda path: specimen(path.stem)),
        *listed(powder, lambda path: path.name),
        *listed(msa, lambda path: "msa"),
    ]


def kin(data: Path) -> list[SharpPicture]:
    """Return pictures of the same specimens as some of the 28: they train where those do."""
    groups = {specimen(stem) for stem in FOUR}
    paths = [p for p in coating(data) if p.stem not in FOUR and specimen(p.stem) in groups]
    powder = [data / "more/powder-extra/images/Sc1Tile_001-002.png"]
    return [
        *listed(paths, lambda path: specimen(path.stem)),
        *listed(powder, lambda path: "Sc1Tile_001-001.png"),
    ]


def others(data: Path) -> list[SharpPicture]:
    """Return the licence-clean pictures of other specimens."""
    known = {specimen(stem) for stem in FOUR}
    apart = [path for path in coating(data) if specimen(path.stem) not in known]
    found = listed(apart, lambda path: specimen(path.stem))
    more = data / "more"
    for folder in ("stem-catalysts", "uhcs-spheroidite", "axons-sem", "am-steel-defects",
                   "graphene-contamination"):  # fmt: skip
        weight = 0.5 if folder == "graphene-contamination" else 1.0
        pixel = {r["name"]: r.get("pixel_nm") for r in rows(more / folder / "images.csv")}
        for path in sorted((more / folder / "images").iterdir()):
            size = float(pixel.get(path.stem) or 0) or None
            found.append(SharpPicture(path.name, read(path), path.stem, weight, None, size))
    for row in rows(more / "nffa-particles/images.csv"):
        path = next((more / "nffa-particles/images").glob(row["name"] + ".*"))
        found.append(SharpPicture(path.name, read(path, int(row["filled_first"])), path.stem))
    for row in rows(more / "raw-sem/images.csv"):
        path = more / "raw-sem/images" / row["file"]
        size = float(row["pixel_nm"]) if row["pixel_nm"] else None
        grey = read(path, int(row["field_rows"]))
        found.append(SharpPicture(path.name, grey, path.stem, 1.0, None, size))
    for name, stop in NFFA.items():
        path = data / "nffa" / name
        found.append(SharpPicture(path.name, read(path, stop), path.stem))
    return found


def rows(path: Path) -> list[dict[str, str]]:
    """Read a table."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def scenes(folder: Path) -> list[SharpPicture]:
    """Return rendered scenes of a folder of `render_scenes`, with the blur they were drawn with."""
    found = []
    for path in sorted(folder.glob("scenes-*.npz")):
        with np.load(path, allow_pickle=False) as part:
            recipes = json.loads(part["recipes"].tobytes())
            images = part["images"]
        for number, (recipe, image) in enumerate(zip(recipes, images, strict=True)):
            how = recipe["exposure"]
            if recipe["arrangement"] == "nothing" or how["dose"] < LEAST_DOSE:
                continue
            blur = float(np.sqrt(how["blur_px"] ** 2 + how["resampled_px"] ** 2 + 0.3**2))
            found.append(
                SharpPicture(f"{path.stem}-{number}", image, f"{path.stem}-{number}", 1.0, blur)
            )
    return found
