"""Statistics of particle sizes: what a table supports, with intervals, fits and a budget."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
