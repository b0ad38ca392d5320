"""What the learned embedding must tell, and where it is taken by itself."""

import importlib.util

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_sem_tools.classification import EMBEDDINGS, embed, resolved_embedding, teach
from napari_sem_tools.classification.learned import embed_learned, has_network
from napari_sem_tools.errors import MissingExtra


def grains(seed, blur=3.0, size=(160, 200)):
    """Return a blurred random picture."""
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=size), blur)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def discs(seed, radius=12, size=(192, 192)):
    """Return bright discs on a dark, noisy ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    picture = np.full(size, 60.0)
    for row, column in rng.uniform(radius, 192 - radius, (8, 2)):
        picture[np.hypot(y - row, x - column) < radius] = 180
    return np.uint8(np.clip(picture + rng.normal(0, 8, size), 0, 255))


def without_torch(monkeypatch):
    """Let PyTorch look as if it were not installed."""
    seen = importlib.util.find_spec
    monkeypatch.setattr(
        "napari_sem_tools.classification.learned.find_spec",
        lambda name: None if name == "torch" else seen(name),
    )


def test_without_pytorch_images_are_looked_at_by_their_texture(monkeypatch):
    without_torch(monkeypatch)
    assert not has_network()
    assert resolved_embedding("auto") == "texture"
    assert resolved_embedding("learned") == "learned"  # what is named is never exchanged


def test_vectors_of_texture_and_of_the_network_are_never_of_one_identity():
    texture, learned = (EMBEDDINGS[name].identity for name in ("texture", "learned"))
    assert texture != learned
    assert learned.startswith("learned-1-")


def test_the_identity_changes_with_the_weights(tmp_path, monkeypatch):
    row = EMBEDDINGS["learned"]
    other = type(row)(**{name: getattr(row, name) for name in row.__dataclass_fields__})
    monkeypatch.setattr(
        "napari_sem_tools.classification.embedding.json.loads",
        lambda content: {"weights": {"sha256": "of other weights"}},
    )
    assert other.identity != row.identity


@pytest.mark.torch
def test_with_pytorch_the_learned_embedding_is_taken():
    assert resolved_embedding("auto") == "learned"
    vector = embed(grains(0), model="auto")
    assert vector.shape == (EMBEDDINGS["learned"].dimension,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.torch
def test_gain_and_offset_change_nothing():
    picture = grains(0).astype(np.float32)
    assert embed(picture, model="learned") @ embed(0.4 * picture + 17, model="learned") > 0.999


@pytest.mark.torch
@pytest.mark.parametrize("make", [grains, discs])
def test_two_pictures_of_a_kind_are_nearer_than_two_kinds(make):
    one, again = (embed(make(seed), model="learned") for seed in (1, 2))
    coarser = embed(grains(3, blur=9.0), model="learned")
    other = embed((discs if make is grains else grains)(4), model="learned")
    assert one @ again > one @ coarser + 0.2
    assert one @ again > one @ other + 0.2


@pytest.mark.torch
@pytest.mark.parametrize("size", [(24, 24), (24, 200), (37, 53), (320, 1000)])
def test_any_size_of_field_has_a_vector(size):
    field = np.random.default_rng(0).random(size, np.float32)
    assert np.isfinite(embed_learned(field)).all()


@pytest.mark.torch
def test_categories_remember_by_which_embedding_they_were_taught():
    mine = teach({"fine": [grains(1), grains(2)], "coarse": [grains(1, 9.0), grains(2, 9.0)]},
                 model="auto")  # fmt: skip
    assert mine.embedding == "learned"
    assert mine.identity == EMBEDDINGS["learned"].identity


def test_what_is_unknown_is_told_by_the_numbers_that_were_not_trained_to_tell():
    row = EMBEDDINGS["learned"]
    vectors = np.random.default_rng(0).normal(size=(3, row.dimension)).astype(np.float32)
    part = row.known_by(vectors)
    assert part.shape == (3, 128)
    assert np.linalg.norm(part, axis=1) == pytest.approx(1, abs=1e-5)
    other = vectors.copy()
    other[:, 128:] = 7
    assert np.array_equal(row.known_by(other), part)
    assert EMBEDDINGS["texture"].known_by(vectors) is vectors


@pytest.mark.torch
def test_a_network_that_cannot_run_is_named(monkeypatch):
    from napari_sem_tools import models

    def refuse(self, name, **wish):
        raise MissingExtra("Networks need PyTorch.", extra="torch")

    monkeypatch.setattr(type(models), "lease", refuse)
    with pytest.raises(MissingExtra):
        embed(grains(0), model="learned")
