from .formats import FORMATS as FORMATS
from .formats import SUFFIXES as SUFFIXES
from .inputs import as_micrograph as as_micrograph
from .inputs import list_files as list_files
from .reader import read as read
from .reader import read_all as read_all
from .regions import read_regions as read_regions
from .regions import region_mask as region_mask
