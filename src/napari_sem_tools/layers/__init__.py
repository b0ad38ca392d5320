"""Records to napari layers and back; the reader, writer and sample data of the manifest."""

from napari_sem_tools.layers.files import napari_get_reader, read_layers, write_labels
from napari_sem_tools.layers.grid import (
    calibration_of,
    grid_of,
    layer_calibration,
    layer_name,
    same_grid,
)
from napari_sem_tools.layers.records import (
    LabelsOrigin,
    attach_table,
    compact_labels,
    from_layer,
    image_arguments,
    labels_arguments,
    segmentation_of,
    show,
    table_of,
    was_edited,
)
from napari_sem_tools.layers.window import camera_of, show_scale_bar

__all__ = [
    "LabelsOrigin",
    "attach_table",
    "calibration_of",
    "camera_of",
    "compact_labels",
    "from_layer",
    "grid_of",
    "image_arguments",
    "labels_arguments",
    "layer_calibration",
    "layer_name",
    "napari_get_reader",
    "read_layers",
    "same_grid",
    "segmentation_of",
    "show",
    "show_scale_bar",
    "table_of",
    "was_edited",
    "write_labels",
]
