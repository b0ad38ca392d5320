"""What became of one image, as it is kept in the ledger of a run."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_sem_tools.micrograph import Calibration

__all__ = ["ImageResult", "table_from_text", "table_to_text"]


_UNCALIBRATED = Calibration()


@dataclasses.dataclass(frozen=True, eq=False)
class ImageResult:
    """What became of one image.

    Attributes
    ----------
    name : str
        Under which its labels and its figure are kept.
    file : str
        Name of the file, without its folder.
    page : int
    table : DataFrame
        A row a particle, as `measure` returns it; empty when the image failed.
    error, hint, kind : str
        Sentence, remedy and class of the error; empty when the image was analysed.
    file_sha256, pixels_sha256 : str
        Of the file's bytes (empty for an image in memory) and of the pixels.
    shape : (int, int)
        Rows and columns.
    calibration : Calibration
    data_bar : (int, int) or None
    field_px : int
        Pixels that were measured in.
    method, model : str
    settings : dict
        As resolved for this image.
    notes : tuple of str
    details : dict
        What the file says about the picture, for the report.
    """

    name: str
    file: str
    page: int = 0
    table: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    error: str = ""
    hint: str = ""
    kind: str = ""
    file_sha256: str = ""
    pixels_sha256: str = ""
    shape: tuple[int, int] = (0, 0)
    calibration: Calibration = _UNCALIBRATED
    data_bar: tuple[int, int] | None = None
    field_px: int = 0
    method: str = ""
    model: str = ""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    details: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """True when the image could not be analysed."""
        return bool(self.error)

    @property
    def unit(self) -> str:
        """``"nm"`` when the image is calibrated, else ``"px"``."""
        return "nm" if self.calibration.is_calibrated else "px"

    @property
    def pixel(self) -> float:
        """Side of a pixel of the same area, in `unit`."""
        return float(np.sqrt(np.prod(self.calibration.nm_per_px))) if self.unit == "nm" else 1.0

    @property
    def sizes(self) -> NDArray[np.float64]:
        """ECD of the counted particles in `unit`."""
        if not len(self.table):
            return np.empty(0)
        counted = self.table["included"].to_numpy(bool)
        sizes = np.asarray(self.table[f"ecd_{self.unit}"].array, dtype=np.float64)
        return np.compress(counted, sizes)

    def count(self, flag: str) -> int:
        """Count the particles with a flag such as ``"doubtful"``."""
        return int(self.table[flag].sum()) if len(self.table) else 0

    def to_json(self) -> str:
        """Write all but the table."""
        said = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "table"
        }
        said["calibration"] = dataclasses.asdict(self.calibration)
        return json.dumps(said, indent=1, default=_plain)

    @classmethod
    def from_json(cls, text: str, table: pd.DataFrame) -> ImageResult:
        """Read what `to_json` wrote."""
        said = json.loads(text)
        calibration = {k: _tupled(v) for k, v in said.pop("calibration").items()}
        said = {k: _tupled(v) for k, v in said.items()}
        return cls(**said, table=table, calibration=Calibration(**calibration))


def table_to_text(table: pd.DataFrame) -> str:
    """Write a table so that `table_from_text` gives back the same values and types."""
    whole = table.reset_index()
    types = {str(name): str(kind) for name, kind in whole.dtypes.items()}
    head = json.dumps(
        {"types": types, "index": table.index.name, "attrs": table.attrs}, default=_plain
    )
    return head + "\n" + str(whole.to_csv(index=False, lineterminator="\n"))


def table_from_text(text: str) -> pd.DataFrame:
    """Read what `table_to_text` wrote."""
    head, _, body = text.partition("\n")
    said = json.loads(head)
    table = pd.read_csv(io.StringIO(body), dtype=str, keep_default_na=False)
    for name, kind in said["types"].items():
        table[name] = _typed(table[name], kind)
    table = table.set_index(said["index"] or "index").rename_axis(said["index"])
    table.attrs = said["attrs"]
    return table


def _typed(column: Any, kind: str) -> Any:
    """Turn a column of texts into its own type; floats keep every digit."""
    if kind == "bool":
        return column == "True"
    if kind.startswith("float"):
        return column.where(column != "", "nan").astype(kind)
    if kind.startswith(("int", "uint")):
        return column.astype(kind)
    return column.astype(kind)


def _plain(value: Any) -> Any:
    """Turn numpy numbers and paths into what JSON knows."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


def _tupled(value: Any) -> Any:
    """JSON has lists where the records have tuples."""
    return tuple(value) if isinstance(value, list) else value
