"""A network for categories, with all that makes its answers honest in one file of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes
from torch import nn

__all__ = ["Classifier"]

_GREY_MEAN, _GREY_DEVIATION = 0.5, 0.25


class Classifier(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """An embedding, a linear head, and what was learned of both from images kept back.

    Parameters
    ----------
    network : str
        Name of the network that gives the embedding, as `architectures.build` takes it.
    arguments : mapping, optional
        Its arguments, the channels included.
    embedding : int
        Length of the embedding.
    inputs : int
        Channels of the image: 1 for grey, 3 for colour.
    outputs : int
        Categories.
    colours : int
        Channels of `network`; a grey image is given to all of them.
    mean, deviation : sequence of float
        Of each channel of `network`, subtracted and divided by.
    dropout : float
        Share of the embedding that is withheld from the head while it learns.
    known : int
        Training images whose embeddings are kept, for the distance of a new one.
    look : mapping, optional
        How an image becomes the picture that is looked at: fields of
        `napari_sem_tools.classification.look.Look`.  Nothing is done with it here.
    named : str
        Row of the table of networks for images that `network` is; for people.

    Notes
    -----
    Input ``(N, inputs, Y, X)``, 0 black and 1 white.  While it learns the output is
    ``(N, outputs)``, the logits; afterwards ``(N, outputs + embedding)``, the logits over the
    temperature and the embedding of length 1.  The buffers ``temperature``, ``limits`` (of the
    conformal sets), ``far`` (beyond which an image is none of the categories), ``known`` and
    ``known_labels`` are filled once the training is done.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
           networks", ICML (2017).
    .. [2] Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-distribution detection with deep nearest
           neighbors", ICML (2022).
    """

    multiple = 1

    def __init__(
        self,
        network: str = "resnet18-small",
        arguments: Mapping[str, Any] | None = None,
        *,
        embedding: int = 256,
        inputs: int = 1,
        outputs: int = 2,
        colours: int = 1,
        mean: Sequence[float] = (_GREY_MEAN,),
        deviation: Sequence[float] = (_GREY_DEVIATION,),
        dropout: float = 0.0,
        known: int = 1,
        look: Mapping[str, Any] | None = None,
        named: str = "",
    ) -> None:
        super().__init__()
        from napari_sem_tools.models.architectures import build

        self.colours, self.look, self.named = colours, dict(look or {}), named
        self.network = build(network, arguments)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embedding, outputs)
        for name, values in (("mean", mean), ("deviation", deviation)):
            row = torch.tensor(list(values), dtype=torch.float32).reshape(1, -1, 1, 1)
            self.register_buffer(name, row)
        self.register_buffer("temperature", torch.ones(1))
        self.register_buffer("limits", torch.full((outputs,), torch.inf))
        self.register_buffer("far", torch.full((1,), torch.inf))
        self.register_buffer("known", torch.zeros(known, embedding))
        self.register_buffer("known_labels", torch.zeros(known, dtype=torch.int64))

    def scaled(self, image: torch.Tensor) -> torch.Tensor:
        """Return the image as the inner network wants it."""
        if image.shape[1] < self.colours:
            image = image.expand(-1, self.colours, -1, -1)
        return (image - self.mean) / self.deviation

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits; once it has learned, calibrated ones and the embedding behind them."""
        features = self.network(self.scaled(image)).flatten(1)
        logits = self.head(self.dropout(features))
        if self.training:
            return logits
        return torch.cat([logits / self.temperature, F.normalize(features.float())], 1)
