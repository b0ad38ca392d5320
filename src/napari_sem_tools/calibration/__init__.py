"""The scale of an image: the data bar, the drawn scale bar, typed sizes and what they are worth."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
