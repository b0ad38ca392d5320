"""What the pages of the Focus widget have in common."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

__all__ = ["Page"]


class Page(QWidget):
    """One tab of the Focus widget; the button below the tabs runs the one in front.

    Its signal ``changed`` says that the button may read otherwise now.

    Parameters
    ----------
    panel : Panel
        The widget that starts its work and shows its words.
    """

    changed = Signal()
    title = ""
    run_text = "Run"
    wants = ""

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.panel = panel
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 6, 0, 0)
        self.build()

    def build(self) -> None:
        """Fill `column`; called once."""

    def can_run(self) -> bool:
        """Say whether the button may be clicked."""
        return True

    def run(self) -> None:
        """Start the work; called by the button."""

    def python(self) -> str:
        """Return what "copy as Python" puts on the clipboard."""
        return ""

    def layer_changed(self, layer: Any) -> None:
        """React to another image layer, or None."""

    def ended(self, *, cancelled: bool) -> None:
        """React to the end of the work of this page, whatever it came to."""

    def take_paths(self, paths: list[Any]) -> bool:
        """Take what was dropped; say whether it is of use here."""
        return False

    def restyle(self) -> None:
        """Take the colours of the theme."""

    def release(self) -> None:
        """Stop what runs and let go of everything."""
