"""Licences of weights: which are free, and how a user accepts one that is not."""

from __future__ import annotations

from typing import Final

from napari_sem_tools.errors import UntrustedModel

__all__ = ["FREE", "is_free", "require_accepted"]

FREE: Final = frozenset(
    {
        "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0",
        "ISC", "MIT", "MPL-2.0", "Unlicense", "Zlib", "LicenseRef-own",
    }
)  # fmt: skip
"""SPDX ids of licences under which weights may be used for anything."""

_TERMS: Final = {
    "CC-BY-NC-4.0": "not for commercial use; https://creativecommons.org/licenses/by-nc/4.0/",
    "LicenseRef-DINOv3": "Meta's own terms: they travel along with what is made of the weights, "
    'which says "Built with DINOv3"; https://ai.meta.com/resources/models-and-libraries/'
    "dinov3-license/",
    "LicenseRef-unknown": "nobody said under which terms they may be used",
}


def is_free(licence: str) -> bool:
    """Tell whether weights of a licence may be used for anything.

    Parameters
    ----------
    licence : str
        SPDX id.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_free("MIT"), is_free("CC-BY-NC-4.0")
    (True, False)
    """
    return licence in FREE


def require_accepted(licence: str, accepted: str, *, what: str) -> None:
    """Refuse weights whose licence is not free, unless the user named and so accepted it.

    Parameters
    ----------
    licence : str
        SPDX id.
    accepted : str
        What the user wrote.
    what : str
        Which weights.

    Raises
    ------
    UntrustedModel
        It was not accepted; the message shows the terms.

    Examples
    --------
    >>> require_accepted("CC-BY-NC-4.0", "CC-BY-NC-4.0", what="these weights")
    """
    if is_free(licence) or accepted == licence:
        return
    terms = _TERMS.get(licence, "not one of the free licences that this program knows")
    raise UntrustedModel(
        f"The licence of {what} is {licence}: {terms}.",
        hint=f'Read it, and if you accept it set accept_licence to "{licence}".',
    )
