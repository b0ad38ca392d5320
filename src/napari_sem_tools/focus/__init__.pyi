from .score import FocusScore as FocusScore
from .score import blur_of_score as blur_of_score
from .score import focus as focus
from .score import score_of_blur as score_of_blur
