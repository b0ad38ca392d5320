"""An index of a collection of images: what is there, what is like what, on any disk.

The room exports its few public names lazily; ``docs/reference/catalogue.md`` says what lies
on the disk.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
