"""The registry of models; the module itself is the mapping of names to cards.

``sem.models["particles"]`` is a card, ``sem.models.lease("particles")`` a loaded model,
and ``from napari_sem_tools.models.card import ModelCard`` works as in any package.
"""

import sys
from typing import cast

from napari_sem_tools.models.registry import Registry

__all__ = ["Registry", "models"]

sys.modules[__name__].__class__ = Registry
models = cast(Registry, sys.modules[__name__])
"""This module under the type it has, for the lazy loader and for type checkers."""
