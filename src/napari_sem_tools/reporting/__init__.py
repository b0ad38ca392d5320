"""Figures, histograms, tables and the HTML report of an analysis."""

from napari_sem_tools.reporting.blocks import Items, Paragraph, Picture, Section, Table
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
from napari_sem_tools.reporting.pdf import write_pdf
from napari_sem_tools.reporting.plots import Distribution, distribution_figure
from napari_sem_tools.reporting.records import ImageRow, Report, Statistic
from napari_sem_tools.reporting.tables import csv_text, sizes_text

__all__ = [
    "Distribution",
    "ImageRow",
    "Items",
    "LabelledImage",
    "Paragraph",
    "Picture",
    "Report",
    "Section",
    "Statistic",
    "Table",
    "Thumbnail",
    "bin_edges",
    "csv_text",
    "distribution_figure",
    "four_panels",
    "histogram_figure",
    "outlined_png",
    "overview",
    "png_bytes",
    "read_png",
    "render_report",
    "sizes_text",
    "write_figure",
    "write_pdf",
]
