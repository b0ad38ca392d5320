"""Tiles cover an image of any size and leave no seam."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_sem_tools.errors import Cancelled, InvalidSettings
from napari_sem_tools.models.tiling import Tiling, flipped, predict_tiled

HALO = 12
TILES = Tiling(96, halo_px=HALO, multiple_of=4, border_px=8, batch=3)


def blurred(batch):
    """A translation-equivariant net of known reach: 3 sigma of 4 px."""
    smooth = gaussian_filter(batch[:, 0], (0, 4, 4), truncate=3.0, mode="constant")
    return np.stack([smooth, batch[:, 0]], 1)


def pooled(batch):
    """A net that is equivariant by steps of four pixels alone, as every U-Net is."""
    n, _, rows, columns = batch.shape
    blocks = batch.reshape(n, 1, rows // 4, 4, columns // 4, 4).max((3, 5))
    wide = gaussian_filter(blocks, (0, 0, 1, 1), truncate=2.0, mode="constant")
    return np.repeat(np.repeat(wide, 4, 2), 4, 3)


def identity(batch):
    return batch


def noise(rows, columns):
    return np.random.default_rng(rows * 10_007 + columns).random((rows, columns), np.float32)


def both_ways(net, image, channels, tiling=TILES):
    """Tiled, and with a tile that holds the whole image."""
    whole = Tiling(1 << 14, halo_px=HALO, multiple_of=4, border_px=tiling.border_px)
    return (
        predict_tiled(net, image, tiling=tiling, channels=channels),
        predict_tiled(net, image, tiling=whole, channels=channels),
    )


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400))
def test_tiled_is_untiled_everywhere_for_a_net_that_looks_no_further_than_its_halo(rows, columns):
    tiled, whole = both_ways(blurred, noise(rows, columns), 2)
    assert np.abs(tiled - whole).max() < 1e-5
    tiled, whole = both_ways(pooled, noise(rows, columns), 1)
    assert np.abs(tiled - whole).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3000, 5000), (2999, 4999), (1, 5000), (2503, 1), (1021, 1031)])
def test_tiled_is_untiled_for_large_images_and_primes(shape):
    tiling = Tiling(256, halo_px=HALO, multiple_of=4, border_px=8)
    for net, channels in ((blurred, 2), (pooled, 1)):
        tiled, whole = both_ways(net, noise(*shape), channels, tiling)
        assert np.abs(tiled - whole).max() < 1e-4


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(0, 60),
    st.sampled_from([1, 2, 16, 32]),
    st.integers(0, 600),
    st.integers(0, 60),
)
def test_every_pixel_belongs_to_one_tile_or_to_the_blending_of_two(
    length, halo, multiple, more, border
):
    least = Tiling(1 << 14, halo_px=halo, multiple_of=multiple).least_px
    tiling = Tiling(least + more, halo_px=halo, multiple_of=multiple, border_px=min(border, halo))
    spans = tiling.spans(length)
    assert (spans[0].first, spans[-1].last) == (0, length)
    assert len({span.stop - span.start for span in spans}) == 1
    assert spans[0].stop - spans[0].start <= tiling.edge_px
    assert all((span.start + tiling.border_px) % multiple == 0 for span in spans)
    for before, after in itertools.pairwise(spans):
        assert before.fall == after.rise == before.last - after.first
        assert after.first >= after.start + halo  # nothing from the halo counts
        assert before.last <= before.stop - halo
    for span in spans:
        assert span.last - span.first >= span.rise + span.fall  # never three at one pixel


def test_remainders_cost_no_full_tile():
    tiling = Tiling(512, halo_px=28)
    seen = sum(span.stop - span.start for span in tiling.spans(960 + 10))
    assert seen < 960 + 10 + 3 * tiling.overlap_px


def test_a_net_that_differs_from_tile_to_tile_leaves_no_step():
    """Each tile adds its own level: beside the blending, neighbours jump by no more than it."""
    levels = itertools.cycle([0.0, 1.0])

    def moody(batch):
        return np.full_like(batch, next(levels))

    image = np.zeros((40, 4096), np.float32)
    maps = predict_tiled(moody, image, tiling=Tiling(512, halo_px=64), channels=1)[0]
    assert (maps.min(), maps.max()) == (0, 1)
    assert np.abs(np.diff(maps, axis=1)).max() <= 1.6 / 16  # a smooth rise over 16 px


def test_weights_sum_to_one_exactly_enough():
    tiles = Tiling(64, halo_px=8, batch=2)
    image = np.ones((301, 207), np.float32)
    assert np.abs(predict_tiled(identity, image, tiling=tiles, channels=1) - 1).max() < 1e-6


@pytest.mark.slow
def test_no_seam_at_4096():
    """Blurred noise, tiled: at the tiles' borders the image jumps as it does elsewhere."""
    image = noise(4096, 4096)
    tiling = Tiling(512, halo_px=6, multiple_of=4)  # half of what the net looks at
    maps = predict_tiled(blurred, image, tiling=tiling, channels=2)[0]
    jumps = np.abs(np.diff(maps, axis=1)).mean(0)
    borders = [span.first for span in tiling.spans(4096)[1:]]
    at = np.concatenate([jumps[b - 1 : b + tiling.blend_px + 1] for b in borders])
    assert at.max() < 1.1 * jumps.max()
    assert abs(at.mean() / jumps.mean() - 1) < 0.05


