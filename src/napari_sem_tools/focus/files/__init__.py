"""Folders of images: scored, watched, sorted out, and scores by hand."""
