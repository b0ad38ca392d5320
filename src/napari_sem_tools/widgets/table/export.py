"""Particle tables out of the window: to the clipboard and to files, by the file's ending."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.reporting.tables import safe_cell

if TYPE_CHECKING:
    from napari_sem_tools.widgets.table.state import TableState

__all__ = ["FORMATS", "ask_path", "clipboard_text", "export_table"]

_FIGURE = ".png"


def clipboard_text(table: Any, rows: NDArray[Any] | None = None) -> str:
    r"""Write rows as spreadsheets take them from the clipboard: tabs, with a header.

    Parameters
    ----------
    table : DataFrame
        Index ``label``.
    rows : int array, optional
        Rows of the table in the order wanted; all by default.

    Returns
    -------
    str
        Numbers keep all their digits; no text can run as a formula.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"ecd_nm": [2.5], "image": ["=1+1"]}, pd.Index([7], name="label"))
    >>> clipboard_text(table)
    "label\tecd_nm\timage\n7\t2.5\t'=1+1\n"
    """
    part = table if rows is None else table.iloc[rows]
    part = part.reset_index()
    texts = {
        name: part[name].map(safe_cell)
        for name in part.columns
        if part[name].dtype.kind not in "biuf"
    }
    return str(part.assign(**texts).to_csv(sep="\t", index=False, lineterminator="\n"))


def ask_path(parent: Any, state: TableState) -> str:
    """Ask for a file and its format; empty when the user did not want to."""
    from qtpy.QtWidgets import QFileDialog

    stem = state.layers[0].name if len(state.layers) == 1 else "particles"
    kinds = ";;".join(f"{name} (*{ending})" for ending, (name, _) in FORMATS.items())
    kinds += f";;Figure with scale bar (*{_FIGURE})"
    path, kind = QFileDialog.getSaveFileName(parent, "Export", f"{stem}.csv", kinds)
    if not path or path.lower().endswith((*FORMATS, _FIGURE)):
        return str(path)
    return str(path) + kind.partition("(*")[2].rstrip(")")


def export_table(state: TableState, path: str | Path, images: Iterable[Any] = ()) -> Path:
    """Write all particles with all columns in the format of a file's ending.

    Parameters
    ----------
    state : TableState
    path : path-like
        A key of `FORMATS` as ending, or ``.png`` for a figure.
    images : iterable of napari Image layers
        The figure is drawn of the one that the labels belong to.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InvalidSettings
        The ending is of no format, or the format holds one image and there are several.
    MissingExtra
        The format needs a library that is not installed.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith(_FIGURE):
        return _figure(state, path, images)
    for ending, (_, write) in FORMATS.items():
        if name.endswith(ending):
            return write(state, path)
    raise InvalidSettings(
        f"'{path.suffix or path.name}' is the ending of no format that is known here.",
        hint=f"Use one of {', '.join(FORMATS)}.",
    )


def _figure(state: TableState, path: Path, images: Iterable[Any]) -> Path:
    """Write the figure of four panels: image, particles, doubtful ones, histogram."""
    from napari_sem_tools.layers import from_layer
    from napari_sem_tools.reporting.figures import four_panels, write_figure
    from napari_sem_tools.widgets.results import image_of

    found = _one_image(state)
    image = image_of(state.layers[0], images)
    if image is None:
        raise InvalidSettings("There is no image for the figure.", hint="Open it again.")
    record = from_layer(image).plane()
    return write_figure(path, four_panels(record, found.labels, state.table, title=found.name))


def _csv(state: TableState, path: Path) -> Path:
    """Write CSV."""
    from napari_sem_tools.files import write_text
    from napari_sem_tools.reporting.tables import csv_text

    return write_text(path, csv_text(state.table, index=True))


