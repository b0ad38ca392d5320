"""The *Focus* widget: score, map, series, folders, watched folder."""
