"""Buttons that make layers of a series: which position is sharp where, and all of it sharp."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

__all__ = ["DepthBox"]


class DepthBox(QWidget):
    """Makes the depth map and the extended-focus image of the series that was judged last.

    Parameters
    ----------
    panel : FocusWidget
    """

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.panel = panel
        self.button = QPushButton("Depth and all in focus")
        self.button.setToolTip(
            "Two layers: the position at which each place is sharpest, and an image that takes "
            "each place from there"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button)

    def offer(self, series: Any, source: Any) -> None:
        """Offer it for a stack that was judged."""
        self.button.setEnabled(series is not None and source.layer is not None)
