"""Put the learned embedding into the package: ``python tools/package_embedding.py FOLDER VERSION``.

FOLDER is that of `train_embedding.py`.  Convolutions and layers are kept in half precision.  Fit
the linear map anew afterwards (`fit_embedding.py`).  ``--scores`` is a JSON list of scores as on a
card.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

from napari_sem_tools import __version__
from napari_sem_tools.files import write_file, write_text
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel, Score, TrainingData
from napari_sem_tools.models.networks.embedding_fcn import EmbeddingFCN
from napari_sem_tools.models.weights import describe

PACKAGED = Path(__file__).resolve().parents[1] / "src" / "napari_sem_tools" / "weights"
NAME, SHOWN = "embedding", 4
SIMULATED = TrainingData(
    "simulated scenes of napari-sem-tools, seeds 2611 and 2612", "BSD-3-Clause"
)
CLEAN = (
    ("simulated specimens of napari-sem-tools, seed 4711", "BSD-3-Clause", ""),
    ("axons (AxonDeepSeg)", "MIT", "10.5281/zenodo.5498378"),
    ("NFFA-EUROPE SEM, ten pictures and 26 thumbnails", "CC-BY-4.0", "10.1038/sdata.2018.172"),
    ("fibres, cellulose, nanowires, soot, porous layer: see data/more/raw-sem", "MIT", ""),
    ("Ti-6Al-4V (NIST)", "LicenseRef-NIST", ""),
    ("graphene", "BSD-3-Clause-LBNL", "10.1017/S1431927621000167"),
    ("additively made steel (msa-em)", "CC-BY-4.0", "10.69761/dfdw6472"),
    ("nanoparticles in bright-field TEM (msa-em)", "CC-BY-4.0", "10.69761/HDTA8338"),
    ("AMPIS spheroidite (the linear map alone)", "MIT", "10.1007/s11837-021-04713-y"),
    ("STEM catalysts (the linear map alone)", "MIT", "10.1016/j.ultramic.2025.114116"),
)


def card_of(raw: bytes, version: str, widths: list[int], scores: list[Score]) -> ModelCard:
    """Write down what the model is, wants, gives and was trained on."""
    return ModelCard(
        name=NAME,
        version=version,
        task="embedding",
        architecture="embedding-fcn",
        arguments={"widths": widths, "outputs": 128, "hidden": 384, "shown": SHOWN},
        weights=describe(raw),
        licence="BSD-3-Clause",
        created=datetime.date.today().isoformat(),
        input=InputSpec(
            clip_low_percent=0, clip_high_percent=100, normalisation="none", multiple_of=32
        ),
        outputs=(
            OutputChannel(
                "features", "mean and spread of each feature of four levels, then a vector"
            ),
        ),
        training_data=(SIMULATED, *(TrainingData(*row) for row in CLEAN)),
        scores=tuple(scores),
        description="Features that tell specimens apart: the learned embedding of `embed`, `teach` "
        "and the catalogue, which joins them with the numbers of the texture by a linear map. "
        "Wants ranks of grey values from 0 to 1. Never saw superalloy, coating, powder, BAM or "
        "EMPS, which test it.",
        code_version=__version__,
    )


def main() -> None:
    """Write card and weights."""
    import torch
    from safetensors.torch import save

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("version")
    parser.add_argument("--scores", type=Path)
    options = parser.parse_args()
    held = torch.load(options.folder / "checkpoint.pt", weights_only=True)["network"]
    network = EmbeddingFCN(shown=SHOWN)
    network.load_state_dict(held)
    raw = save({name: t.half() if t.ndim > 1 else t for name, t in held.items()})
    scores = json.loads(options.scores.read_text()) if options.scores else []
    card = card_of(raw, options.version, list(network.widths), [Score(**row) for row in scores])
    folder = PACKAGED / NAME / options.version
    write_file(folder / "weights.safetensors", raw)
    write_text(folder / "card.json", card.to_json())
    print(f"{folder}: {len(raw)} bytes")


if __name__ == "__main__":
    main()
