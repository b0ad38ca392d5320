"""Every exception and warning that a user can meet.

The text of an error is one sentence that a microscopist understands; ``hint`` says what
to do.  Errors of libraries never reach a user as they are: they are the ``__cause__``.
"""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "DeviceOutOfMemory",
    "InvalidSettings",
    "InvalidTrainingSet",
    "MissingExtra",
    "ModelNotFound",
    "NotCalibrated",
    "OutputExists",
    "SemError",
    "SemWarning",
    "UnknownFormat",
    "UnreadableFile",
    "UntrustedModel",
]


class SemWarning(UserWarning):
    """Something the user should know, though the work went on."""


class SemError(Exception):
    """Base of all errors of the suite.

    Parameters
    ----------
    message : str
        One sentence: what is wrong, with the file and the value.
    hint : str, optional
        What to do about it.

    Examples
    --------
    >>> error = SemError("There is no image.", hint="Open one.")
    >>> str(error), error.hint
    ('There is no image.', 'Open one.')
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the hint, so that the error survives a worker process."""
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[SemError], message: str, hint: str) -> SemError:
    """Make a pickled error again."""
    error = kind.__new__(kind, message)
    SemError.__init__(error, message, hint=hint)
    return error


class UnreadableFile(SemError):
    """The file is missing, damaged, empty or larger than can be read."""


class UnknownFormat(SemError):
    """No reader recognises the file."""


class NotCalibrated(SemError):
    """A length in nm was asked of an image without a pixel size."""


class InvalidSettings(SemError):
    """A setting is out of its range or does not fit the image."""


class ModelNotFound(SemError):
    """No model of this name is in the registry."""


class UntrustedModel(SemError):
    """Weights that do not match their hash or that want to run code."""


class DeviceOutOfMemory(SemError):
    """The device has too little memory for the smallest tile."""


class InvalidTrainingSet(SemError):
    """A training set that cannot be trained on; the message names the files."""


class OutputExists(SemError):
    """The output is there already and was not to be replaced."""


class Cancelled(SemError):
    """The user stopped the work; nothing half done was left."""

    def __init__(self, message: str = "Cancelled.", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)


class MissingExtra(SemError):
    """An optional library is needed; the hint names the extra that brings it.

    Parameters
    ----------
    what : str
        What cannot be done without it, as the start of a sentence.
    extra : str
        Name of the extra, e.g. ``"formats"``.
    """

    def __init__(self, what: str, *, extra: str = "all", hint: str = "") -> None:
        self.extra = extra
        command = f'pip install "napari-sem-tools[{extra}]"'
        super().__init__(what, hint=hint or f"Install it with: {command}")
