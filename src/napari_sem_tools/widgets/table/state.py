"""The particles of one or several labels layers as one table, and what is decided about them.

No Qt here.  A decision by hand (count, leave out, class) is a step that can be taken back;
it wins over the rules for doubtful particles and is kept with the layer.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.layers import table_of
from napari_sem_tools.measurement import MeasureSettings, judge, pool
from napari_sem_tools.measurement.doubt import BY_HAND, COUNTED, LEFT_OUT
from napari_sem_tools.widgets.table.filters import flag

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BY_HAND", "CLASS", "Step", "TableState", "scales_differ", "with_decisions"]

CLASS = "particle_class"
_DECIDED = ("included", "doubtful", "doubt_reason", "doubt_score", BY_HAND, CLASS)
_INCLUDED: dict[str, bool | None] = {COUNTED: True, LEFT_OUT: False, "": None}
_SAME_SCALE = 1e-3  # relative difference of pixel sizes that still counts as one magnification


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One decision by hand.

    Attributes
    ----------
    column : str
        `BY_HAND` or `CLASS`.
    keys : int64 array (k,)
        The particles, as `TableState.keys` has them.
    before, after : object arrays (k,)
    text : str
        What was done, for people.
    time : str
        ISO 8601, UTC.
    """

    column: str
    keys: NDArray[np.int64]
    before: NDArray[Any]
    after: NDArray[Any]
    text: str
    time: str


