"""Tiles cover an image of any size and leave no seam."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_sem_tools.errors import Cancelled
from napari_sem_tools.models.tiling import predict_tiled, tiles_of

HALO = 12


def blurred(image):
    """A translation-equivariant net of known reach: 3 sigma of 4 px."""
    return np.stack([gaussian_filter(image, 4, truncate=3.0, mode="nearest"), image])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400))
def test_tiled_is_untiled_away_from_nothing(rows, columns):
    image = np.random.default_rng(rows * 1000 + columns).random((rows, columns), np.float32)
    tiled = predict_tiled(blurred, image, channels=2, tile_px=96, halo_px=HALO)
    assert np.abs(tiled - blurred(image)).max() < 1e-4


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000))
def test_every_pixel_is_in_a_tile_and_neighbours_overlap(rows, columns):
    tiles = tiles_of((rows, columns), tile_px=256, overlap_px=40)
    spans = sorted({tile.rows for tile in tiles})
    assert spans[0][0] == 0
    assert spans[-1][1] == rows
    assert all(a[1] - b[0] >= 40 for a, b in itertools.pairwise(spans))
    assert all(tile.columns[1] - tile.columns[0] <= 256 for tile in tiles)


def test_progress_rises_with_every_tile_to_the_end():
    seen = []
    predict_tiled(
        blurred,
        np.zeros((200, 150), np.float32),
        channels=2,
        tile_px=96,
        halo_px=HALO,
        progress=lambda done, total, what: seen.append(done / total),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) > 4


def test_cancel_stops_between_two_tiles():
    calls = []

    def predict(image):
        calls.append(image.shape)
        return blurred(image)

    with pytest.raises(Cancelled):
        predict_tiled(
            predict,
            np.zeros((400, 400), np.float32),
            channels=2,
            tile_px=96,
            halo_px=HALO,
            cancel=lambda: len(calls) >= 3,
        )
    assert len(calls) == 3
