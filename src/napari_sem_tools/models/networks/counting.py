"""How many numbers a network has learnt, counted as the papers count them."""

from __future__ import annotations

import dataclasses

from torch import nn

__all__ = ["ParameterCount", "count_parameters"]


@dataclasses.dataclass(frozen=True)
class ParameterCount:
    """Numbers in a network.

    Attributes
    ----------
    trainable : int
        Numbers that training changes by gradients.
    statistics : int
        Running means and variances of the normalisations.
    """

    trainable: int
    statistics: int

    @property
    def total(self) -> int:
        """Both together: what Keras prints as the number of parameters."""
        return self.trainable + self.statistics


def count_parameters(network: nn.Module) -> ParameterCount:
    """Count the numbers in a network as Keras does.

    Frozen scales of batch normalisation and the counters ``num_batches_tracked`` are no
    parameters in Keras, running means and variances are.

    Parameters
    ----------
    network : torch.nn.Module

    Returns
    -------
    ParameterCount

    Examples
    --------
    >>> from torch import nn
    >>> count_parameters(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    ParameterCount(trainable=24, statistics=4)
    """
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    ends = ("running_mean", "running_var")
    statistics = sum(b.numel() for name, b in network.named_buffers() if name.endswith(ends))
    return ParameterCount(trainable, statistics)