class TableState:
    """The table of the particles of some labels layers.

    Parameters
    ----------
    layers : sequence of napari Labels layers
        Those without a table are passed over.
    mixed : bool
        True: the user agreed to pool images of different pixel size.

    Attributes
    ----------
    layers : tuple of layers
    table : DataFrame
        Index ``label``, which is unique within a layer only.
    source : intp array (n,)
        Number of the layer of each row.
    keys : int64 array (n,)
        One number a particle, of layer, slice and label; it stays when rows come and go.

    Raises
    ------
    InvalidSettings
        The pixel sizes differ and nobody agreed, or some images have none.
    """

    def __init__(self, layers: Sequence[Any], *, mixed: bool = False) -> None:
        found = [(layer, table_of(layer)) for layer in layers]
        pairs = [(layer, table) for layer, table in found if table is not None]
        self.layers = tuple(layer for layer, _ in pairs)
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._earlier = [list(table.attrs.get("decisions", [])) for _, table in pairs]
        self._take([table for _, table in pairs], mixed=mixed)

    def _take(self, tables: list[pd.DataFrame], *, mixed: bool) -> None:
        """Put the tables under each other."""
        import pandas as pd

        if not tables:
            self.table = pd.DataFrame(index=pd.Index([], name="label", dtype=int))
        elif len(tables) == 1:
            self.table = tables[0]
        else:
            question = scales_differ(tables)
            if question and not mixed:
                raise InvalidSettings(question, hint="Pool them all the same?")
            names = [layer.name for layer in self.layers]
            self.table = pool(_named_apart(tables, names))
        self.source = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        slices = np.zeros(len(self.table), np.int64)
        if "slice" in self.table:
            slices = self.table["slice"].to_numpy(np.int64)
        labels = self.table.index.to_numpy(np.int64)
        self.keys = (self.source.astype(np.int64) << 52) | (slices << 32) | labels
        self._apply_by_hand()

    def reload(self, *, mixed: bool = False) -> None:
        """Take the tables of the same layers again; what was decided by hand stays.

        Parameters
        ----------
        mixed : bool
            As for the class.
        """
        old_keys, known = (
            self.keys,
            {n: self.column(n) for n in (BY_HAND, CLASS) if n in self.table},
        )
        tables = [table_of(layer) for layer in self.layers]
        kept = [one for one, table in zip(self.layers, tables, strict=True) if table is not None]
        if len(kept) < len(self.layers):
            self.layers, self._done, self._undone = tuple(kept), [], []
            self._earlier = [[] for _ in kept]
            known = {}
        self._take([table for table in tables if table is not None], mixed=mixed)
        for name, words in known.items():
            self._fill(name, old_keys, words)
        if known:
            self._rejudge(np.arange(len(self.table)))

    # --- what is asked ---------------------------------------------------------------------

    @property
    def settings(self) -> MeasureSettings:
        """The settings of measuring, with the thresholds for doubt as they stand."""
        stated = self.table.attrs.get("settings") or {}
        known = {field.name for field in MeasureSettings.fields()}
        return MeasureSettings(**{name: v for name, v in stated.items() if name in known})

    @property
    def can_judge(self) -> bool:
        """Whether the rules for doubt can be worked out: somebody else's table may lack columns."""
        return len(self.table) > 0 and {"edge", "area_px", "included"} <= set(self.table.columns)

    @property
    def can_undo(self) -> bool:
        """Whether there is a decision to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a decision to make again."""
        return bool(self._undone)

    def positions_of(self, layer: Any, labels: Any) -> NDArray[np.intp]:
        """Return the rows of some particles of a layer; what has no row is passed over."""
        if layer not in self.layers:
            return np.empty(0, np.intp)
        own = self.source == self.layers.index(layer)
        return np.flatnonzero(own & np.isin(self.table.index.to_numpy(), labels))

    def labels_at(self, positions: NDArray[Any], layer: Any) -> NDArray[Any]:
        """Return the labels of those rows that belong to a layer."""
        number = self.layers.index(layer)
        return self.table.index.to_numpy()[positions][self.source[positions] == number]

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of text, empty where there is none yet."""
        if name in self.table:
            return self.table[name].to_numpy(object)
        return np.full(len(self.table), "", object)

    def classes(self) -> list[str]:
        """List the classes that particles were given."""
        return sorted({str(name) for name in self.column(CLASS)} - {""})

    # --- what is decided -------------------------------------------------------------------

    def judge(self, settings: MeasureSettings) -> None:
        """Apply other thresholds for doubt; neither image nor labels are looked at."""
        if self.can_judge:
            self.table = judge(self.table, settings)
            self._apply_by_hand()

    def count(self, positions: NDArray[Any], wanted: bool | None) -> None:
        """Count particles in the statistics, leave them out, or (None) as the rules say."""
        word = {True: COUNTED, False: LEFT_OUT, None: ""}[wanted]
        text = {True: "counted", False: "left out", None: "left to the rules"}[wanted]
        self._decide(BY_HAND, positions, word, text)

    def classify(self, positions: NDArray[Any], name: str) -> None:
        """Give particles a class; an empty name takes it away."""
        self._decide(CLASS, positions, name, f"class {name}" if name else "no class")

    def undo(self) -> str:
        """Take the last decision back; return what it was."""
        if not self._done:
            return ""
        step = self._done.pop()
        self._undone.append(step)
        self._set(step.column, step.keys, step.before)
        return step.text

    def redo(self) -> str:
        """Make the decision again that was taken back last; return what it is."""
        if not self._undone:
            return ""
        step = self._undone.pop()
        self._done.append(step)
        self._set(step.column, step.keys, step.after)
        return step.text

    def record(self, layer: Any) -> list[dict[str, Any]]:
        """List the decisions about the particles of a layer, in plain values.

        Parameters
        ----------
        layer : napari Labels layer

        Returns
        -------
        list of dict
            As `measurement.decide` notes them, with the time and what was done in words.
        """
        number = self.layers.index(layer)
        rows = list(self._earlier[number])
        for step in self._done:
            own = step.keys[(step.keys >> 52) == number]
            if len(own):
                labels = (own & 0xFFFFFFFF).tolist()
                row: dict[str, Any] = {"labels": labels, "by": "", "why": ""}
                if step.column == BY_HAND:
                    row["included"] = _INCLUDED[str(step.after[0])]
                rows.append({**row, "time": step.time, "done": step.text})
        return rows

    def _decide(self, column: str, positions: NDArray[Any], value: str, text: str) -> None:
        """Do and note a step; one that changes nothing is none."""
        positions = np.asarray(positions, np.intp)
        before = self.column(column)[positions]
        if not len(positions) or (before == value).all():
            return
        after = np.full(len(positions), value, object)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        plural = "" if len(positions) == 1 else "s"
        step = Step(column, self.keys[positions], before, after,
                    f"{text}: {len(positions)} particle{plural}", now)  # fmt: skip
        self._done.append(step)
        self._undone.clear()
        self._set(column, step.keys, after)

    def _set(self, column: str, keys: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Write values of some particles and work out what counts."""
        rows = self._fill(column, keys, values)
        if column == BY_HAND:
            self._rejudge(rows)

    def _fill(self, column: str, keys: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.intp]:
        """Write values of some particles; those that are gone are passed over."""
        filled = self.column(column).copy()
        rows = np.empty(0, np.intp)
        if len(self.keys):
            order = np.argsort(self.keys, kind="stable")
            place = np.searchsorted(self.keys, keys, sorter=order).clip(max=len(order) - 1)
            there = self.keys[order[place]] == keys
            rows = order[place][there]
            filled[rows] = values[there]
        self.table = self.table.assign(**{column: filled})
        return rows

    def _rejudge(self, rows: NDArray[np.intp]) -> None:
        """Work out what counts: by the rules, then by hand."""
        if self.can_judge:
            self.judge(self.settings)
            return
        included = flag(self.table, "included", True).copy()
        included[rows] = self.column(BY_HAND)[rows] != LEFT_OUT
        self.table = self.table.assign(included=included)

    def _apply_by_hand(self) -> None:
        """Let decisions by hand win over the rules."""
        self.table = with_decisions(self.table)

    # --- back to the layers ----------------------------------------------------------------

    def write_back(self) -> None:
        """Write what was decided to the features of the layers, each once."""
        for number, layer in enumerate(self.layers):
            own = self.source == number
            features = layer.features
            labels = self.table.index.to_numpy()[own]
            if "index" not in features or len(features) != len(labels):
                continue  # somebody else's table lies there by now
            if not np.array_equal(features["index"].to_numpy(), labels):
                continue
            decided = [name for name in _DECIDED if name in self.table]
            layer.features = features.assign(
                **{name: self.table[name].to_numpy()[own] for name in decided}
            )
            stated = layer.metadata.setdefault("sem_table", {})
            if "settings" in self.table.attrs:
                stated["settings"] = self.table.attrs["settings"]
            decisions = self.record(layer)
            stated["decisions"] = decisions
            layer.metadata["sem_choices"] = decisions


