"""A network's maps come back as particles on the image's own grid, at the scale it likes."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from napari_sem_tools.errors import Cancelled, InvalidSettings
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.models.card import InputSpec, ModelCard, OutputChannel, WeightsFile
from napari_sem_tools.segmentation.network import (
    NetworkSettings,
    _on_field,
    fill_holes,
    scaled_grey,
    segment_by_network,
)
from napari_sem_tools.training.data.targets import separation_targets

MAPS = ("foreground", "border", "distance")


class Seer:
    """Stands for a perfect network that sees particles of 20 to 60 px and nothing else."""

    def __init__(self, outputs=MAPS, usual=30.0):
        self.card = ModelCard(
            name="seer",
            version="1.0.0",
            task="segmentation",
            architecture="folded-unet",
            weights=WeightsFile("weights.safetensors", "0" * 64, 1),
            licence="BSD-3-Clause",
            created="2026-11-21",
            input=InputSpec(clip_low_percent=1, clip_high_percent=99, object_size_px=usual),
            outputs=tuple(OutputChannel(name) for name in outputs),
        )
        self.shapes = []
        self.flipped = []

    def predict(self, image, *, flips=False, notes=None, progress=None, cancel=None):
        from skimage.measure import label, regionprops

        self.shapes.append(image.shape)
        self.flipped.append(flips)
        labels = label(image > 0.5)
        for region in regionprops(labels):
            if not 20 <= region.equivalent_diameter_area <= 60:
                labels[labels == region.label] = 0
        maps = separation_targets(labels)[:3].astype(np.float32) / 255
        if not labels.any():
            maps[0] = 0.45  # undecided
        if progress is not None:
            progress(1, 1, "network")
        return maps


@pytest.fixture
def lease(monkeypatch):
    """Let the registry lend a stand-in, and return it."""
    from napari_sem_tools import models

    def lend(seer):
        @contextlib.contextmanager
        def leased(name, **wish):
            yield seer

        monkeypatch.setattr(type(models), "lease", lambda self, name, **wish: leased(name, **wish))
        return seer

    return lend


def discs(diameter, shape=(300, 400), gap=1.6):
    y, x = np.mgrid[: shape[0], : shape[1]]
    step = gap * diameter
    inside = np.hypot((y % step) - step / 2, (x % step) - step / 2) <= diameter / 2
    whole = (y < shape[0] // step * step) & (x < shape[1] // step * step)
    return np.where(inside & whole, 200, 30).astype(np.uint8)


@pytest.mark.parametrize(
    ("diameter", "scales"), [(40, {1.0, 0.5}), (90, {0.5, 0.25}), (130, {0.25})]
)
def test_particles_are_taken_at_a_scale_at_which_they_are_seen(lease, diameter, scales):
    lease(Seer())
    image = discs(diameter)
    found = segment_by_network("seer", Micrograph(image))
    assert found.settings["scale"] in scales
    assert found.labels.shape == image.shape
    truth = image > 100
    union = ((found.labels > 0) | truth).sum()
    assert ((found.labels > 0) & truth).sum() / union > 0.85


@pytest.mark.parametrize(("usual", "enlarged"), [(26.0, False), (33.0, True)])
def test_particles_that_are_small_for_the_network_are_looked_at_enlarged(lease, usual, enlarged):
    seer = lease(Seer(usual=usual))
    segment_by_network("seer", Micrograph(discs(24, gap=2.0)))
    assert ((600, 800) in seer.shapes) == enlarged


def test_an_image_in_which_nothing_is_seen_is_looked_at_enlarged_before_it_is_called_empty(lease):
    seer = lease(Seer(usual=30.0))
    found = segment_by_network("seer", Micrograph(np.full((300, 400), 90, np.uint8)))
    assert (600, 800) in seer.shapes
    assert found.labels.max() == 0


def test_a_known_size_needs_one_look(lease):
    seer = lease(Seer(usual=30.0))
    segment_by_network("seer", Micrograph(discs(60)), settings=NetworkSettings(diameter_px=60))
    assert seer.shapes == [(150, 200)]


def test_every_look_averages_over_mirrored_images_when_it_is_asked_for(lease):
    seer = lease(Seer())
    image = Micrograph(discs(40))
    segment_by_network("seer", image)
    assert not any(seer.flipped)
    seer.flipped.clear()
    found = segment_by_network("seer", image, settings=NetworkSettings(average_flips=True))
    assert all(seer.flipped)
    assert found.settings["average_flips"] is True


def test_labels_outside_the_field_are_zero_and_numbers_have_no_gap(lease):
    lease(Seer())
    image = Micrograph(discs(40), data_bar=(200, 260))
    region = np.zeros((300, 400), bool)
    region[:, :250] = True
    found = segment_by_network("seer", image, region)
    assert not found.labels[200:260].any()
    assert not found.labels[:, 250:].any()
    assert np.array_equal(np.unique(found.labels), np.arange(found.count + 1))


def test_progress_only_rises_to_the_end(lease):
    lease(Seer(usual=60.0))
    seen = []
    image = Micrograph(discs(24, gap=2.0))
    segment_by_network("seer", image, progress=lambda done, total, what: seen.append(done / total))
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_cancelling_gives_no_result(lease):
    lease(Seer())
    with pytest.raises(Cancelled):
        segment_by_network("seer", Micrograph(discs(40)), cancel=lambda: True)


def test_a_model_of_another_kind_is_refused_by_what_it_gives(lease):
    lease(Seer(outputs=("crack",)))
    with pytest.raises(InvalidSettings, match="gives crack, not particles"):
        segment_by_network("seer", Micrograph(discs(40)))


@pytest.mark.parametrize("value", [0, 200])
def test_an_even_image_has_no_particles(lease, value):
    lease(Seer())
    found = segment_by_network("seer", Micrograph(np.full((64, 80), value, np.uint8)))
    assert found.count == 0


def test_grey_values_are_scaled_inside_the_field_alone():
    grey = np.full((20, 30), 1000, np.uint16)
    grey[:10] = np.linspace(0, 100, 30).astype(np.uint16)
    field = np.zeros((20, 30), bool)
    field[:10] = True
    scaled = scaled_grey(grey, field, InputSpec(clip_low_percent=0, clip_high_percent=100))
    assert scaled[:10].min() == 0
    assert scaled[:10].max() == 1
    assert np.all(scaled[10:] == np.median(scaled[:10]))
    bad = grey.astype(np.float32)
    bad[3, 4] = np.nan
    assert np.isfinite(scaled_grey(bad, field, InputSpec())).all()


def test_a_hole_between_two_particles_stays():
    labels = np.zeros((9, 9), np.int32)
    labels[1:8, 1:8] = 1
    labels[4, 4] = 0
    assert fill_holes(labels)[4, 4] == 1
    labels[1:8, 4:8] = np.where(labels[1:8, 4:8] > 0, 2, 0)
    assert fill_holes(labels)[4, 4] == 0
    labels[4, :5] = 0  # open to the outside
    assert fill_holes(labels)[4, 2] == 0


@pytest.mark.parametrize(("ground", "particle"), [(30, 200), (200, 60)])
def test_a_single_particle_on_a_wide_even_ground_keeps_its_contrast_within_what_is_learned(
    ground, particle
):
    grey = np.full((300, 300), ground, np.uint8)
    grey[100:116, 100:116] = particle
    scaled = scaled_grey(
        grey, np.ones(grey.shape, bool), InputSpec(clip_low_percent=1, clip_high_percent=99)
    )
    assert -0.3 <= scaled.min() < scaled.max() <= 2.0
    assert scaled.max() - scaled.min() > 1


def test_one_look_drops_what_the_network_is_unsure_of_and_several_leave_that_to_the_judge():
    wish = NetworkSettings(least_confidence=0.3)
    assert wish.decoding().min_confidence == 0.3
    assert wish.candidates().min_confidence == 0.5


def test_particles_are_numbered_from_the_top_down_however_sure_they_are():
    found = np.zeros((9, 9), np.int32)
    found[1:3, 1:8], found[4:6, 1:3], found[7:, 5:] = 3, 1, 2
    labels, kept = _on_field(found, np.ones(found.shape, bool), NetworkSettings())
    assert [int(labels[y, x]) for y, x in ((1, 1), (4, 1), (7, 5))] == [1, 2, 3]
    assert kept.tolist() == [2, 0, 1]  # where their confidence stands
