"""``sem-tools train``: train networks on a folder, check the folder, make it larger."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from napari_sem_tools.cli import options
from napari_sem_tools.cli.console import Console
from napari_sem_tools.cli.main import CANCELLED, DONE, FAILED

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the subcommands and their options."""
    kind: Any = type(parser)
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=kind
    )
    for name, (text, _, add) in _ACTIONS.items():
        own = actions.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        add(own)
        own.add_argument(
            "--quiet",
            action="store_true",
            default=argparse.SUPPRESS,
            help="say nothing but results and errors",
        )


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the chosen subcommand."""
    return _ACTIONS[args.action][1](args, console)


def _add_segmentation(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training of particles or classes."""
    from napari_sem_tools.training.settings import TrainingSettings
    from napari_sem_tools.training.trainings import TRAININGS

    _add_folder(parser)
    _add_training(parser, TrainingSettings, TRAININGS, "particles")


def _add_focus(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training of a focus score."""
    from napari_sem_tools.training.focus.settings import FocusTraining
    from napari_sem_tools.training.focus.trainings import FOCUS_TRAININGS

    parser.add_argument(
        "folder", metavar="FOLDER", help="images, and a CSV with the columns file and score"
    )
    _add_training(parser, FocusTraining, FOCUS_TRAININGS, "focus")


def _add_classification(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training of categories."""
    from napari_sem_tools.training.classification.settings import ClassificationTraining
    from napari_sem_tools.training.classification.trainings import CLASSIFICATION_TRAININGS

    parser.add_argument(
        "folder",
        metavar="SET",
        help="a folder of images for every category, or a CSV with the columns path and category",
    )
    _add_training(parser, ClassificationTraining, CLASSIFICATION_TRAININGS, "categories")


def _add_training(
    parser: argparse.ArgumentParser, settings: Any, recipes: Mapping[str, Any], default: str
) -> None:
    """Add what all trainings have."""
    from napari_sem_tools.training.running.run import LICENCE

    parser.add_argument("-n", "--name", metavar="NAME", help="of the model; else the folder's")
    parser.add_argument("-o", "--out", metavar="RUN", help="else FOLDER/training/NAME")
    parser.add_argument(
        "--recipe",
        choices=list(recipes),
        default=default,
        help="settings by name, which the options change; "
        + "; ".join(f"{name}: {row.help}" for name, row in recipes.items()).replace("%", "%%"),
    )
    parser.add_argument("--licence", default=LICENCE, metavar="SPDX", help="of images and weights")
    parser.add_argument("--overwrite", action="store_true", help="begin a stopped run anew")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--json", action="store_true", help="write the card as JSON")
    title = f"settings of the training, with the defaults of the recipe '{default}'"
    options.add_settings(parser, settings, title)


def _segmentation(args: argparse.Namespace, console: Console) -> int:
    """Train a network for particles or classes, or go on with one that was stopped."""
    from napari_sem_tools.training.segmentation import train_segmentation

    return _train(args, console, "segmentation", train_segmentation)


def _focus(args: argparse.Namespace, console: Console) -> int:
    """Train a focus score, or go on with a training that was stopped."""
    from napari_sem_tools.training.focus.train import train_focus

    return _train(args, console, "focus", train_focus)


def _classification(args: argparse.Namespace, console: Console) -> int:
    """Train a network for categories, or go on with one that was stopped."""
    from napari_sem_tools.training.classification.train import train_classifier

    return _train(args, console, "classification", train_classifier)


def _train(args: argparse.Namespace, console: Console, kind: str, train: Callable[..., Any]) -> int:
    """Train as the options say, and write the scores of the images that were kept back."""
    from napari_sem_tools.training.running.kinds import KINDS

    row = KINDS[kind]
    prefix = f"{row.load('settings').__name__}."
    changes = {k.removeprefix(prefix): v for k, v in vars(args).items() if k.startswith(prefix)}
    settings = row.load("recipe")(args.recipe).settings.replace(**changes)
    if args.dry_run:
        return _say_plan(args, settings, console, row.load("resolve"))
    card = train(
        args.folder,
        args.name,
        settings=settings,
        out=args.out,
        licence=args.licence,
        overwrite=args.overwrite,
        progress=console.progress,
        cancel=console.cancel,
    )
    if args.json:
        console.result_json(card.to_dict())
    else:
        console.result(card.key)
        for score in card.scores:
            limits = "" if score.low is None else f" [{score.low:g}, {score.high:g}]"
            console.result(f"{score.metric:<18} {score.value:g}{limits}  ({score.split})")
    if console.cancel():
        console.note(f"Stopped; the best epoch so far was kept as {card.key}.")
        return CANCELLED
    return DONE


def _say_plan(
    args: argparse.Namespace, settings: Any, console: Console, resolve: Callable[..., Any]
) -> int:
    """Say what would be done."""
    from napari_sem_tools.models import models

    plan = resolve(
        args.folder, settings, models.on_disk, progress=console.progress, cancel=console.cancel
    )
    if args.json:
        console.result_json({"plan": str(plan).splitlines(), "settings": plan.settings.to_dict()})
    else:
        console.result(str(plan))
    return DONE


def _add_check(parser: argparse.ArgumentParser) -> None:
    """Add the options of a check."""
    _add_folder(parser)
    _add_reading(parser)
    parser.add_argument("--allow-empty", action="store_true", help="masks may be empty")
    parser.add_argument("--json", action="store_true", help="write JSON")


def _check(args: argparse.Namespace, console: Console) -> int:
    """Name every file that cannot be trained on; 1 when there is one."""
    from napari_sem_tools.training.data.folder import check_folder

    found = check_folder(
        args.folder,
        targets=args.targets,
        group_by=args.group_by,
        allow_empty=args.allow_empty,
        progress=console.progress,
        cancel=console.cancel,
    )
    if args.json:
        console.result_json(
            {
                "images": len(found.samples),
                "groups": len(found.groups),
                "classes": [row.name for row in found.classes],
                "faults": [{"file": f.file, "reason": f.reason} for f in found.faults],
                "notes": list(found.notes),
            }
        )
        return FAILED if found.faults else DONE
    for fault in found.faults:
        console.result(str(fault))
    for note in found.notes:
        console.note(f"note: {note}")
    classes = f", {len(found.classes)} classes" if found.classes else ""
    good = f"{len(found.samples)} good images of {len(found.groups)} groups{classes}"
    console.result(f"{good}, {len(found.faults)} faults")
    return FAILED if found.faults else DONE


def _add_enlarge(parser: argparse.ArgumentParser) -> None:
    """Add the options of an enlargement."""
    from napari_sem_tools.training.augmentation.recipes import RECIPES

    _add_folder(parser)
    parser.add_argument("-o", "--out", required=True, metavar="FOLDER", help="to write")
    parser.add_argument("--count", type=int, required=True, metavar="N", help="images to make")
    text = "; ".join(f"{name}: {row.help}" for name, row in RECIPES.items())
    parser.add_argument("--augmentation", choices=list(RECIPES), default="RDZ", help=text)
    parser.add_argument(
        "--compat", choices=["augmentor"], default="", help="rates and cuts as that library's"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the changes")
    _add_reading(parser)


def _enlarge(args: argparse.Namespace, console: Console) -> int:
    """Write changed versions of a training set."""
    from napari_sem_tools.errors import InvalidSettings
    from napari_sem_tools.training.augmentation.enlarge import enlarge

    if args.count < 1 or args.seed < 0:
        raise InvalidSettings("--count is at least 1 and --seed at least 0.")
    out = enlarge(
        args.folder,
        args.out,
        args.count,
        augmentation=args.augmentation,
        seed=args.seed,
        compat=args.compat,
        targets=args.targets,
        group_by=args.group_by,
        progress=console.progress,
        cancel=console.cancel,
    )
    console.result(str(out))
    return DONE


def _add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the training set."""
    parser.add_argument("folder", metavar="FOLDER", help="images/, masks/ and what else it has")


def _add_reading(parser: argparse.ArgumentParser) -> None:
    """Add how masks and groups are read."""
    parser.add_argument(
        "--targets",
        choices=["instances", "classes"],
        default="instances",
        help="masks number particles, or say the class of a pixel",
    )
    parser.add_argument(
        "--group-by",
        default="",
        metavar="RULE",
        help="column of images.csv, or a pattern, that says which images belong together",
    )


_Run = Callable[[argparse.Namespace, Console], int]
_Add = Callable[[argparse.ArgumentParser], None]
_ACTIONS: dict[str, tuple[str, _Run, _Add]] = {
    "segmentation": (
        "train a network that finds particles or classes",
        _segmentation,
        _add_segmentation,
    ),
    "focus": ("train a network that scores focus", _focus, _add_focus),
    "classification": (
        "train a network that names images",
        _classification,
        _add_classification,
    ),
    "check": ("look at every file of a training set", _check, _add_check),
    "enlarge": ("write a larger training set of changed images", _enlarge, _add_enlarge),
}
