"""Batch normalisation folded into the convolution before it: the same maps, sooner."""

from __future__ import annotations

import itertools
from typing import Any

from napari_sem_tools.models.devices import torch

__all__ = ["fold_normalisation"]


def fold_normalisation(network: Any) -> Any:
    """Fold what follows a convolution directly, in place.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.

    Returns
    -------
    torch.nn.Module
        The network itself.  A normalisation that was folded is an identity now, so that
        every layer keeps its name.

    Notes
    -----
    Only the children of a ``Sequential`` are sure to follow one another; what a network calls
    by name stays as it is.
    """
    module = torch()
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for part in list(network.modules()):
        if type(part) is not module.nn.Sequential:
            continue
        names = list(part._modules)
        for first, second in itertools.pairwise(names):
            convolution, normalisation = part._modules[first], part._modules[second]
            if _foldable(module, convolution, normalisation):
                part._modules[first] = fuse_conv_bn_eval(convolution, normalisation)
                part._modules[second] = module.nn.Identity()
    return network


def _foldable(module: Any, convolution: Any, normalisation: Any) -> bool:
    """Tell whether the second layer scales the channels of the first by fixed numbers."""
    return (
        type(convolution) is module.nn.Conv2d
        and type(normalisation) is module.nn.BatchNorm2d
        and normalisation.track_running_stats
        and not normalisation.training
    )
