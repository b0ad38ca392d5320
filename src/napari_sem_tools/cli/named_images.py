"""What ``sem-tools evaluate`` says of predictions of categories."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from napari_sem_tools.cli.console import Console

__all__ = ["say_named_images"]

_MOST = 10


def say_named_images(paths: Sequence[str], json: bool, console: Console) -> int:
    """Pool predictions and write how good they are.

    Parameters
    ----------
    paths : sequence of str
        Tables of predictions: of one run, or of all folds.
    json : bool
    console : Console

    Returns
    -------
    int
        0.
    """
    from napari_sem_tools.evaluation import read_predictions

    found = read_predictions(paths)
    scores, doubtful = found.scores, found.review()
    share, confidence = scores.covered(0.99)
    values: dict[str, Any] = {name: str(value) for name, value in scores.summary().items()}
    values |= {f"top_{k}": f"{scores.top_k(k):.3f}" for k in (2, 3) if k < len(scores.names)}
    values |= {
        "ece": f"{scores.ece():.4f}",
        "ece_equal_mass": f"{scores.ece(equal_mass=True):.4f}",
        "covered": f"{share:.3f} from confidence {confidence:.3f}",
        "images": len(found.paths),
    }
    if json:
        console.result_json(
            {
                "scores": values,
                "per_category": scores.per_class().reset_index().to_dict("records"),
                "confusion": scores.confusion,
                "names": scores.names,
                "confused": scores.confused(),
                "review": [dataclasses.asdict(one) for one in doubtful],
            }
        )
        return 0
    for name, value in values.items():
        console.result(f"{name:<18} {value}")
    console.result("")
    console.result(scores.per_class().round(3).to_string())
    console.result("")
    for true, named, count in scores.confused():
        console.result(f"{true} named {named}: {count}")
    for one in doubtful[:_MOST]:
        console.result(
            f"look at {one.path}: {one.category} ({one.chance:.2f}), rather {one.rather} "
            f"({one.rather_chance:.2f})"
        )
    if len(doubtful) > _MOST:
        console.note(f"{len(doubtful)} labels are doubtful in all; --json lists them.")
    return 0
