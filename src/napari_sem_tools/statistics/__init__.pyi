from .sample import Sample as Sample
from .sample import sample_of as sample_of
from .summary import Summary as Summary
from .summary import summarize as summarize
