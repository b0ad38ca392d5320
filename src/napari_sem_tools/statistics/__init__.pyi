from .edge_weights import counting_frame as counting_frame
from .edge_weights import edge_weights as edge_weights
from .edge_weights import whole_positions as whole_positions
from .sample import Sample as Sample
from .sample import sample_of as sample_of
from .summary import Summary as Summary
from .summary import summarize as summarize
