"""The page says what was scored, shows every score, and the best and worst images."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation import SCORES, Protocol, Scene, Scores, evaluate, write_page
from napari_sem_tools.evaluation.scenes import LEGEND, scene_png


def scene(shift: int) -> Scene:
    truth = np.zeros((60, 80), int)
    truth[5:25, 5:25], truth[30:50, 40:60] = 1, 2
    image = np.random.default_rng(shift).normal(30, 4, truth.shape) + 150 * (truth > 0)
    return Scene(truth, np.roll(truth, shift, axis=1), image.astype(np.uint8))


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene(shift) for shift in (0, 12, 2, 4)]


@pytest.fixture(scope="module")
def scores(scenes: list[Scene]) -> Scores:
    return evaluate([s.truth for s in scenes], [s.found for s in scenes], pixel_size=2.0)


def test_every_row_of_the_table_of_scores_is_computed_and_explained(scores: Scores):
    summary = scores.summary(n_boot=0)
    computed = {name.partition("_")[2] for name in summary}
    assert computed == set(SCORES)
    for row in SCORES.values():
        assert row.text and row.judged in ("mean", "pooled")


def test_the_page_holds_scores_protocol_and_pictures(
    scores: Scores, scenes: list[Scene], tmp_path: Path
):
    protocol = Protocol(data_set="made <here>", split="fold 2", training_seed=7, n_boot=50, seed=3)
    path = write_page(
        tmp_path / "page.html", scores, scenes=scenes, protocol=protocol, shown=1, title="A & B"
    )
    page = path.read_text(encoding="utf-8")
    assert "A &amp; B" in page and "made &lt;here&gt;" in page and "fold 2" in page
    assert "50 draws, seed 3" in page
    for row in SCORES.values():
        assert row.title.replace("'", "&#x27;") in page
    one = scores.summary(n_boot=50, seed=3)["mean_ap50"]
    assert f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" in page
    assert page.index("image 2: AP@0.5 0.000") < page.index("image 1: AP@0.5 1.000")
    assert "image 3: AP@0.5" not in page  # neither best nor worst
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "<script" not in page


def test_only_the_images_that_are_shown_are_read(scores: Scores, tmp_path: Path):
    asked = []

    def look(number: int) -> Scene:
        asked.append(number)
        return scene((0, 12, 2, 4)[number])

    write_page(tmp_path / "page.html", scores, scenes=look, shown=1)
    assert asked == [1, 0]


@pytest.mark.slow
def test_a_page_may_be_a_pdf(scores: Scores, scenes: list[Scene], tmp_path: Path):
    path = write_page(tmp_path / "page.pdf", scores, scenes=scenes[:4], shown=1)
    assert path.read_bytes().startswith(b"%PDF")


def test_a_page_without_protocol_or_with_few_images_says_so(scores: Scores, tmp_path: Path):
    page = write_page(tmp_path / "page.html", scores).read_text(encoding="utf-8")
    assert "the interval over images says little" in page
    assert "cannot be compared" in page


@pytest.mark.parametrize(("name", "opacity"), [("page.html", 1.2), ("page.txt", 0.5)])
def test_what_is_no_page_is_refused(scores: Scores, tmp_path: Path, name: str, opacity: float):
    with pytest.raises(InvalidSettings):
        write_page(tmp_path / name, scores, opacity=opacity)


def drawn(one: Scene, **wishes: object) -> np.ndarray:
    rows = wishes.get("rows")
    counts = evaluate(one.truth, one.found, rows=rows).images[0]
    return imread(io.BytesIO(scene_png(one, counts, **wishes)))[..., :3]


def test_colours_say_what_is_right_missed_and_false():
    truth = np.zeros((400, 400), int)
    truth[50:150, 50:150], truth[250:350, 50:150] = 1, 2
    found = np.where(truth == 1, 1, 0)
    found[250:350, 250:350] = 2
    picture = drawn(Scene(truth, found), opacity=1.0)
    for place, meaning in (
        ((100, 100), "found and right"),
        ((300, 100), "missed"),
        ((300, 300), "false, on ground"),
        ((250, 100), "outline, true"),
        ((250, 300), "outline, found"),
    ):
        assert picture[place] == pytest.approx(LEGEND[meaning], abs=0.01), meaning
    assert picture[10, 10] == pytest.approx([0.5] * 3, abs=0.01)


def test_colours_are_as_transparent_as_asked():
    truth = np.zeros((400, 400), int)
    truth[50:150, 50:150] = 1
    image = np.zeros((460, 400), np.uint8)  # with a data bar below the labels
    image[:200] = 200
    clear, half = (drawn(Scene(truth, truth, image), opacity=o) for o in (0, 0.5))
    assert clear.shape == half.shape == (400, 806, 3)  # image, gap, image with colours
    np.testing.assert_allclose(clear[100, 100], clear[100, 506])
    expected = (clear[100, 100] + LEGEND["found and right"]) / 2
    assert half[100, 506] == pytest.approx(expected, abs=0.01)


def test_rows_that_do_not_count_are_not_shown_and_large_images_are_reduced():
    truth = np.zeros((2400, 900), int)
    truth[100:200, 100:200] = 1
    assert drawn(Scene(truth, truth), rows=(0, 2300)).shape == (767, 300, 3)


def test_small_images_are_enlarged_by_a_whole_factor():
    assert drawn(Scene(np.eye(50, dtype=int), np.eye(50, dtype=int))).shape == (400, 400, 3)


def test_a_folder_of_results_says_what_made_them(tmp_path: Path):
    said = {"method": "particles", "model": "particles 1.0 abc", "settings": {"min_size_px": 5}}
    (tmp_path / "summary.json").write_text(json.dumps(said))
    protocol = Protocol(split="all").with_results(tmp_path)
    assert protocol.model == "particles 1.0 abc"
    assert dict(protocol.settings) == {"min_size_px": 5}
    assert Protocol(model="mine").with_results(tmp_path).model == "mine"
    assert Protocol().with_results(tmp_path / "nowhere") == Protocol()
