"""Which kind of image is this, how sure, and what else looks like it.

The room exports its few public names lazily; see `napari_sem_tools.classification.embedding`
for the vectors and `napari_sem_tools.classification.categories` for a user's own categories.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
