"""Where `summarize` was before statistics had a room of their own; kept for its users."""

from napari_sem_tools.statistics.summary import Summary, summarize

__all__ = ["Summary", "summarize"]
