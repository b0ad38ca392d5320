"""What a texture vector must tell, and what it must not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_sem_tools.classification import EMBEDDINGS, embed, embedding_row, texture_field
from napari_sem_tools.classification.texture import BLOCKS, describe, feature_names
from napari_sem_tools.errors import InvalidSettings, ModelNotFound
from napari_sem_tools.micrograph import Micrograph


def spots(seed=0, size=(160, 200), blur=3.0):
    """Return a blurred random picture."""
    noise = np.random.default_rng(seed).normal(size=size)
    smooth = gaussian_filter(noise, blur)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def stripes(size=(160, 200)):
    """Return vertical lines."""
    wave = np.sin(np.arange(size[1]) / 3.0)
    rng = np.random.default_rng(1)
    return np.uint8(np.clip(128 + 80 * wave + rng.normal(0, 10, size), 0, 255))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.torch] if row.needs else [])
        for name, row in EMBEDDINGS.items()
    ],
)
def test_every_embedding_gives_unit_vectors_of_its_dimension(name):
    row = embedding_row(name)
    vector = embed(spots(), model=name)
    assert vector.shape == (row.dimension,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert row.identity.startswith(name)


def test_an_unknown_embedding_is_named():
    with pytest.raises(ModelNotFound, match="'clip'"):
        embed(spots(), model="clip")


@given(gain=st.floats(0.3, 1.0), offset=st.integers(0, 20), turns=st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_contrast_brightness_and_quarter_turns_change_nothing(gain, offset, turns):
    picture = spots().astype(np.float32)
    turned = np.rot90(picture * np.float32(gain) + offset, turns)
    assert embed(picture) @ embed(np.ascontiguousarray(turned)) > 0.995


def test_two_pictures_of_one_texture_are_nearer_than_two_textures():
    fine, coarse = embed(spots(0)), embed(spots(1, blur=8.0))
    assert embed(spots(2)) @ fine > 0.9
    assert embed(spots(2)) @ coarse < 0.7
    assert embed(spots(2)) @ embed(stripes()) < 0.5


def test_what_lies_outside_the_field_is_not_looked_at():
    picture = spots(size=(200, 200))
    field = np.ones(picture.shape, bool)
    field[160:] = False
    field[:12, :30] = False  # letters
    spoiled = picture.copy()
    spoiled[~field] = 255
    clean, drawn = (embed(Micrograph(pixels, field=field)) for pixels in (picture, spoiled))
    assert np.array_equal(clean, drawn)


def test_a_field_is_reduced_by_area_and_keeps_its_aspect():
    field = texture_field(spots(size=(768, 1024)))
    assert field.shape == (320, 427)
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0.5, abs=0.01)
    assert np.quantile(field, 0.9) == pytest.approx(0.9, abs=0.01)
    assert texture_field(spots(size=(100, 90))).shape == (100, 90)


def test_a_field_too_small_is_refused():
    with pytest.raises(InvalidSettings, match="10 x 200"):
        embed(np.zeros((10, 200), np.uint8))


@pytest.mark.parametrize("value", [0, 255])
def test_a_blank_picture_has_a_finite_vector(value):
    assert np.isfinite(embed(np.full((64, 64), value, np.uint8))).all()


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_has_its_length_and_is_finite(name):
    function, length = BLOCKS[name]
    numbers = function(texture_field(spots()))
    assert numbers.shape == (length,)
    assert np.isfinite(numbers).all()


def test_names_and_numbers_agree():
    assert len(feature_names()) == len(describe(texture_field(spots()))) == 90


def test_lines_prefer_two_directions_and_noise_none():
    place = [n for n, name in enumerate(feature_names()) if name.startswith("spectrum")][13:15]
    lines = describe(texture_field(stripes()))[place]
    noise = describe(texture_field(spots(blur=0.0)))[place]
    assert lines.max() > 0.5
    assert noise.max() < 0.1