def _workbook(state: TableState, path: Path) -> Path:
    """Write a workbook: particles, images, and what was decided by hand."""
    import pandas as pd

    from napari_sem_tools.reporting.exports import write_workbook
    from napari_sem_tools.widgets.table.model import titles_of

    names = ["label", *map(str, state.table.columns)]
    titles = {name: title for name, (title, _) in titles_of(names).items()}
    titles |= {"doubtful": "doubtful", "included": "included"}
    sheets = {"particles": state.table, "images": _images(state)}
    choices = [
        {"image": layer.name, **row} for layer in state.layers for row in state.record(layer)
    ]
    if choices:
        listed = [{**row, "labels": ", ".join(map(str, row["labels"]))} for row in choices]
        sheets["decided by hand"] = pd.DataFrame(listed)
    return write_workbook(path, sheets, titles=titles)


def _images(state: TableState) -> Any:
    """Make a row an image: where its scale comes from and how many particles count."""
    import pandas as pd

    attributes = state.table.attrs.get("images") or [state.table.attrs]
    rows = []
    for number, (layer, known) in enumerate(zip(state.layers, attributes, strict=True)):
        own = state.table[state.source == number]
        calibration = known.get("calibration") or {}
        size = calibration.get("pixel_size")
        rows.append(
            {
                "image": known.get("image", layer.name),
                "particles": len(own),
                "counted": int(own["included"].sum()) if "included" in own else len(own),
                "pixel_size_y_nm": size[0] if size else np.nan,
                "pixel_size_x_nm": size[1] if size else np.nan,
                "origin_of_scale": calibration.get("origin", ""),
                "evidence": calibration.get("evidence", ""),
                "method": known.get("method") or "",
                "model": str(known.get("model") or ""),
                "version": known.get("version", ""),
            }
        )
    return pd.DataFrame(rows)


def _parquet(state: TableState, path: Path) -> Path:
    """Write Parquet with units and all that the numbers rest on."""
    from napari_sem_tools.measurement import COLUMNS
    from napari_sem_tools.reporting.exports import write_parquet

    about = {row.name: {"unit": row.unit, "formula": row.formula} for row in COLUMNS}
    columns = {name: about[name] for name in state.table.columns if name in about}
    return write_parquet(
        path,
        state.table,
        columns=columns,
        metadata={str(k): v for k, v in state.table.attrs.items()},
    )


def _one_image(state: TableState) -> Any:
    """Return labels and table of the one image, as the exports of outlines take them."""
    from napari_sem_tools.layers import calibration_of
    from napari_sem_tools.reporting.labelled import LabelledImage

    if len(state.layers) != 1:
        raise InvalidSettings(
            f"This format holds the outlines of one image; {len(state.layers)} are shown.",
            hint="Show one image, or write CSV, XLSX or Parquet.",
        )
    layer = state.layers[0]
    record = layer.metadata.get("sem")
    source = getattr(record, "source", None)
    return LabelledImage(
        name=str(state.table.attrs.get("image", layer.name)),
        labels=np.asarray(layer.data),
        table=state.table,
        file=source.name if source is not None else "",
        calibration=calibration_of(layer),
    )


def _rois(state: TableState, path: Path) -> Path:
    """Write ImageJ's regions."""
    from napari_sem_tools.reporting.exports import write_rois

    return write_rois(path, _one_image(state))


def _geojson(state: TableState, path: Path) -> Path:
    """Write GeoJSON."""
    from napari_sem_tools.reporting.exports import write_geojson

    return write_geojson(path, _one_image(state))


def _coco(state: TableState, path: Path) -> Path:
    """Write COCO."""
    from napari_sem_tools.reporting.exports import write_coco

    return write_coco(path, [_one_image(state)])


FORMATS: dict[str, tuple[str, Callable[[TableState, Path], Path]]] = {
    ".csv": ("CSV", _csv),
    ".xlsx": ("Excel workbook", _workbook),
    ".parquet": ("Parquet", _parquet),
    ".zip": ("ImageJ ROIs", _rois),
    ".geojson": ("GeoJSON outlines", _geojson),
    ".json": ("COCO annotations", _coco),
}
"""Ending of a file -> what it is called, and what writes it."""
