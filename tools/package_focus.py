"""Put the trained focus network into the package: ``python tools/package_focus.py RUN VERSION``.

RUN is a folder of `train_focus.py` that learned from all pictures; ``--calibration`` and
``--scores`` are JSON files of ``benchmarks/focus_network.py``.  Convolutions are kept in half
precision.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

from napari_sem_tools import __version__
from napari_sem_tools.files import write_file, write_text
from napari_sem_tools.models.card import InputSpec, ModelCard, Score, TrainingData
from napari_sem_tools.models.weights import describe
from napari_sem_tools.training.focus.plan import focus_outputs

PACKAGED = Path(__file__).resolve().parents[1] / "src" / "napari_sem_tools" / "weights"
NAME = "focus"
SOURCES = (
    ("simulated scenes of napari-sem-tools, seed 2611", "BSD-3-Clause", ""),
    ("NASA superalloy and coating micrographs", "MIT", "10.1038/s41524-022-00878-5"),
    ("AMPIS metal powder and spheroidite", "MIT", "10.1007/s11837-021-04713-y"),
    ("nanoparticles in bright-field TEM (msa-em)", "CC-BY-4.0", "10.69761/HDTA8338"),
    ("STEM catalysts", "MIT", "10.1016/j.ultramic.2025.114116"),
    ("axons (AxonDeepSeg)", "MIT", "10.5281/zenodo.5498378"),
    ("NFFA-EUROPE SEM, ten pictures", "CC-BY-4.0", "10.1038/sdata.2018.172"),
    ("additively made steel (msa-em)", "CC-BY-4.0", "10.69761/dfdw6472"),
    ("graphene", "BSD-3-Clause-LBNL", "10.1017/S1431927621000167"),
    ("fibres, cellulose, nanowires, soot, porous layer: see data/more/raw-sem", "MIT", ""),
    ("Ti-6Al-4V (NIST)", "LicenseRef-NIST", ""),
)


def card_of(raw: bytes, version: str, arguments: dict[str, Any], scores: list[Any]) -> ModelCard:
    """Write down what the model is, wants, gives and was trained on."""
    return ModelCard(
        name=NAME,
        version=version,
        task="focus",
        architecture="focus-fcn",
        arguments=arguments,
        weights=describe(raw),
        licence="BSD-3-Clause",
        created=datetime.date.today().isoformat(),
        input=InputSpec(
            channels=3,
            clip_low_percent=0,
            clip_high_percent=100,
            normalisation="standard",
            multiple_of=16,
        ),
        outputs=focus_outputs(),
        training_data=tuple(TrainingData(*row) for row in SOURCES),
        scores=tuple(Score(**row) for row in scores),
        description="Scores focus from 0 to 10 (a point for 0.4 px of added blur), with blur, "
        "astigmatism, noise and the variance of each, for an image and for its cells of 16 px. "
        "Trained on pictures that were blurred and exposed anew each time.",
        code_version=__version__,
    )


def main() -> None:
    """Write card and weights."""
    from safetensors.torch import load_file, save

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("version")
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--scores", type=Path)
    options = parser.parse_args()
    weights = load_file(options.run / "weights.safetensors")
    raw = save({name: t.half() if t.ndim == 4 else t for name, t in weights.items()})
    arguments = json.loads(options.calibration.read_text()) if options.calibration else {}
    scores = json.loads(options.scores.read_text()) if options.scores else []
    folder = PACKAGED / NAME / options.version
    write_file(folder / "weights.safetensors", raw)
    write_text(folder / "card.json", card_of(raw, options.version, arguments, scores).to_json())
    print(f"{folder}: {len(raw)} bytes")


if __name__ == "__main__":
    main()
