from .burnt_in import find_burnt_in as find_burnt_in
from .data_bar import find_data_bar as find_data_bar
from .ocr import read_label as read_label
from .pixel_size import INSTRUMENT_UNCERTAINTY as INSTRUMENT_UNCERTAINTY
from .pixel_size import calibrate as calibrate
from .pixel_size import parse_length as parse_length
from .scale_bar import ScaleBar as ScaleBar
from .scale_bar import find_scale_bar as find_scale_bar
