from .counts import ImageCounts as ImageCounts
from .counts import count_image as count_image
from .scores import Estimate as Estimate
from .scores import Scores as Scores
from .scores import evaluate as evaluate
