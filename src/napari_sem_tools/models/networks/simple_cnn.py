"""The small network that a web page for electron micrographs compared itself with."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["SimpleCNN"]

_CHANNELS, _HIDDEN = 32, 128
_LOST_PX = 4  # two convolutions without a border


class SimpleCNN(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Two convolutions, one reduction by two, and one layer that holds nearly all its numbers.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    outputs : int
        Categories; 0: the embedding of 128 numbers.
    rows, columns : int
        Size of the image, which is fixed; 299 x 299 in the original.

    Notes
    -----
    With three channels, 299 x 299 px and ten categories it has 88,522,026 numbers, as the
    original.  Input ``(N, inputs, rows, columns)``, output ``(N, outputs)`` or ``(N, 128)``.

    References
    ----------
    .. [1] b-weintraub/electron-microscope-assistant (2020): its layers; our own code.
    """

    multiple = 1
    embedding = _HIDDEN

    def __init__(
        self, inputs: int = 1, outputs: int = 0, rows: int = 299, columns: int = 299
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(inputs, _CHANNELS, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(_CHANNELS, _CHANNELS, 3),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
        )
        size = _CHANNELS * ((rows - _LOST_PX) // 2) * ((columns - _LOST_PX) // 2)
        self.hidden = nn.Sequential(
            nn.Flatten(), nn.Linear(size, _HIDDEN), nn.ReLU(inplace=True), nn.Dropout(0.5)
        )
        self.fc = nn.Linear(_HIDDEN, outputs) if outputs else nn.Identity()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of the categories, or the embedding."""
        return self.fc(self.hidden(self.features(image)))
