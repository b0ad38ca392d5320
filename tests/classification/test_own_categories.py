"""Categories from a few examples: right, honest about doubt, and the same after a round trip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_sem_tools.classification import (
    Examples,
    TeachSettings,
    classify,
    examples_in,
    read_categories,
    teach,
    teach_vectors,
)
from napari_sem_tools.classification.confidence import (
    conformal_limits,
    conformal_scores,
    conformal_sets,
    fit_temperature,
    softmax,
)
from napari_sem_tools.classification.domain import far_limit, left_out_distances, nearest
from napari_sem_tools.classification.heads import HEADS, fit_linear, left_out, parts_of
from napari_sem_tools.errors import (
    Cancelled,
    InvalidSettings,
    InvalidTrainingSet,
    OutputExists,
    UnreadableFile,
)


def texture(blur, seed, size=(96, 96)):
    """Return a random texture of a grain size."""
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=size), blur)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def clouds(per_category=12, spread=0.25, categories=3, dimension=20, seed=0):
    """Return vectors round random directions, and their categories."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(categories, dimension))
    labels = np.repeat(np.arange(categories), per_category)
    found = centres[labels] / np.sqrt(dimension) + spread * rng.normal(
        size=(len(labels), dimension)
    )
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), labels


def taught(per_category=12, spread=0.25, **options):
    """Teach categories from clouds."""
    vectors, labels = clouds(per_category, spread)
    names = tuple("abc")
    groups = np.arange(len(labels))
    return teach_vectors(Examples(names, labels, vectors, vectors, groups), **options)


@pytest.fixture(scope="module")
def grains():
    """Return categories of grain size, taught from four examples each."""
    return teach({
        "fine": [texture(1, seed) for seed in range(4)],
        "coarse": [texture(5, seed) for seed in range(4, 8)],
    })  # fmt: skip


# --- heads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADS)
def test_every_head_tells_clouds_apart_that_it_has_not_seen(name):
    vectors, labels = clouds()
    scores = left_out(HEADS[name], HEADS[name].strengths[-1], vectors, vectors, labels,
                      np.arange(len(labels)))  # fmt: skip
    assert (scores.argmax(1) == labels).mean() > 0.9


def test_the_linear_probe_is_at_the_minimum_of_its_loss():
    vectors, labels = clouds(spread=0.6)
    best = fit_linear(vectors, labels, 3, 1.0)
    middle = vectors.mean(0)
    variance = vectors.var(0)
    spread = np.sqrt(0.5 * (variance + variance.mean()))

    def loss(weights, offsets):
        chance = softmax(vectors @ weights.T + offsets)
        own = -np.log(chance[np.arange(len(labels)), labels]).mean()
        return own + 0.5 * np.square(weights * spread).sum() / len(labels)

    lowest = loss(best.weights, best.offsets)
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = 0.3 * rng.normal(size=best.weights.shape)
        assert loss(best.weights + step, best.offsets - step @ middle) > lowest


def test_what_all_examples_share_counts_nothing():
    vectors, labels = clouds(spread=0.1)
    moved = 0.02 * vectors + np.float32(0.2)  # small differences round a common vector
    for row in HEADS.values():
        scores = left_out(row, row.strengths[-1], moved, moved, labels, np.arange(len(labels)))
        assert (scores.argmax(1) == labels).mean() > 0.95


def test_a_rare_category_weighs_as_much_as_a_common_one():
    vectors, labels = clouds(per_category=40, spread=0.8, categories=2)
    kept = np.r_[0:40, 40:44]
    head = fit_linear(vectors[kept], labels[kept], 2, 0.03)
    chance = softmax(head.scores(vectors[kept]))[:, 1]
    expected = 0.5 * (chance[:40].mean() + chance[40:].mean())  # the categories weigh the same
    assert expected == pytest.approx(0.5, abs=1e-3)


