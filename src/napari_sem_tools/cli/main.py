"""``sem-tools``: choose the command, run it, and turn errors into sentences."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from napari_sem_tools._version import __version__
from napari_sem_tools.cli.console import Console, say_error
from napari_sem_tools.errors import (
    Cancelled,
    InvalidSettings,
    ModelNotFound,
    OutputExists,
    SemError,
)

__all__ = ["COMMANDS", "build_parser", "main"]

COMMANDS: dict[str, str] = {  # name: what it does; cli/<name>.py does it
    "analyze": "images in; figures, tables and a report out",
    "info": "pixel size, label strip and metadata of images",
    "segment": "find the particles and write label images",
    "measure": "measure labelled particles and write a table",
    "evaluate": "score found particles against the truth",
    "classify": "teach categories from a few examples, and say which one images are of",
    "focus": "score the focus of images, find the best position of a series, watch a folder",
    "simulate": "make images of particles with exact masks",
    "train": "train networks on a folder of images and masks",
    "catalogue": "index folders of images; find them by what they are and by what they look like",
    "dataset": "fetch published sets of images",
    "gui": "open napari with the given images",
    "models": "list, show, import, export, verify and remove models",
    "doctor": "what is installed and what works",
}

DONE, FAILED, WRONG_USAGE, CANCELLED = 0, 1, 2, 130
_WRONG_USAGE = (InvalidSettings, OutputExists, ModelNotFound)
_DEBUG = "SEM_TOOLS_TRACEBACK"  # set it to see where an error comes from


class Parser(argparse.ArgumentParser):
    """A parser that says ``error:`` and ``hint:`` like everything else here."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line and leave with status 2."""
        say_error(message[:1].upper() + message[1:] + ".", f"Try: {self.prog} --help")
        raise SystemExit(WRONG_USAGE)


def build_parser(arguments: Sequence[str] = ()) -> Parser:
    """Make the parser; only the chosen command's own options are loaded.

    Parameters
    ----------
    arguments : sequence of str
        The command line; the first word that names a command chooses it.

    Returns
    -------
    Parser
    """
    parser = Parser(
        prog="sem-tools",
        description="Particle analysis of electron micrographs.",
        epilog="sem-tools COMMAND --help tells the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"napari-sem-tools {__version__}")
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name, text in COMMANDS.items():
        own = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        if name == chosen:
            module = importlib.import_module(f"napari_sem_tools.cli.{name}")
            module.add_arguments(own, arguments)
            own.set_defaults(run=module.run)
            _add_common(own)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sem-tools`` and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 all done; 1 some input failed; 2 wrong usage or settings; 130 cancelled.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        args = build_parser(words).parse_args(words)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else WRONG_USAGE
    except SemError as error:  # an option of a method that is not there
        say_error(error.message, error.hint)
        return WRONG_USAGE
    with Console(quiet=args.quiet) as console:
        return _run(args, console)


def _run(args: argparse.Namespace, console: Console) -> int:
    """Run a command; every error becomes a sentence and an exit status."""
    try:
        status = int(args.run(args, console))
        sys.stdout.flush()
    except (Cancelled, KeyboardInterrupt):
        say_error("Cancelled.", "")
        return CANCELLED
    except BrokenPipeError:  # the reader of stdout, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except SemError as error:
        say_error(error.message, error.hint)
        return WRONG_USAGE if isinstance(error, _WRONG_USAGE) else FAILED
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        say_error(
            f"Something went wrong that should not: {type(error).__name__}: {error}.",
            f"Please report it, with what {_DEBUG}=1 shows in addition.",
        )
        return FAILED
    return status


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Add what every command has."""
    parser.add_argument("--quiet", action="store_true", help="say nothing but results and errors")


if __name__ == "__main__":
    raise SystemExit(main())
