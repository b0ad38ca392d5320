"""Learning: training sets, augmentation, targets, losses, the loop, and its process."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