def test_groups_are_never_divided():
    groups = np.repeat(np.arange(20), np.arange(1, 21))
    parts = parts_of(groups)
    assert len(np.unique(parts)) == 5
    assert all(len(np.unique(parts[groups == group])) == 1 for group in range(20))
    assert np.ptp(np.bincount(parts)) <= 20


def test_an_example_of_ones_own_group_is_no_judge():
    # two copies of each example under random names: only by the copy could it be named
    rng = np.random.default_rng(0)
    vectors, _ = clouds(per_category=30, spread=9.0, categories=1)
    labels = rng.integers(0, 2, 30)
    twice, names = np.repeat(vectors, 2, axis=0), np.repeat(labels, 2)
    row = HEADS["prototypes"]
    leaking = left_out(row, 1.0, twice, twice, names, np.arange(60)).argmax(1) == names
    honest = left_out(row, 1.0, twice, twice, names, np.repeat(np.arange(30), 2)).argmax(1) == names
    assert leaking.mean() > honest.mean() + 0.15


# --- confidence ------------------------------------------------------------------------------


def test_probabilities_agree_with_how_often_the_head_is_right():
    found = taught(spread=0.5, settings=TeachSettings(head="prototypes"))
    assert found.report["confidence"] == pytest.approx(found.report["accuracy"], abs=0.12)


def test_temperature_softens_what_is_sure_and_wrong():
    scores = np.array([[5.0, 0.0]] * 10)
    assert fit_temperature(scores, np.array([0] * 6 + [1] * 4)) > 5
    assert fit_temperature(scores, np.zeros(10, int)) < 3


@given(seed=st.integers(0, 1000), missed=st.sampled_from([0.05, 0.1, 0.2]))
@settings(max_examples=20, deadline=None)
def test_sets_hold_the_truth_as_often_as_promised(seed, missed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 2200)
    chance = softmax(np.eye(3)[truth] * 1.5 + rng.normal(size=(2200, 3)))
    limits = conformal_limits(chance[:200], truth[:200], missed)
    kept = conformal_sets(chance[200:], limits)
    covered = kept[np.arange(2000), truth[200:]].mean()
    assert 1 - missed - 0.11 < covered
    assert covered < 1 - missed + 0.11


def test_a_few_examples_named_right_make_nobody_certain():
    scores = np.array([[60.0, 0.0]] * 4 + [[0.0, 60.0]] * 4)
    labels = np.repeat([0, 1], 4)
    chance = softmax(scores, fit_temperature(scores, labels))
    assert chance.max() == pytest.approx(9 / 10, abs=0.01)  # Laplace: one more of each


def test_with_too_few_examples_nothing_is_ruled_out():
    chance = softmax(np.array([[9.0, 0.0], [0.0, 9.0]]))
    limits = conformal_limits(chance, np.array([0, 1]), 0.1)
    assert np.isinf(limits).all()
    assert conformal_sets(chance, limits).all()


def test_likelier_categories_come_first():
    scores = conformal_scores(np.array([[0.1, 0.6, 0.3]]))[0]
    assert scores.tolist() == pytest.approx([0.95, 0.3, 0.75])


# --- domain ----------------------------------------------------------------------------------


def test_the_distance_of_a_known_vector_is_to_its_neighbour():
    vectors, _ = clouds()
    distance, place = nearest(vectors, vectors, neighbours=1)
    assert distance == pytest.approx(0, abs=2e-3)
    assert place.tolist() == list(range(len(vectors)))


def test_left_out_distances_ignore_ones_own_group():
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    apart = left_out_distances(vectors, vectors, np.array([0, 0, 1, 1]))
    assert apart == pytest.approx(np.sqrt(2))
    assert np.isinf(left_out_distances(vectors, vectors, np.zeros(4, int))).all()


def test_the_share_of_examples_that_count_as_known_is_chosen():
    distances = np.arange(1.0, 101.0)
    assert far_limit(distances, 95.0) == 96
    assert far_limit(distances, 100.0) == 100


# --- teaching and naming ---------------------------------------------------------------------


