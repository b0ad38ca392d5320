"""Tables and outlines for other programs: XLSX, Parquet, ImageJ, GeoJSON, COCO."""

from napari_sem_tools.reporting.exports.coco import write_coco
from napari_sem_tools.reporting.exports.geojson import write_geojson
from napari_sem_tools.reporting.exports.parquet import write_parquet
from napari_sem_tools.reporting.exports.rois import write_rois
from napari_sem_tools.reporting.exports.workbook import write_workbook

__all__ = ["write_coco", "write_geojson", "write_parquet", "write_rois", "write_workbook"]
