"""Figures, histograms, tables and the HTML report of an analysis."""

from napari_sem_tools.reporting.figures import (
    Thumbnail,
    four_panels,
    outlined_png,
    overview,
    png_bytes,
    read_png,
    write_figure,
)
from napari_sem_tools.reporting.histogram import bin_edges, histogram_figure
from napari_sem_tools.reporting.html import render_report
from napari_sem_tools.reporting.labelled import LabelledImage
from napari_sem_tools.reporting.plain import json_text
from napari_sem_tools.reporting.records import ImageRow, Report, Statistic
from napari_sem_tools.reporting.tables import csv_text, sizes_text

__all__ = [
    "ImageRow",
    "LabelledImage",
    "Report",
    "Statistic",
    "Thumbnail",
    "bin_edges",
    "csv_text",
    "four_panels",
    "histogram_figure",
    "json_text",
    "outlined_png",
    "overview",
    "png_bytes",
    "read_png",
    "render_report",
    "sizes_text",
    "write_figure",
]
