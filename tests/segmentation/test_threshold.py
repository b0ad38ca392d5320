"""The classical method on pictures whose particles are known."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_sem_tools.errors import Cancelled, InvalidSettings
from napari_sem_tools.evaluation import evaluate
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.segmentation import (
    METHODS,
    ThresholdSession,
    ThresholdSettings,
    segment,
    segment_stack,
)
from napari_sem_tools.segmentation.merging import describe, join
from napari_sem_tools.segmentation.object_scale import usual_diameter
from napari_sem_tools.segmentation.pieces import Pieces, cut_into_pieces, grey_cues


def discs(centres, radius, *, shape=(160, 200), inside=170, outside=60, noise=6.0):
    """Return an image of discs, the upper ones first, and its true labels."""
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for number, (y, x) in enumerate(centres, 1):
        labels[(np.hypot(yy - y, xx - x) < radius) & (labels == 0)] = number
    grey = np.where(labels > 0, inside, outside)
    grey = grey + np.random.default_rng(0).normal(0, noise, shape)
    return np.clip(grey, 0, 255).astype(np.uint8), labels


CENTRES = [(40, 40), (40, 110), (110, 60), (110, 150)]


@pytest.mark.parametrize(("inside", "outside"), [(170, 60), (60, 170)])
def test_separate_discs_are_found_whether_bright_or_dark(inside, outside):
    image, truth = discs(CENTRES, 20, inside=inside, outside=outside)
    found = segment(Micrograph(image), "threshold")
    assert evaluate(truth, found)["ap75"] == 1
    assert found.settings["polarity"] == ("bright" if inside > outside else "dark")


def test_bright_discs_that_fill_most_of_the_picture_are_not_taken_for_background():
    centres = [(y, x) for y in range(5, 170, 44) for x in range(8, 210, 44)]
    image, truth = discs(centres, 18)
    assert (truth > 0).mean() > 0.55
    found = segment(Micrograph(image), "threshold")
    assert found.settings["polarity"] == "bright"
    assert evaluate(truth, found)["ap50"] > 0.9


def test_touching_discs_are_cut_at_the_neck():
    image, truth = discs([(80, 60), (80, 98), (80, 136)], 20)
    found = segment(Micrograph(image), "threshold")
    assert found.count == 3
    assert evaluate(truth, found)["ap75"] == 1


def test_overlapping_discs_without_a_neck_are_cut_at_a_dark_line():
    yy, xx = np.mgrid[:160, :200]
    body = (np.abs(yy - 80) < 25) & (np.abs(xx - 100) < 60)
    image = np.where(body, 170, 60)
    image[body & (np.abs(xx - 100) < 2)] = 90
    found = segment(Micrograph(image.astype(np.uint8)), "threshold")
    assert found.count == 2


def test_split_strength_runs_from_components_to_pieces():
    image, _ = discs([(80, 60), (80, 92), (80, 124)], 20)
    session = ThresholdSession(image)
    counts = [
        int(session.labels(ThresholdSettings(split_strength=s, min_size_px=0)).max())
        for s in (0, 0.5, 1)
    ]
    assert counts[0] == 1
    assert counts[0] <= counts[1] <= counts[2]


@given(seed=st.integers(0, 10_000), diameter=st.floats(3, 40))
@settings(max_examples=25, deadline=None)
def test_every_component_has_a_piece_and_no_piece_reaches_into_another(seed, diameter):

    rng = np.random.default_rng(seed)
    grey = ndimage.gaussian_filter(rng.normal(size=(60, 70)), 2).astype(np.float32)
    foreground = grey > np.quantile(grey, 0.6)
    cues = grey_cues(grey, float(np.ptp(grey)))
    pieces = cut_into_pieces(foreground, cues, diameter=diameter)
    assert np.array_equal(pieces.labels > 0, foreground)
    components, count = ndimage.label(foreground)
    for likelihood in (0.0, 0.5, 1.0):
        owner = join(describe(pieces, cues), likelihood)
        labels = owner[pieces.labels]
        seen = np.unique(np.stack([labels[foreground], components[foreground]]), axis=1)
        assert np.array_equal(np.unique(seen[0]), np.sort(seen[0]))  # in one component each
        assert set(seen[1]) == set(range(1, count + 1))
    assert owner[0] == 0


def test_joining_everything_gives_the_components():

    image, _ = discs([(80, 60), (80, 92), (40, 150)], 20, noise=0)
    foreground = image > 100
    cues = grey_cues(image.astype(np.float32) / 255, 0.5)
    pieces = cut_into_pieces(foreground, cues, diameter=40)
    labels = join(describe(pieces, cues), 0.0)[pieces.labels]
    assert len(np.unique(labels)) - 1 == ndimage.label(foreground)[1] == 2


@pytest.mark.parametrize("radius", [6, 12, 25])
def test_the_scale_of_discs_is_their_diameter(radius):
    _, truth = discs([(50, 50), (100, 130)], radius)
    assert usual_diameter(truth > 0) == pytest.approx(2 * radius, rel=0.1)


def test_a_slow_trend_does_not_hide_particles():
    image, truth = discs(CENTRES, 16, inside=130, outside=60, noise=4)
    slope = np.linspace(0, 110, image.shape[1])[None]
    tilted = np.clip(image + slope, 0, 255).astype(np.uint8)
    assert evaluate(truth, segment(Micrograph(tilted), "threshold"))["ap50"] == 1


@pytest.mark.parametrize("method", ["otsu", "li", "local"])
def test_every_automatic_level_finds_plain_discs(method):
    image, truth = discs(CENTRES, 20)
    found = segment(Micrograph(image), settings=ThresholdSettings(threshold=method))
    assert found.settings["threshold"] == method
    assert evaluate(truth, found)["ap50"] == 1


def test_a_manual_level_is_in_grey_values_of_the_image():
    image, truth = discs(CENTRES, 20, noise=0)
    wide = image.astype(np.uint16) * 200
    settings = ThresholdSettings(threshold="manual", level=115 * 200.0)
    session = ThresholdSession(wide)
    assert evaluate(truth, session.labels(settings))["ap50"] == 1
    assert session.plan(settings).level == pytest.approx(115 * 200)
    nothing = ThresholdSettings(threshold="manual", level=60_000.0, polarity="bright")
    assert session.labels(nothing).max() == 0
    with pytest.raises(InvalidSettings):
        session.labels(ThresholdSettings(threshold="manual"))


def test_a_higher_offset_makes_particles_smaller():
    image, _ = discs(CENTRES, 20)
    session = ThresholdSession(image)
    areas = [(session.labels(ThresholdSettings(offset=o)) > 0).sum() for o in (-0.2, 0, 0.2)]
    assert areas[0] > areas[1] > areas[2]


def test_small_particles_are_left_out_by_their_diameter():
    image, _ = discs([(40, 40), (110, 150)], 20)
    image[100:106, 30:36] = 170
    session = ThresholdSession(image)
    assert session.labels(ThresholdSettings(min_size_px=3)).max() == 3
    assert session.labels(ThresholdSettings(min_size_px=12)).max() == 2


def test_cut_particles_can_be_left_out_but_not_those_that_touch_letters():
    image, _ = discs([(0, 60), (110, 60), (110, 130)], 20)
    marks = np.zeros(image.shape, bool)
    marks[100:120, 145:160] = True
    record = Micrograph(image, field=~marks, marks=marks)
    assert segment(record, "threshold").count == 3
    kept = segment(record, settings=ThresholdSettings(edge="remove"))
    assert kept.count == 2
    assert kept.labels[110, 130] > 0 and kept.labels[3, 60] == 0
    without = segment(Micrograph(image, field=~marks), settings=ThresholdSettings(edge="remove"))
    assert without.count == 1


def test_holes_are_filled_on_wish():
    image, _ = discs([(80, 100)], 40, noise=0)
    image[70:90, 90:110] = 60
    session = ThresholdSession(image)
    filled = session.labels(ThresholdSettings(fill_holes=True))
    assert filled[80, 100] > 0
    assert session.labels(ThresholdSettings(fill_holes=False))[80, 100] == 0


def test_nothing_is_found_outside_the_field_or_the_region():
    image, _ = discs(CENTRES, 20)
    record = Micrograph(image, data_bar=(140, 160))
    roi = np.zeros(image.shape, bool)
    roi[:, :80] = True
    found = segment(record, "threshold", roi=roi)
    assert found.labels.shape == image.shape
    assert found.labels.dtype == np.int32
    assert not found.labels[140:].any() and not found.labels[:, 80:].any()
    assert found.count == 2


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((50, 60), np.uint8),
        np.full((50, 60), 65535, np.uint16),
        np.full((50, 60), np.nan, np.float32),
        np.full((50, 60), np.inf, np.float32),
        np.zeros((1, 1), np.uint8),
        np.zeros((1, 40), np.uint8),
    ],
)
def test_a_picture_that_shows_nothing_has_no_particles(image):
    found = segment(Micrograph(image), "threshold")
    assert found.count == 0
    assert found.labels.shape == image.shape
    assert found.notes


def test_a_picture_without_field_has_no_particles():
    image, _ = discs(CENTRES, 20)
    record = Micrograph(image, field=np.zeros(image.shape, bool))
    assert segment(record, "threshold").count == 0


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e3, 1e30]),
)
@settings(max_examples=40, deadline=None)
def test_any_picture_gives_consecutive_labels(shape, seed, scale):
    image = (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)
    found = segment(Micrograph(image), "threshold")
    assert set(np.unique(found.labels)) - {0} == set(range(1, found.count + 1))
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


def test_grey_values_may_be_scaled_and_stored_in_any_type():
    image, _ = discs(CENTRES, 20)
    first = segment(Micrograph(image), "threshold").labels
    for other in (image.astype(np.uint16) * 250, image / np.float32(1e5), image - np.int16(300)):
        assert (segment(Micrograph(other), "threshold").labels != first).mean() < 1e-3


def test_broken_pixels_do_not_matter():
    image, truth = discs(CENTRES, 20)
    broken = image.astype(np.float32)
    broken[5:8, 5:8] = np.nan
    broken[150, 150] = 1e30
    found = segment(Micrograph(broken), "threshold")
    assert evaluate(truth, found)["ap50"] == 1


def test_sharp_outlines_are_surer_than_faint_ones():
    image, _ = discs([(80, 50)], 20)
    faint, _ = discs([(80, 150)], 20, inside=110)
    both = np.maximum(image, faint)
    found = segment(Micrograph(both), "threshold")
    sharp, weak = found.labels[80, 50], found.labels[80, 150]
    assert sharp and weak
    assert found.confidence[sharp - 1] > found.confidence[weak - 1] + 0.2


def test_the_resolved_settings_repeat_the_result():
    image, _ = discs(CENTRES, 20)
    found = segment(Micrograph(image), "threshold")
    plain = json.loads(json.dumps(found.settings))
    again = segment(Micrograph(image), settings=ThresholdSettings.from_dict(plain))
    assert np.array_equal(found.labels, again.labels)
    assert "auto" not in plain.values()


def test_a_session_gives_what_a_fresh_run_gives():
    image, _ = discs(CENTRES, 20)
    session = ThresholdSession(image)
    wishes = [
        ThresholdSettings(),
        ThresholdSettings(offset=0.1),
        ThresholdSettings(split_strength=0.9),
        ThresholdSettings(polarity="dark"),
        ThresholdSettings(min_size_px=30),
        ThresholdSettings(diameter_px=100),
        ThresholdSettings(fill_holes=False, smoothing_px=0),
        ThresholdSettings(),
    ]
    for wish in wishes:
        assert np.array_equal(session.labels(wish), ThresholdSession(image).labels(wish))


def test_the_plan_says_what_will_be_done():
    image, _ = discs(CENTRES, 20)
    plan = ThresholdSession(image).plan()
    assert "brighter" in str(plan) and "split strength" in str(plan)
    assert pickle.loads(pickle.dumps(plan)) == plan
    with pytest.raises(AttributeError):
        plan.level = 3


def test_stacks_are_done_page_by_page():
    image, _ = discs(CENTRES, 20)
    stack = Micrograph(np.stack([image, image[::-1]]))
    with pytest.raises(InvalidSettings, match="stack of 2"):
        segment(stack)
    assert [found.count for found in segment_stack(stack)] == [4, 4]


def test_unknown_methods_and_settings_of_others_are_refused():
    image = Micrograph(np.zeros((9, 9), np.uint8))
    with pytest.raises(InvalidSettings, match="no segmentation method"):
        segment(image, "treshold")
    with pytest.raises(InvalidSettings, match="takes ThresholdSettings"):
        segment(image, "threshold", settings=object())
    with pytest.raises(InvalidSettings, match="does not fit"):
        segment(image, roi=np.ones((3, 3), bool))


def test_progress_is_told_and_cancelling_stops():
    image, _ = discs(CENTRES, 20)
    seen = []
    segment(
        Micrograph(image), "threshold", progress=lambda done, total, what: seen.append(done / total)
    )
    assert seen[-1] == 1 and seen == sorted(seen)
    with pytest.raises(Cancelled):
        segment(Micrograph(image), "threshold", cancel=lambda: True)


def test_every_method_says_what_it_is():
    for name, row in METHODS.items():
        assert row.help and issubclass(row.settings, object), name


@pytest.mark.data
def test_bam_pictures_keep_their_data_bar_free_and_their_particles_bright(shared_data):
    from napari_sem_tools.reading import read

    for path in sorted((shared_data / "bam" / "images").glob("*.tif"))[::11]:
        found = segment(read(path), "threshold")
        assert found.settings["polarity"] == "bright"
        assert found.count > 5 and not found.labels[712:766].any()


def test_each_hint_of_a_limit_makes_one_particle_less_likely():
    foreground = np.zeros((40, 80), bool)
    foreground[10:30, 10:70] = True
    grey = foreground.astype(np.float32)
    cues = grey_cues(grey, 1.0)
    labels = np.where(foreground, 1 + (np.arange(80) >= 40), 0).astype(np.int32)
    distance = ndimage.distance_transform_edt(foreground).astype(np.float32)
    pair = describe(Pieces(labels, 2, distance), cues)
    assert pair.first.size == 1 and pair.face[0] == 20
    plain = pair.log_odds()[0]
    for row, direction in enumerate((1, -1, -1, -1)):  # distance, step, valley, ridge
        on_face = pair.on_face.copy()
        on_face[row] += 0.05 * pair.face
        changed = dataclasses.replace(pair, on_face=on_face).log_odds()[0]
        assert np.sign(changed - plain) == direction
