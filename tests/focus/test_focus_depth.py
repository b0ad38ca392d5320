"""A depth map of a tilted specimen is its tilt; the extended focus is sharp everywhere."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from microscope import scene

from napari_sem_tools.errors import Cancelled, InvalidSettings
from napari_sem_tools.evaluation.focus_protocol import blurred, exposed
from napari_sem_tools.focus.series.depth import depth_map, extended_focus
from napari_sem_tools.focus.series.register import Similarity, align

SHAPE = (256, 320)
K = 0.5
PLACES = np.arange(-8.0, 9.0, 2.0)
RIM = 16


def height(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A tilt from -6 to 6 along the rows."""
    return np.broadcast_to(np.linspace(-6, 6, shape[1]), shape)


@functools.lru_cache(maxsize=2)
def planes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The scene at many blurs, in focus first."""
    sigmas = np.linspace(0, 8, 33)
    plain = blurred(scene(seed, SHAPE), 0.7)
    return sigmas, np.stack([blurred(plain, float(s)) for s in sigmas])


def tilted(dose: float, seed: int = 0) -> list[np.ndarray]:
    """Take a through-focus stack of the tilted specimen."""
    sigmas, stack = planes(seed)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    frames = []
    for number, z in enumerate(PLACES):
        place = np.clip(K * np.abs(z - height()) / sigmas[1], 0, len(sigmas) - 1.001)
        low = place.astype(int)
        seen = (1 - place + low) * stack[low, rows, columns]
        seen = seen + (place - low) * stack[low + 1, rows, columns]
        frames.append(exposed(seen, dose, np.random.default_rng((seed, number))))
    return frames


def inner(values: np.ndarray) -> np.ndarray:
    return values[RIM:-RIM, RIM:-RIM]


@pytest.mark.parametrize(
    ("dose", "error", "share"), [(np.inf, 0.5, 0.95), (100.0, 0.5, 0.95), (20.0, 0.8, 0.75)]
)
def test_the_depth_of_a_tilted_specimen_is_its_tilt(
    dose: float, error: float, share: float
) -> None:
    found = depth_map(tilted(dose), PLACES, registered=True)
    off = inner(found.depth - height())
    assert np.sqrt(np.mean(off**2)) < error  # frames lie 2 apart
    assert inner(found.known).mean() > share
    assert abs(off.mean()) < 0.15


def test_the_extended_focus_is_nearer_to_the_sharp_scene_than_any_frame() -> None:
    frames = tilted(np.inf)
    truth = inner(planes(0)[1][0])

    def distance(image: np.ndarray) -> float:
        line = np.polyfit(inner(image).ravel(), truth.ravel(), 1)  # gain is free
        return float(np.std(np.polyval(line, inner(image)) - truth))

    sharp = distance(extended_focus(frames, PLACES, registered=True))
    assert sharp < 0.4 * min(distance(frame) for frame in frames)


def test_frames_that_drifted_are_laid_on_each_other() -> None:
    rng = np.random.default_rng(3)
    still = tilted(100.0)
    drift = np.cumsum(rng.uniform(-2, 2, (len(still), 2)), axis=0)
    drift -= drift[len(still) // 2]
    moved = [
        align(f, Similarity((float(-y), float(-x))))[0]
        for f, (y, x) in zip(still, drift, strict=True)
    ]
    found = depth_map(moved, PLACES)
    shifts = np.array([s.shift for s in found.similarities])
    assert np.abs(shifts - drift).max() < 1.0
    assert np.sqrt(np.mean(inner(found.depth - height()) ** 2)) < 0.6


def test_positions_may_be_unsorted_and_uneven() -> None:
    keep = np.array([7, 0, 3, 8, 5, 1, 2, 4])  # one is missing
    frames = tilted(100.0)
    found = depth_map([frames[i] for i in keep], PLACES[keep], registered=True)
    assert found.positions.tolist() == sorted(PLACES[keep])
    assert found.order.tolist() == np.argsort(PLACES[keep]).tolist()
    assert np.sqrt(np.mean(inner(found.depth - height()) ** 2)) < 0.8


def test_a_place_without_detail_takes_the_depth_of_its_surroundings() -> None:
    frames = [f.astype(np.float32) for f in tilted(20.0)]
    rng = np.random.default_rng(0)
    for frame in frames:
        frame[90:160, 120:200] = rng.normal(90, 20, (70, 80))  # nothing but noise
    found = depth_map(frames, PLACES, registered=True)
    hole = (slice(110, 140), slice(140, 180))
    assert found.known[hole].mean() < 0.3
    assert np.abs(found.depth[hole] - height()[hole]).mean() < 2.0


def test_errors_are_those_of_repeated_stacks() -> None:
    raw = [depth_map(tilted(20.0, seed=s), PLACES, registered=True) for s in (0, 1)]
    for found in raw:
        off = np.abs(inner(found.depth - height()))
        sure = inner(found.error) < 0.3
        assert off[sure].mean() < off[~sure].mean()


def test_what_is_no_stack_is_refused_and_a_user_may_stop() -> None:
    frames = tilted(100.0)
    with pytest.raises(InvalidSettings, match="three frames"):
        depth_map(frames[:2])
    with pytest.raises(InvalidSettings, match="three frames"):
        depth_map([*frames[:2], frames[2][:-1]])
    with pytest.raises(InvalidSettings, match="do not fit"):
        depth_map(frames, PLACES[:-1])
    with pytest.raises(InvalidSettings, match="same position"):
        depth_map(frames, np.zeros(len(frames)))
    with pytest.raises(Cancelled):
        depth_map(frames, cancel=lambda: True)
