from .job import read_source as read_source
from .main import Analysis as Analysis
from .main import analyze as analyze
from .plan import Plan as Plan
from .plan import Source as Source
from .plan import resolve as resolve
from .result import ImageResult as ImageResult
