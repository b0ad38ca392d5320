"""How well an image is in focus: classical measures, a score with its interval, series.

The room and its main function share a name.  Which of the two ``napari_sem_tools.focus`` is
depends on what was imported first, so the room can be called as well.
"""

import sys
from types import ModuleType
from typing import Any

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)


class _Room(ModuleType):
    """A module that scores an image when it is called."""

    def __call__(self, image: Any, **options: Any) -> Any:
        """Do what `napari_sem_tools.focus.focus` does."""
        from napari_sem_tools.focus.score import focus

        return focus(image, **options)


sys.modules[__name__].__class__ = _Room
