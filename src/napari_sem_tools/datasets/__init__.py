"""Published sets of images: fetched in pieces, checked, laid out a folder a category."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