def test_new_images_get_their_category(grains):
    table = classify([texture(1, 20), texture(5, 21)], grains)
    assert table["category"].tolist() == ["fine", "coarse"]
    assert table["in_domain"].all()
    assert table["answer"].tolist() == ["category", "category"]
    assert table["confidence"].max() < 0.99  # eight examples prove no more
    assert (table[["p fine", "p coarse"]].sum(axis=1) - 1).abs().max() < 1e-9


def test_another_kind_of_image_is_none_of_these(grains):
    lines = np.uint8(127 + 120 * np.sin(np.add.outer(np.zeros(96), np.arange(96)) / 2))
    row = classify(lines, grains).iloc[0]
    assert not row["in_domain"]
    assert row["answer"] in ("none of these", "no micrograph")
    assert row["category"] == ""


def test_an_image_of_two_halves_is_reported_as_mixed(grains):
    whole = np.hstack([texture(1, 30, (120, 130)), texture(5, 31, (120, 130))])
    near = teach({
        "fine": [texture(1, s) for s in range(4)],
        "coarse": [texture(5, s) for s in range(4, 8)],
    }, settings=TeachSettings(near_percent=100.0))  # fmt: skip
    row = classify(whole, near).iloc[0]
    assert row["answer"] in ("patches disagree", "none of these")
    assert row["answer"] != "category"


def test_categories_are_the_same_after_a_round_trip(grains, tmp_path):
    grains.save(tmp_path / "mine")
    again = read_categories(tmp_path / "mine")
    picture = texture(2, 9)
    assert classify(picture, again).equals(classify(picture, tmp_path / "mine"))
    assert again.names == grains.names
    assert np.array_equal(again.examples.vectors, grains.examples.vectors)
    with pytest.raises(OutputExists):
        grains.save(tmp_path / "mine")


def test_damaged_or_foreign_folders_are_refused(grains, tmp_path):
    place = grains.save(tmp_path / "mine")
    with pytest.raises(UnreadableFile):
        read_categories(tmp_path / "none")
    text = (place / "categories.json").read_text("utf-8")
    (place / "categories.json").write_text(text.replace(grains.identity, "texture-0"), "utf-8")
    with pytest.raises(InvalidSettings, match="texture-0"):
        read_categories(place)
    (place / "vectors.npz").write_bytes(b"PK")
    with pytest.raises(UnreadableFile):
        read_categories(place)


def test_a_folder_of_folders_is_a_set_of_examples(tmp_path):
    from skimage.io import imsave

    for name, blur in (("fine", 1), ("coarse", 5)):
        (tmp_path / name).mkdir()
        for seed in range(2):
            imsave(
                tmp_path / name / f"{seed}.png", texture(blur, seed + blur), check_contrast=False
            )
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "empty").mkdir()
    assert list(examples_in(tmp_path)) == ["coarse", "fine"]
    found = teach(tmp_path)
    assert found.examples.counts == {"coarse": 2, "fine": 2}
    (tmp_path / "fine" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table = classify(tmp_path / "fine", found)
    assert table["category"].tolist()[:2] == ["fine", "fine"]
    assert table["error"].iloc[2].startswith("bad.png")


@pytest.mark.parametrize(
    "examples", [{}, {"only": [np.zeros((64, 64))]}, {"a": [np.zeros((64, 64))], "b": []}]
)
def test_what_nothing_can_be_learnt_from_is_refused(examples):
    with pytest.raises(InvalidTrainingSet):
        teach(examples)


def test_teaching_can_be_stopped():
    with pytest.raises(Cancelled):
        teach({"a": [texture(1, 0)], "b": [texture(5, 0)]}, cancel=lambda: True)


def test_the_better_head_is_chosen_by_left_out_examples():
    found = taught(spread=0.5)
    scores = {k: v for k, v in found.report.items() if k.startswith("balanced")}
    assert len(scores) == 2
    assert scores[f"balanced accuracy, {found.head_name}"] == max(scores.values())
    assert taught(settings=TeachSettings(head="prototypes")).head_name == "prototypes"
