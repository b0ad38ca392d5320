"""Scores of named images, against what can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation import evaluate_images, separation

NAMES = ("a", "b", "c")


def made(n=3000, sharp=2.0, seed=0):
    """Return honest probabilities: the truth is drawn from them."""
    rng = np.random.default_rng(seed)
    chance = np.exp(sharp * rng.normal(size=(n, 3)))
    chance /= chance.sum(1, keepdims=True)
    true = (chance.cumsum(1) < rng.random((n, 1))).sum(1)
    return [NAMES[k] for k in true], chance


def certain(named):
    """Return probabilities that are sure of the names given."""
    return np.eye(3)[[NAMES.index(one) for one in named]]


def test_counts_are_those_made_by_hand():
    scores = evaluate_images(list("aaaabbc"), certain("aaabbaa"), NAMES)
    assert scores.confusion.tolist() == [[3, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert scores.accuracy == pytest.approx(4 / 7)
    assert scores.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert scores.macro_f1 == pytest.approx((6 / 9 + 2 / 4 + 0) / 3)
    table = scores.per_class()
    assert table.loc["a", "precision"] == pytest.approx(3 / 5)
    assert table["images"].tolist() == [4, 2, 1]
    assert np.isnan(table.loc["c", "precision"])
    assert scores.confused(2) == [("a", "b", 1), ("b", "a", 1)]


@given(seed=st.integers(0, 10_000), size=st.integers(5, 60))
@settings(max_examples=25, deadline=None)
def test_top_k_grows_to_one(seed, size):
    true, chance = made(size, seed=seed)
    scores = evaluate_images(true, chance, NAMES)
    found = [scores.top_k(k) for k in (1, 2, 3)]
    assert found == sorted(found)
    assert found[0] == pytest.approx(scores.accuracy)
    assert found[2] == 1


def test_honest_probabilities_have_no_calibration_error():
    scores = evaluate_images(*made(20_000), NAMES)
    assert scores.ece() < 0.015
    boasting = scores.tempered(0.3)
    assert boasting.ece() > 0.08
    assert boasting.accuracy == scores.accuracy
    assert boasting.tempered().ece() < 0.015


def test_sure_images_are_answered_first():
    chance = [[0.99, 0.01, 0], [0.9, 0.1, 0], [0.7, 0.3, 0], [0.6, 0.4, 0]]
    scores = evaluate_images(list("aaba"), chance, NAMES)
    assert scores.covered(0.99) == (0.5, 0.9)
    assert scores.covered(0.75) == (1.0, 0.6)
    wrong = evaluate_images(list("bbbb"), chance, NAMES)
    assert wrong.covered() == (0.0, float("inf"))


def test_images_of_equal_confidence_are_answered_together():
    scores = evaluate_images(list("aab"), [[0.8, 0.2, 0]] * 3, NAMES)
    assert scores.covered(0.99)[0] == 0


def test_changed_labels_are_suspected():
    rng = np.random.default_rng(1)
    true = rng.integers(0, 3, 300)
    chance = 0.1 + 0.7 * np.eye(3)[true] + 0.02 * rng.random((300, 3))
    chance /= chance.sum(1, keepdims=True)
    labels = true.copy()
    labels[:12] = (labels[:12] + 1) % 3
    scores = evaluate_images([NAMES[k] for k in labels], chance, NAMES)
    assert set(scores.suspects()) == set(range(12))


def test_intervals_resample_groups():
    true = ["a"] * 40 + ["b"] * 40
    chance = certain(["a"] * 20 + ["b"] * 20 + ["b"] * 40)
    alone = evaluate_images(true, chance, NAMES).summary()["accuracy"]
    four = evaluate_images(true, chance, NAMES, groups=np.arange(80) // 20).summary()["accuracy"]
    assert alone.value == four.value == 0.75
    assert four.high - four.low > 2 * (alone.high - alone.low)


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_separation_is_the_share_of_pairs_in_order(strange, known):
    apart = np.subtract.outer(np.asarray(strange, float), np.asarray(known, float))
    expected = ((apart > 0) + 0.5 * (apart == 0)).mean()
    assert separation(strange, known) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("true", "chance", "said"),
    [
        (["a"], [[1.0, 0.0]], "shape"),
        (["d"], [[1.0, 0, 0]], "'d'"),
        (["a"], [[0.5, 0, 0]], "sum to 1"),
        (["a"], [[np.nan, 0, 1]], "sum to 1"),
        ([], np.zeros((0, 3)), "shape"),
    ],
)
def test_what_is_no_classification_is_refused(true, chance, said):
    with pytest.raises(InvalidSettings, match=said):
        evaluate_images(true, chance, NAMES)


def test_bins_of_equal_mass_hold_equally_many_images():
    rng = np.random.default_rng(3)
    sure = rng.uniform(0.5, 1, 300)
    chance = np.stack([sure, 1 - sure], axis=1)
    true = np.where(rng.random(300) < sure, "a", "b")  # as sure as it is right
    scores = evaluate_images(list(true), chance, ("a", "b"))
    table = scores.reliability(equal_mass=True)
    assert table["images"].tolist() == [20] * 15
    assert scores.ece(equal_mass=True) < 0.12
    assert scores.reliability()["images"].sum() == 300
    assert np.allclose(scores.confusion_percent.sum(1), 100)


def test_predictions_of_folds_are_pooled_and_doubtful_labels_listed(tmp_path, capsys):
    from napari_sem_tools.cli.main import main
    from napari_sem_tools.errors import InvalidSettings, UnreadableFile
    from napari_sem_tools.evaluation import read_predictions

    heads = "path,part,group,category,named,p a,p b\n"
    first, second = tmp_path / "0.csv", tmp_path / "1.csv"
    first.write_text(heads + "".join(f"a{n},validation,{n},a,a,0.9,0.1\n" for n in range(5)))
    second.write_text(
        heads
        + "".join(f"b{n},validation,{n + 9},b,b,0.2,0.8\n" for n in range(5))
        + "wrong,test,20,b,a,0.97,0.03\n"
    )
    found = read_predictions([first, second])
    assert found.scores.accuracy == pytest.approx(10 / 11)
    assert found.named("b", "a") == ("wrong",)
    (one,) = found.review()
    assert (one.path, one.category, one.rather) == ("wrong", "b", "a")
    assert read_predictions([first, second], part="test").paths == ("wrong",)
    with pytest.raises(InvalidSettings, match="twice"):
        read_predictions([first, first])
    (tmp_path / "2.csv").write_text("path,category\nx,a\n")
    with pytest.raises(UnreadableFile, match="no predictions"):
        read_predictions(tmp_path / "2.csv")
    assert main(["evaluate", str(first), str(second), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "look at wrong: b (0.03), rather a (0.97)" in said
    assert "b named a: 1" in said
