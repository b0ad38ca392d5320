"""The course of a training: a CSV, and curves for TensorBoard where it is installed."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_sem_tools.files import write_text

__all__ = ["Curves", "read_log", "write_log"]

LOG = "log.csv"
_FIRST = ("epoch", "step", "loss", "learning_rate", "seconds")


def write_log(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write a row an epoch.

    Parameters
    ----------
    path : Path
    rows : sequence of dict
        epoch, step, loss, learning_rate, seconds, and scores.
    """
    columns = dict.fromkeys((*_FIRST, *(name for row in rows for name in row)))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in rows)
    write_text(path, text.getvalue())


def read_log(folder: str | Path) -> list[dict[str, float]]:
    """Read the course of a training, also of one that runs.

    Parameters
    ----------
    folder : path-like
        Of the run.

    Returns
    -------
    list of dict
        A row an epoch; empty before the first is done.
    """
    path = Path(folder) / LOG
    if not path.exists():
        return []
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return [{name: float(value) for name, value in row.items() if value} for row in rows]


class Curves:
    """Curves for TensorBoard; does nothing where that is not installed.

    Parameters
    ----------
    folder : Path
        For the event files, which TensorBoard writes itself.
    first_epoch : int
        Points of this epoch and later ones, from before a crash, are dropped.
    """

    def __init__(self, folder: Path, first_epoch: int) -> None:
        self._writer: Any = None
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=first_epoch)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, first_epoch: int) -> Iterator[Curves]:
        """Open the curves, and close them whatever happens."""
        curves = cls(folder, first_epoch)
        try:
            yield curves
        finally:
            if curves._writer is not None:
                curves._writer.close()

    def add(self, epoch: int, row: Mapping[str, float]) -> None:
        """Add the points of an epoch.

        Parameters
        ----------
        epoch : int
        row : dict
            As for `write_log`.
        """
        if self._writer is not None:
            for name, value in row.items():
                if name not in ("epoch", "step"):
                    self._writer.add_scalar(name, value, epoch)
            self._writer.flush()
