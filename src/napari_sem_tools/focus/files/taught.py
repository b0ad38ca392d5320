"""Frames that a user gave a score of their own, kept on this computer, and what follows."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from napari_sem_tools.errors import InvalidSettings, UnreadableFile
from napari_sem_tools.files import json_text, write_text
from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.measures.table import measures_of
from napari_sem_tools.focus.recalibration import Recalibration, recalibrate
from napari_sem_tools.focus.score import BEST, FocusScore, Method, score_picture

__all__ = ["TaughtFrame", "TaughtScore", "read_taught", "taught_file", "write_taught"]

_APP = "napari-sem-tools"
_FORMAT = 1
_BLURRED = "blurred: "
_VISIBLE_PX = 0.05  # less is written as 0.0


@dataclasses.dataclass(frozen=True)
class TaughtFrame:
    """A frame with the score that a user gives it.

    Attributes
    ----------
    name : str
        Of the image, for the list.
    predicted : float
        What the program said, 0 to 10.
    given : float
        What the user says.
    method : str
        What scored it.

    Raises
    ------
    InvalidSettings
        A score is not from 0 to 10.
    """

    name: str
    predicted: float
    given: float
    method: str = ""

    def __post_init__(self) -> None:
        """Refuse scores that are none."""
        for value in (self.predicted, self.given):
            if not 0 <= value <= BEST:
                raise InvalidSettings(f"{value:g} is no score.", hint="Scores go from 0 to 10.")


def taught_file() -> Path:
    """Return where the frames of this user are kept; the file need not exist."""
    import platformdirs

    return platformdirs.user_config_path(_APP, appauthor=False) / "focus-taught.json"


def read_taught(path: str | os.PathLike[str] | None = None) -> tuple[TaughtFrame, ...]:
    """Read the frames that were taught.

    Parameters
    ----------
    path : path-like, optional
        By default `taught_file`.

    Returns
    -------
    tuple of TaughtFrame
        Empty where there is no file.

    Raises
    ------
    UnreadableFile
        It is no such file.

    Examples
    --------
    >>> read_taught("there-is-none.json")
    ()
    """
    place = taught_file() if path is None else Path(path)
    try:
        text = place.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UnreadableFile(f"{place} cannot be read.", hint="Check the file.") from error
    try:
        rows: list[dict[str, Any]] = json.loads(text)["frames"]
        return tuple(
            TaughtFrame(str(one["name"]), float(one["predicted"]), float(one["given"]),
                        str(one.get("method", "")))
            for one in rows
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, InvalidSettings) as error:
        raise UnreadableFile(
            f"{place} holds no frames with scores.", hint="Delete it to begin anew."
        ) from error


def write_taught(frames: Sequence[TaughtFrame], path: str | os.PathLike[str] | None = None) -> Path:
    """Keep the frames that were taught.

    Parameters
    ----------
    frames : sequence of TaughtFrame
    path : path-like, optional
        By default `taught_file`.

    Returns
    -------
    Path
    """
    content = {"format": _FORMAT, "frames": [dataclasses.asdict(one) for one in frames]}
    return write_text(taught_file() if path is None else path, json_text(content) + "\n")


@dataclasses.dataclass(frozen=True)
class TaughtScore:
    """The focus score as a user taught it; called with an image, it scores that.

    Frames count for the method that scored them alone: what the mix says of a frame is not
    what the network says.

    Attributes
    ----------
    frames : tuple of TaughtFrame
        None: the score of the program.
    method : {"auto", "mix", "network"}
        What scores an image.
    measures : tuple of str
        Classical measures that each score of an image brings along.

    Examples
    --------
    >>> lesson = TaughtScore((TaughtFrame("a", 5.0, 7.0, "mix"),))
    >>> lesson.taught(FocusScore(5.0, (4.0, 6.0), blur_px=2.0)).score > 5
    True
    >>> lesson.describe()
    'The score follows 1 frame: a shift and a gain.'
    """

    frames: tuple[TaughtFrame, ...] = ()
    method: Method = "auto"
    measures: tuple[str, ...] = ()

    def of_method(self, method: str) -> Recalibration:
        """Return what the frames of a method teach."""
        used = [one for one in self.frames if one.method == method]
        return recalibrate([one.predicted for one in used], [one.given for one in used])

    def taught(self, score: FocusScore) -> FocusScore:
        """Return a score as the frames say; one without information stays as it is."""
        if not self.frames:
            return score
        found = cast(FocusScore, self.of_method(score.method)(score))
        return dataclasses.replace(found, reasons=_reasons(found))

    def describe(self) -> str:
        """Say what the frames do to the score."""
        methods = sorted({one.method for one in self.frames})
        said = [self.of_method(method).describe() for method in methods]
        if len(said) > 1:
            said = [f"{text} ({name})" for name, text in zip(methods, said, strict=True)]
        return " ".join(said) or Recalibration().describe()

    def __call__(self, image: Any) -> FocusScore:
        """Score an image.

        Parameters
        ----------
        image : path-like, Micrograph, napari Image layer or array (Y, X)

        Returns
        -------
        FocusScore
        """
        picture = picture_of(image)
        found = self.taught(score_picture(picture, self.method))
        if not self.measures or not found.information:
            return found
        more = measures_of(picture, self.measures)
        return dataclasses.replace(found, measures={**found.measures, **more})


def _reasons(score: FocusScore) -> tuple[str, ...]:
    """Let the reason of blur say the blur of the score as it is now."""
    blur = score.blur_px or 0.0
    said = [f"{_BLURRED}{blur:.1f} px" if one.startswith(_BLURRED) else one
            for one in score.reasons]  # fmt: skip
    return tuple(one for one in said if blur >= _VISIBLE_PX or not one.startswith(_BLURRED))
