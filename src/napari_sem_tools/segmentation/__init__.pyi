from .methods import METHODS as METHODS
from .methods import segment as segment
from .methods import segment_stack as segment_stack
from .plan import ThresholdPlan as ThresholdPlan
from .settings import ThresholdSettings as ThresholdSettings
from .threshold import ThresholdSession as ThresholdSession
