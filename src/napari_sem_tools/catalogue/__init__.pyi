from .collection import Catalogue as Catalogue
from .filters import CatalogueFilter as CatalogueFilter
from .records import Added as Added
from .records import Counts as Counts
from .records import Failure as Failure
from .records import VectorSource as VectorSource
