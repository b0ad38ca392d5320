"""Put trained weights into the package: ``python tools/package_model.py RUN VERSION [SCORES ...]``.

RUN is a folder of `tools/train_particles.py`; SCORES the JSON of `benchmarks/network_scores.py`,
without which the card has none.  Convolutions are kept in half precision, statistics of the
batch normalisation in full.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

from napari_sem_tools import __version__
from napari_sem_tools.files import write_file, write_text
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel, Score, TrainingData
from napari_sem_tools.models.weights import describe
from train_particles import WIDTHS

PACKAGED = Path(__file__).resolve().parents[1] / "src" / "napari_sem_tools" / "weights"
NAME = "particles"  # the method taken when nobody names one
OUTPUTS = (
    OutputChannel("foreground", "the pixel belongs to a particle", "sigmoid"),
    OutputChannel("border", "the pixel lies on an outline, on either side of it", "sigmoid"),
    OutputChannel("distance", "depth in the particle over its largest depth", "sigmoid"),
)
METRICS = {"mean_ap50": "AP@0.5", "mean_pq": "PQ"}


def card_of(raw: bytes, version: str, scores: dict[str, dict[str, list[float]]]) -> ModelCard:
    """Write down what the model is, wants, gives and was trained on."""
    return ModelCard(
        name=NAME,
        version=version,
        task="segmentation",
        architecture="folded-unet",
        arguments={"widths": list(WIDTHS)},
        weights=describe(raw),
        licence="BSD-3-Clause",
        created=datetime.date.today().isoformat(),
        input=InputSpec(
            clip_low_percent=1,
            clip_high_percent=99,
            object_size_px=33,
            tile_px=1024,
            halo_px=128,
            multiple_of=2 ** len(WIDTHS),
        ),
        outputs=OUTPUTS,
        training_data=(
            TrainingData(
                "simulated scenes of napari-sem-tools, seeds 2611 to 2615", "BSD-3-Clause"
            ),
        ),
        scores=tuple(
            Score(METRICS[metric], value, data_set, "all images, none seen in training", low, high)
            for data_set, rows in scores.items()
            for metric, figures in rows.items()
            if metric in METRICS
            for value, low, high in [[round(figure, 3) for figure in figures]]
        ),
        description="Separates particles of any kind in SEM and TEM images: foreground, border and "
        "distance, looked at in several sizes. Trained on simulated scenes alone.",
        code_version=__version__,
    )


def main() -> None:
    """Write card and weights."""
    from safetensors.torch import load_file, save

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("version")
    parser.add_argument("scores", type=Path, nargs="*")
    options = parser.parse_args()
    weights = load_file(options.run / "weights.safetensors")
    halved = {name: t.half() if t.ndim == 4 else t for name, t in weights.items()}
    raw = save(halved)
    scores: dict[str, dict[str, list[float]]] = {}
    for path in options.scores:
        scores |= json.loads(path.read_text())
    folder = PACKAGED / NAME / options.version
    write_file(folder / "weights.safetensors", raw)
    write_text(folder / "card.json", card_of(raw, options.version, scores).to_json())
    print(f"{folder}: {len(raw)} bytes")


if __name__ == "__main__":
    main()