class Rows:
    """Takes rows as zarr does, and tells how many came at a time."""

    def __init__(self, shape):
        self.array = np.full(shape, np.nan, np.float32)
        self.heights = []

    def __setitem__(self, place, rows):
        self.heights.append(rows.shape[-2])
        self.array[place] = rows


def test_an_output_that_is_no_array_is_filled_once_and_row_by_row():
    image = noise(333, 200)
    out = Rows((2, 333, 200))
    tiled = predict_tiled(blurred, image, tiling=TILES, channels=2)
    assert predict_tiled(blurred, image, tiling=TILES, channels=2, out=out) is out
    assert np.array_equal(out.array, tiled)
    assert sum(out.heights) == 333
    assert max(out.heights) <= 96


def test_labels_instead_of_maps_can_be_kept(tmp_path):
    image = noise(150, 333)
    kept = np.lib.format.open_memmap(tmp_path / "kept.npy", "w+", np.uint8, (150, 333))
    predict_tiled(
        blurred,
        image,
        tiling=TILES,
        channels=2,
        out=kept,
        finish=lambda rows: (rows[1] > 0.5).astype(np.uint8),
    )
    assert np.array_equal(kept, image > 0.5)


def test_windows_are_read_one_by_one_and_prepared_there():
    image = (255 * noise(300, 200)).astype(np.uint8)
    windows = []

    class OnDisk:
        shape, ndim = image.shape, 2

        def __getitem__(self, place):
            window = image[place]
            windows.append(window.size)
            return window

    scaled = predict_tiled(
        identity, OnDisk(), tiling=TILES, channels=1, prepare=lambda window: window / 255.0
    )
    assert np.allclose(scaled[0], image / 255.0, atol=1e-6)
    assert max(windows) <= 96**2
    assert len(windows) == TILES.count(image.shape)


def test_dask_and_zarr_are_read_like_arrays(tmp_path):
    image = noise(150, 210)
    dask = pytest.importorskip("dask.array")
    lazy = dask.from_array(image, chunks=64)
    tiled = predict_tiled(identity, lazy, tiling=TILES, channels=1)
    assert np.allclose(tiled[0], image, atol=1e-6)
    zarr = pytest.importorskip("zarr")
    stored = zarr.open(str(tmp_path / "in.zarr"), mode="w", shape=image.shape, dtype="f4")
    stored[:] = image
    maps = zarr.open(str(tmp_path / "out.zarr"), mode="w", shape=(1, 150, 210), dtype="f4")
    predict_tiled(identity, stored, tiling=TILES, channels=1, out=maps)
    assert np.array_equal(maps[:], tiled)


def test_several_input_channels_are_cut_together():
    image = np.random.default_rng(0).random((3, 130, 170), np.float32)
    maps = predict_tiled(lambda batch: batch[:, ::-1], image, tiling=TILES, channels=3)
    assert np.allclose(maps, image[::-1], atol=1e-6)


def test_a_net_averaged_over_flips_has_no_preferred_direction():
    def looks_right(batch):
        return np.roll(batch, -1, axis=3)

    image = noise(90, 70)
    net = flipped(looks_right)
    forward = net(image[None, None])[0, 0]
    assert np.allclose(net(image[None, None, ::-1, ::-1])[0, 0][::-1, ::-1], forward)
    assert not np.allclose(looks_right(image[None, None])[0, 0], forward)


def test_the_next_tiles_are_read_while_these_are_computed():
    threads, read = set(), threading.Semaphore(0)

    def prepare(window):
        threads.add(threading.current_thread().name)
        read.release()
        return window

    def predict(batch):
        left = predict.left
        predict.left -= 1
        assert left == 0 or read.acquire(timeout=5)  # the tile after this one
        return batch

    one, image = Tiling(96, halo_px=HALO), np.zeros((60, 330), np.float32)
    predict.left = one.count(image.shape) - 1
    read_first = threading.Thread(target=read.acquire)  # the first tile, read before all
    read_first.start()
    predict_tiled(predict, image, tiling=one, channels=1, prepare=prepare)
    read_first.join()
    assert len(threads) == 1
    assert threads != {threading.current_thread().name}
    assert not [t for t in threading.enumerate() if t.name.startswith("tiles")]


def test_progress_rises_with_every_tile_to_the_end():
    seen = []
    predict_tiled(
        blurred,
        np.zeros((200, 150), np.float32),
        tiling=TILES,
        channels=2,
        progress=lambda done, total, what: seen.append((done, total)),
    )
    total = TILES.count((200, 150))
    assert seen == [(n, total) for n in range(total + 1)]


def test_cancel_stops_between_two_batches_and_leaves_no_thread():
    calls = []

    def predict(batch):
        calls.append(batch.shape)
        return blurred(batch)

    with pytest.raises(Cancelled):
        predict_tiled(
            predict,
            np.zeros((400, 400), np.float32),
            tiling=Tiling(96, halo_px=HALO),
            channels=2,
            cancel=lambda: len(calls) >= 3,
        )
    assert len(calls) == 3
    assert not [t for t in threading.enumerate() if t.name.startswith("tiles")]


def test_a_tile_that_holds_nothing_but_halo_is_refused():
    with pytest.raises(InvalidSettings, match="nothing inside a halo of 64 px"):
        Tiling(128, halo_px=64)
