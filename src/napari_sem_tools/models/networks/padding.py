"""Images of any size for networks that halve them: mirrored at the far edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  the name that all of torch writes

__all__ = ["pad_to_multiple"]


def pad_to_multiple(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """Mirror an image below and to the right, until its edges are multiples.

    Parameters
    ----------
    image : tensor (N, C, Y, X)
        Cut the answer back to Y and X.  An image that is a multiple already comes back as
        it is; where it is too small to be mirrored, its last row and column are repeated.
    multiple : int

    Returns
    -------
    tensor (N, C, Y', X')

    Examples
    --------
    >>> import torch
    >>> pad_to_multiple(torch.tensor([[[[0.0, 1.0, 2.0]]]]), 4).shape
    torch.Size([1, 1, 4, 4])
    """
    below, right = (-n % multiple for n in image.shape[-2:])
    if below == right == 0:
        return image
    mirrors = below < image.shape[-2] and right < image.shape[-1]
    return F.pad(image, (0, right, 0, below), mode="reflect" if mirrors else "replicate")
