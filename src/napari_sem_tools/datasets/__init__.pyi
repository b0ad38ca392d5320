from .fetch import FetchedSet as FetchedSet
from .fetch import Skipped as Skipped
from .fetch import fetch_nffa as fetch_nffa
from .nffa import CATEGORIES as CATEGORIES
