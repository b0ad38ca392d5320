"""One image with its labels and its table, as the exports for other programs take it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Calibration
from napari_sem_tools.reporting.outlines import plane_of_labels
from napari_sem_tools.reporting.pictures import states

__all__ = ["LabelledImage"]

_NO_SCALE = Calibration()


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image with what was found in it.

    Attributes
    ----------
    name : str
        Under which its results are kept.
    labels : int array (Y, X)
        0 for the background.
    table : DataFrame
        A row a particle, index ``label``, as `measure` returns it; without columns when only the
        labels are known.
    file : str
        Name of the image's file, without its folder.
    calibration : Calibration
    sha256 : str
        Of the file, or of the pixels of an image that was never a file.

    Raises
    ------
    InvalidSettings
        The labels are no plane of whole numbers, or the table misses one of them.
    """

    name: str
    labels: NDArray[np.integer]
    table: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    file: str = ""
    calibration: Calibration = _NO_SCALE
    sha256: str = ""

    def __post_init__(self) -> None:
        """Check that labels and table belong together."""
        object.__setattr__(self, "labels", plane_of_labels(self.labels))
        if len(self.table.columns) and not self.table.index.is_unique:
            raise InvalidSettings(
                f"{self.name}: some labels have two rows in the table.",
                hint="Export each image with its own table.",
            )

    def rows(self, labels: NDArray[np.integer]) -> pd.DataFrame:
        """Return the rows of some labels, in their order.

        Parameters
        ----------
        labels : int array (n,)

        Returns
        -------
        DataFrame
            Index as `labels`; without columns when there is no table.

        Raises
        ------
        InvalidSettings
            A label has no row.
        """
        if not len(self.table.columns):
            return pd.DataFrame(index=pd.Index(labels, name="label"))
        missing = np.setdiff1d(labels, self.table.index.to_numpy())
        if missing.size:
            raise InvalidSettings(
                f"{self.name}: {missing.size} particles of the label image are not in the table, "
                f"label {missing[0]} for one.",
                hint="Measure these labels again.",
            )
        return self.table.loc[labels]

    def states(self) -> dict[int, int]:
        """Tell for each label what became of it: a key of `pictures.STATES`.

        Returns
        -------
        dict of int to int
            Empty when the table does not say.
        """
        if "included" not in self.table:
            return {}
        count = len(self.table)
        numbered = self.table.set_axis(np.arange(1, count + 1))
        found = states(numbered, count)[1:].tolist()
        return dict(zip(self.table.index.tolist(), found, strict=True))

    @property
    def stem(self) -> str:
        """File name of the image, or its name where there is none."""
        return self.file or self.name

    @property
    def pixel_size_nm(self) -> list[float] | None:
        """Height and width of a pixel in nm for a file, None without calibration."""
        size: Any = self.calibration.pixel_size
        return [float(side) for side in size] if size is not None else None
