"""What Classify keeps about files and examples, and how it says it, without a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.catalogue import CatalogueFilter
from napari_sem_tools.classification import teach_vectors
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.widgets.catalogue.words import FILTER_ROWS, filter_of, number_of_text
from napari_sem_tools.widgets.classify.lesson import Example, Lesson
from napari_sem_tools.widgets.classify.state import NamedFiles
from napari_sem_tools.widgets.classify.text import answer_text, headline, percent

NAMES = ("wires", "films")


def row(wires: float, answer: str = "category", **more: object) -> dict[str, object]:
    category = NAMES[int(wires < 0.5)] if answer in ("category", "two of these") else ""
    return {
        "category": category,
        "confidence": max(wires, 1 - wires),
        "answer": answer,
        "possible": NAMES if answer == "two of these" else (category,),
        "p wires": wires,
        "p films": 1 - wires,
        "error": "",
        **more,
    }


@pytest.fixture
def files() -> NamedFiles:
    made = NamedFiles()
    made.begin()
    made.add(Path("a.tif"), row(0.9), np.zeros((2, 2), np.uint8))
    made.add(Path("b.tif"), row(0.2))
    made.begin()
    made.add(Path("c.tif"), row(0.55, "two of these"))
    made.add(Path("torn.tif"), {"error": "torn.tif ends too early."})
    return made


def shown(files: NamedFiles, *arguments: str) -> list[str]:
    return [list(files.rows)[place].name for place in files.shown(*arguments)]


def test_views_and_searches_show_what_they_say(files: NamedFiles) -> None:
    assert shown(files, "all files", "") == ["a.tif", "b.tif", "c.tif", "torn.tif"]
    assert shown(files, "new", "") == ["c.tif", "torn.tif"]
    assert shown(files, "doubtful", "") == ["c.tif"]
    assert shown(files, "not readable", "") == ["torn.tif"]
    assert shown(files, "all files", "", "wires") == ["a.tif", "c.tif"]
    assert shown(files, "all files", "FILMS") == ["b.tif"]
    assert shown(files, "all files", "confidence > 0.7 and confidence < 0.85") == ["b.tif"]
    with pytest.raises(InvalidSettings):
        files.shown("all files", "confidence >")


def test_a_correction_wins_ends_the_doubt_and_is_exported_beside_what_was_found(
    files: NamedFiles,
) -> None:
    assert files.correct([Path("c.tif"), Path("nowhere.tif")], "fibres") == 1
    assert files.category(Path("c.tif")) == "fibres"
    assert shown(files, "doubtful", "") == []
    files.add(Path("c.tif"), row(0.1))
    assert files.category(Path("c.tif")) == "fibres", "it stays when the file is seen again"
    table = files.export().set_index("image")
    assert table.loc["c.tif", ["category", "found"]].tolist() == ["fibres", "films"]
    assert files.lessons() == {"fibres": [Path("c.tif")]}
    assert files.categories() == ["wires", "films", "fibres"]


@given(st.lists(st.sampled_from(["a wires", "b films", "a", "b fibres", "undo", "redo"])))
def test_corrections_can_always_be_undone_to_the_beginning(steps: list[str]) -> None:
    files = NamedFiles()
    for name in "ab":
        files.add(Path(f"{name}.tif"), row(0.9))
    states = []
    for step in steps:
        if step in ("undo", "redo"):
            getattr(files, step)()
        else:
            name, _, category = step.partition(" ")
            before = dict(files.corrected)
            if files.correct([Path(f"{name}.tif")], category):
                files.undo()
                assert files.corrected == before
                files.redo()
        states.append(dict(files.corrected))
    while files.can_undo:
        files.undo()
    assert files.corrected == {}
    while files.can_redo:
        files.redo()


def vectors(count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, 90)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def examples(count: int, seed: int = 0) -> list[Example]:
    return [Example(f"{seed}-{n}.tif", v, v) for n, v in enumerate(vectors(count, seed))]


def test_a_lesson_teaches_what_the_same_examples_teach_at_once() -> None:
    lesson = Lesson("texture")
    lesson.add({"wires": examples(4, 1), "films": examples(3, 2)})
    taught = lesson.taught()
    again = teach_vectors(lesson.record(), model="texture")
    assert taught.names == ("wires", "films")
    assert taught.head.weights == pytest.approx(again.head.weights)
    other = Lesson("texture")
    other.take(taught)
    assert other.counts == lesson.counts
    assert other.taught().head.weights == pytest.approx(taught.head.weights)


def test_an_example_belongs_to_one_category_alone() -> None:
    lesson = Lesson("texture")
    held = examples(3)
    lesson.add({"wires": held})
    lesson.add({"films": held[:1]})
    assert lesson.counts == {"wires": 2, "films": 1}
    lesson.add({"films": held[:1]})
    assert lesson.counts == {"wires": 2, "films": 1}, "the same one twice counts once"
    lesson.rename("wires", "whiskers")
    assert lesson.names == ["whiskers", "films"]
    with pytest.raises(InvalidSettings):
        lesson.rename("whiskers", "films")
    lesson.remove(lesson.examples["films"])
    assert "films" in lesson.missing
    for _ in range(5):
        lesson.undo()
    assert lesson.examples == {}


def test_every_answer_has_a_sentence_that_says_what_to_think() -> None:
    for answer, words in (
        ("two of these", "wires or films"),
        ("none of these", "None of these"),
        ("no micrograph", "No micrograph"),
        ("patches disagree", "Patches disagree"),
    ):
        said = row(0.6, answer, reason="it is in colour")
        assert words.lower() in (headline(said) + answer_text(said)).lower()
    assert percent(1.0) == "> 99 %", "certainty is never claimed"


def test_filters_are_typed_as_people_write_them() -> None:
    found = filter_of({"magnification_min": "10k", "acquired_to": "2024-05", "name": "  "})
    assert found == CatalogueFilter(magnification_min=10_000, acquired_to="2024-05")
    assert filter_of({}, nameless=True).category == ""
    for wrong in ({"focus_min": "sharp"}, {"acquired_from": "May"}, {"focus_max": "11"}):
        with pytest.raises(InvalidSettings):
            filter_of(wrong)
    named = {name for line in FILTER_ROWS for name in line.fields}
    assert named == {f.name for f in CatalogueFilter.fields()} - {"gone", "folder"}
    assert number_of_text("1.2M") == 1_200_000