def with_decisions(table: pd.DataFrame) -> pd.DataFrame:
    """Let decisions by hand win over the rules for doubt.

    Parameters
    ----------
    table : DataFrame
        With or without the column ``by_hand``.

    Returns
    -------
    DataFrame
        With ``included`` as decided.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"included": [True, False, True], "by_hand": ["left out", "", ""]})
    >>> with_decisions(table)["included"].tolist()
    [False, False, True]
    """
    if BY_HAND not in table:
        return table
    by_hand = table[BY_HAND].to_numpy(object)
    included = flag(table, "included", True).copy()
    included[by_hand == COUNTED] = True
    included[by_hand == LEFT_OUT] = False
    return table.assign(included=included)


def scales_differ(tables: Sequence[pd.DataFrame]) -> str:
    """Say in a sentence that tables come from different pixel sizes; empty when they do not.

    Parameters
    ----------
    tables : sequence of DataFrame
        As `measure` returns them.
    """
    sizes = [(table.attrs.get("calibration") or {}).get("pixel_size") for table in tables]
    known = np.array([size for size in sizes if size is not None], float).reshape(-1, 2)
    if not len(known) or len(known) < len(sizes):
        return ""  # `pool` refuses to mix nm and px, and px with px is all one can do
    low, high = known.min(axis=0), known.max(axis=0)
    if ((high - low) <= _SAME_SCALE * low).all():
        return ""
    return (
        f"The pixel sizes differ, from {known.min():.4g} to {known.max():.4g} nm: "
        "small particles are found in the finer images alone."
    )


def _named_apart(tables: list[pd.DataFrame], names: list[str]) -> list[pd.DataFrame]:
    """Give every table its own name of the image: that of its layer where two are alike."""
    images = [str(table["image"].iloc[0]) if len(table) else "" for table in tables]
    if len(set(images)) == len(images):
        return tables
    return [table.assign(image=name) for table, name in zip(tables, names, strict=True)]
