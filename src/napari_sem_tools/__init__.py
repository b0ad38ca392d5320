"""Particle analysis of electron micrographs, in napari and in scripts.

``import napari_sem_tools as sem``; the public names load when first used.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
