"""From several frames: the best position, the next one, direction, depth."""
