"""What "copy as Python" gives: the exact call that a widget makes; no Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.settings import Settings

__all__ = [
    "calibrate_recipe",
    "catalogue_recipe",
    "classify_recipe",
    "focus_folder_recipe",
    "focus_recipe",
    "focus_series_recipe",
    "focus_watch_recipe",
    "image_source",
    "measure_recipe",
    "model_recipe",
    "segment_recipe",
    "settings_source",
    "train_recipe",
]

_IMPORT = "import napari_sem_tools as sem\n"


def settings_source(settings: Settings) -> str:
    """Return Python that makes a settings record, naming what differs from the defaults.

    Examples
    --------
    >>> from napari_sem_tools.segmentation import ThresholdSettings
    >>> settings_source(ThresholdSettings())
    'sem.ThresholdSettings()'
    """
    default = {field.name: field.default for field in settings.fields()}
    changed = [
        f"{name}={value!r}" for name, value in settings.to_dict().items() if value != default[name]
    ]
    return f"sem.{type(settings).__name__}({', '.join(changed)})"


def image_source(layer: Any) -> str:
    """Return Python that gets the image: from its file, else from the layer by name."""
    path = getattr(layer.source, "path", None)
    if path and "sem" in layer.metadata and layer.metadata["sem"].calibration.origin != "typed":
        return f"sem.read({str(Path(path))!r})"
    return f"sem.from_layer(viewer.layers[{layer.name!r}])"


def segment_recipe(
    image: Any, method: str, settings: Settings, *, regions: tuple[str, ...] = ()
) -> str:
    """Return Python that segments as the widget would.

    Parameters
    ----------
    image : napari layer
    method : str
    settings : Settings
    regions : tuple of str, optional
        Names of the layers with drawn regions; they are named in a comment.
    """
    lines = [_IMPORT, f"image = {image_source(image)}\n"]
    lines += [f"# drawn regions: {', '.join(regions)} (pass them as roi=)\n"] if regions else []
    lines.append(f"found = sem.segment(image, {method!r}, settings={settings_source(settings)})\n")
    return "".join(lines)


def measure_recipe(labels: Any, image: Any, settings: Settings) -> str:
    """Return Python that measures as the widget would."""
    return (
        f"{_IMPORT}image = {image_source(image)}\n"
        f"labels = viewer.layers[{labels.name!r}].data\n"
        f"table = sem.measure(labels, image, settings={settings_source(settings)})\n"
    )


def calibrate_recipe(image: Any, record: Micrograph | None) -> str:
    """Return Python that gives an image the calibration it has now."""
    calibration = record.calibration if record is not None else Calibration()
    lines = [_IMPORT, f"image = {image_source(image)}\n"]
    if calibration.pixel_size is not None and calibration.origin in ("typed", "scale bar"):
        path = getattr(image.source, "path", None)
        if path:
            lines[1] = f"image = sem.read({str(Path(path))!r})\n"
        lines.append(f"image = sem.calibrate(image, pixel_size={calibration.pixel_size!r})\n")
    return "".join(lines)


def table_recipe(labels: Any) -> str:
    """Return Python that gets and summarises the table of a labels layer."""
    return (
        f"{_IMPORT}from napari_sem_tools.layers import table_of\n"
        f"table = table_of(viewer.layers[{labels.name!r}])\n"
        "print(sem.summarize(table))\n"
    )


def model_recipe(key: str) -> str:
    """Return Python that shows the card of a model and borrows it."""
    return (
        f"{_IMPORT}card = sem.models[{key!r}]\nwith sem.models.lease({key!r}) as model:\n    ...\n"
    )


def train_recipe(folder: Path, name: str, settings: Settings, *, anew: bool = False) -> str:
    """Return Python that trains as the widget would.

    Parameters
    ----------
    folder : Path
        Of the training set.
    name : str
        Of the model.
    settings : TrainingSettings or ClassificationTraining
    anew : bool
        Whether an earlier run of the name is replaced.
    """
    more = ", overwrite=True" if anew else ""
    return (
        f"{_IMPORT}card = sem.{_trainer(settings)}(\n"
        f"    {str(folder)!r}, {name!r}, settings={settings_source(settings)}{more}\n)\n"
    )


def _trainer(settings: Settings) -> str:
    """Return the function that takes these settings."""
    kinds = {"ClassificationTraining": "train_classifier", "FocusTraining": "train_focus"}
    return kinds.get(type(settings).__name__, "train_segmentation")


def focus_recipe(image: Any, page: int | None, measures: Sequence[str]) -> str:
    """Return Python that scores the focus of the image, or of a slice of it."""
    plane = "" if page is None else f".plane({page})"
    lines = [_IMPORT, f"image = {image_source(image)}{plane}\n"]
    lines.append("score = sem.focus(image)\nprint(score.score, score.interval, score.reasons)\n")
    if measures:
        lines.append("from napari_sem_tools.focus import focus_measures\n")
        lines.append(f"print(focus_measures(image, {list(measures)!r}))\n")
    return "".join(lines)


def classify_recipe(images: str, judge: str) -> str:
    """Return Python that classifies images.

    Parameters
    ----------
    images, judge : str
        As Python: what is looked at, and what judges.

    Examples
    --------
    >>> print(classify_recipe("'new'", "'mine'").splitlines()[-2])
    table = sem.classify('new', 'mine')
    """
    return (
        f"{_IMPORT}table = sem.classify({images}, {judge})\n"
        'print(table[["image", "category", "confidence", "answer"]])\n'
    )


def catalogue_recipe(path: Path, call: str) -> str:
    """Return Python that opens a catalogue and asks it something.

    Parameters
    ----------
    path : Path
        Of the catalogue.
    call : str
        What is asked of ``catalogue``.
    """
    return (
        f"{_IMPORT}with sem.Catalogue({str(path)!r}) as catalogue:\n    found = {call}\n"
        "print(found)\n"
    )


def focus_folder_recipe(inputs: Sequence[Path]) -> str:
    """Return Python that scores files or a folder as a table."""
    what = str(inputs[0]) if len(inputs) == 1 else [str(path) for path in inputs]
    return (
        "from napari_sem_tools.focus import score_files, scores_table\n"
        f"table = scores_table(score_files({what!r}))\n"
        'print(table.sort_values("score"))\n'
    )


def focus_watch_recipe(folder: Path | None) -> str:
    """Return Python that watches a folder until it is stopped."""
    return (
        "import time\nfrom napari_sem_tools.focus import FocusWatch\n"
        f"watch = FocusWatch({str(folder)!r})\n"
        "while True:\n"
        "    for image in watch.poll():\n"
        "        print(image.path.name, image.score.score, image.score.reasons)\n"
        "    time.sleep(1)\n"
    )


def focus_series_recipe(
    source: str, positions: tuple[float, float] | None, unit: str, measures: Sequence[str]
) -> str:
    """Return Python that finds the best position of a series.

    Parameters
    ----------
    source : str
        Python that gets the images.
    positions : (float, float) or None
        First position and step; None: what the files say.
    unit : str
    measures : sequence of str
    """
    lines = [_IMPORT, f"images = {source}\n"]
    more = ""
    if positions is not None:
        first, step = positions
        lines.append(f"positions = [{first!r} + {step!r} * n for n in range(len(images))]\n")
        more = f", positions, unit={unit!r}"
    lines.append(f"series = sem.focus_series(images{more}, measures={list(measures)!r})\n")
    lines.append("print(series.best, series.interval, series.suggested_move.reason)\n")
    return "".join(lines)
