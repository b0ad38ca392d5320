"""Classify: teach from a few examples, name the layer and many files, correct, export."""

from __future__ import annotations

import csv
import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from classify_parts import KINDS, fill, picture, write_kinds
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from window_parts import drop, idle

from napari_sem_tools.classification import heat_map, read_categories, teach
from napari_sem_tools.layers import image_arguments
from napari_sem_tools.micrograph import Calibration, Micrograph
from napari_sem_tools.widgets.classify import choice, judges, looking
from napari_sem_tools.widgets.classify import heat as heat_module
from napari_sem_tools.widgets.classify import teach as teach_module
from napari_sem_tools.widgets.classify.widget import ClassifyWidget
from napari_sem_tools.widgets.gallery import files as listed_files


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Neither see nor write the categories of the developer."""
    place = tmp_path / "kept"
    for module in (judges, teach_module):
        monkeypatch.setattr(module, "categories_folder", lambda: place)
    monkeypatch.setattr(choice, "registered", list)
    return place


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Categories that were taught from four small pictures of each kind."""
    return teach(write_kinds(tmp_path_factory.mktemp("examples")), model="texture")


@pytest.fixture
def widget(model: Any, open_widget: Callable[..., Any]) -> Any:
    return open_widget(ClassifyWidget, model)


@pytest.fixture
def judging(widget: Any, taught: Any) -> Any:
    """The widget with categories that judge."""
    widget.line.take_taught(taught)
    return widget


@pytest.fixture
def listed(judging: Any, tmp_path: Path, qtbot: Any) -> Any:
    """The list after six files and a torn one were dropped."""
    files = [one for kind in KINDS for one in fill(tmp_path / "new", kind, 2, first=50)]
    torn = tmp_path / "new" / "torn.tif"
    torn.write_bytes(b"II*\0 torn")
    drop(judging, *files, torn)
    idle(judging, qtbot)
    return judging.files.box


def names(box: Any) -> list[str]:
    return [path.name for path in box.model.listed()]


def choose(box: Any, *wanted: str) -> None:
    box.view.choose([path for path in box.files.rows if path.name in wanted])


def test_examples_are_taught_in_the_window_and_name_the_layer(
    widget: Any, model: Any, tmp_path: Path, qtbot: Any, own_folder: Path, monkeypatch: Any
) -> None:
    page = widget.teach
    widget.tabs.setCurrentWidget(page)
    assert not widget.run_button.isEnabled()
    for kind in KINDS[:2]:
        page.name.setText(kind)
        page.new.click()
        drop(widget, *fill(tmp_path / "mixed", kind, 4))
        idle(widget, qtbot)
    drop(widget, fill(tmp_path / "grains", "grains", 4)[0].parent)
    idle(widget, qtbot)
    assert page.lesson.counts == dict.fromkeys(KINDS, 4), "a folder is a category of its name"
    widget.run_button.click()
    idle(widget, qtbot)
    assert "12 examples" in page.line.text()
    assert widget.judge.names == list(KINDS)
    widget.tabs.setCurrentWidget(widget.image)
    image = Micrograph(picture("lines", 77))
    model.add_image(image.pixels, **image_arguments(image, "unknown"))
    qtbot.waitUntil(lambda: widget.image.answer is not None, timeout=60_000)
    assert widget.image.answer.row["category"] == "lines"
    assert "lines" in widget.image.head.text()
    assert widget.image.bars.rows[0][0] == "lines"
    # kept under a name, and offered from then on
    monkeypatch.setattr(teach_module, "asked_name", lambda *_: own_folder / "mine")
    page.do("save")
    assert read_categories(own_folder / "mine").names == KINDS
    assert widget.judge.title == "mine"


def test_the_image_becomes_an_example_and_steps_can_be_undone(
    judging: Any, model: Any, qtbot: Any
) -> None:
    page = judging.teach
    page.do("load")
    assert page.lesson.counts == dict.fromkeys(KINDS, 4)
    image = Micrograph(picture("lines", 78))
    model.add_image(image.pixels, **image_arguments(image, "new one"))
    judging.image.wanted.setCurrentText("stripes")
    judging.image.add.click()
    idle(judging, qtbot)
    assert page.lesson.counts["stripes"] == 1
    judging.image.wanted.setCurrentText("lines")
    judging.image.add.click()
    idle(judging, qtbot)
    assert page.lesson.counts == {**dict.fromkeys(KINDS, 4), "lines": 5, "stripes": 0}
    page.do("undo")
    page.do("undo")
    assert page.lesson.counts == dict.fromkeys(KINDS, 4)
    top = page._tops()[0]
    top.setText(0, "spheres")
    assert page.lesson.names[0] == "spheres"
    page.tree.setCurrentItem(page._tops()[1])
    qtbot.keyClick(page.tree, Qt.Key.Key_Delete)
    assert page.lesson.names == ["spheres", "lines"]
    qtbot.keyClick(page.tree, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(page.lesson.names) == 3


def test_dropped_files_become_a_list_with_pictures_and_a_bad_one_is_named(
    listed: Any, judging: Any
) -> None:
    assert judging.page is judging.files
    assert len(names(listed)) == 7
    assert "not readable: torn.tif" in judging.status_line.text()
    icon = listed.model.index(0, 0).data(Qt.ItemDataRole.DecorationRole)
    assert 0 < icon.availableSizes()[0].width() <= 112
    table = listed.files.table.set_index("file")
    for kind in KINDS:
        assert table.loc[f"{kind}50.tif", "category"] == kind
        assert kind in listed.model.index(names(listed).index(f"{kind}50.tif"), 2).data()
    assert table.loc["torn.tif", "error"]


def test_nothing_is_read_or_looked_at_in_the_thread_of_the_window(
    judging: Any, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[str]] = {}

    def noted(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(*arguments: Any, **options: Any) -> Any:
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    for name in ("list_files", "as_micrograph", "classify", "thumbnail"):
        noted(judges, name)
    noted(looking, "looked_at")
    drop(judging, *fill(tmp_path / "new", "lines", 2))
    idle(judging, qtbot)
    judging.files.box.view.choose(list(judging.files.box.files.rows))
    judging.files.box.do("teach")
    idle(judging, qtbot)
    assert len(threads) == 5
    assert all("MainThread" not in names for names in threads.values()), threads


def test_the_tab_key_goes_from_top_to_bottom(judging: Any) -> None:
    page, box = judging.files, judging.files.box
    order = [page.buttons["folder"], box.filter, box.which, box.of, box.rank, box.gallery]
    order += [box.view.table, box.right, *box.corrections.values(), *box.buttons.values()]
    order += [judging.run_button]
    chain, focus = [], order[0]
    while focus is not order[0] or not chain:
        chain.append(focus)
        focus = focus.nextInFocusChain()
    places = [chain.index(one) for one in order]
    assert places == sorted(places)
    assert not box.view.table.tabKeyNavigation(), "Tab leaves the table"


def test_new_results_come_to_the_old_ones(
    listed: Any, judging: Any, tmp_path: Path, qtbot: Any
) -> None:
    drop(judging, *fill(tmp_path / "later", "lines", 1, first=90))
    idle(judging, qtbot)
    assert len(names(listed)) == 8
    listed.which.setCurrentText("new")
    assert names(listed) == ["lines90.tif"]
    listed.which.setCurrentText("not readable")
    assert names(listed) == ["torn.tif"]


def test_what_is_dropped_meanwhile_waits_and_is_done_after(
    judging: Any, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    real = judges._named
    monkeypatch.setattr(judges, "_named", lambda *a: (gate.wait(30), real(*a))[1])
    drop(judging, *fill(tmp_path / "first", "lines", 1))
    assert judging.work.running
    drop(judging, *fill(tmp_path / "second", "blobs", 1))
    assert "1 more wait" in judging.status_line.text()
    gate.set()
    qtbot.waitUntil(lambda: len(judging.files.box.files.rows) == 2, timeout=60_000)
    idle(judging, qtbot)


def test_files_wait_until_something_can_judge(
    widget: Any, taught: Any, tmp_path: Path, qtbot: Any
) -> None:
    drop(widget, *fill(tmp_path / "early", "blobs", 1))
    assert not widget.work.running
    assert "wait" in widget.status_line.text()
    widget.line.take_taught(taught)
    idle(widget, qtbot)
    assert names(widget.files.box) == ["blobs0.tif"]


def test_cancel_keeps_what_was_classified(
    judging: Any, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Semaphore(2)  # two files may be looked at, then it waits for the user
    real = judges._named

    def slow(*arguments: Any) -> Any:
        gate.acquire(timeout=30)
        return real(*arguments)

    monkeypatch.setattr(judges, "_named", slow)
    drop(judging, *fill(tmp_path / "many", "grains", 6))
    box = judging.files.box
    qtbot.waitUntil(lambda: len(box.files.rows) == 2, timeout=60_000)
    judging.run_button.click()
    gate.release()
    idle(judging, qtbot)
    assert len(names(box)) < 4
    assert "of the list stay" in judging.status_line.text()
    assert judging.run_button.text() == "Classify files ..."


def test_a_correction_is_kept_undone_and_taught(
    listed: Any, judging: Any, tmp_path: Path, qtbot: Any
) -> None:
    choose(listed, "lines50.tif")
    number = [listed.right.itemText(n) for n in range(listed.right.count())].index("grains") + 1
    qtbot.keyClick(listed.view.table, getattr(Qt.Key, f"Key_{number}"))
    file = next(path for path in listed.files.rows if path.name == "lines50.tif")
    assert listed.files.category(file) == "grains"
    assert listed.view.chosen() != [file], "the next one is chosen"
    listed.do("again")
    judging.files.box.do("again")
    idle(judging, qtbot)
    assert listed.files.category(file) == "grains", "a correction stays when it is looked at again"
    qtbot.keyClick(listed.view.table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert listed.files.category(file) == "lines"
    listed.do("redo")
    judging.teach.do("corrected")
    idle(judging, qtbot)
    assert judging.teach.lesson.counts == {"grains": 1}


def test_search_rank_gallery_and_export(
    listed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, check in (
        ("lines5", lambda found: sorted(found) == ["lines50.tif", "lines51.tif"]),
        ("confidence > 0.2", lambda found: len(found) == 6),
    ):
        listed.filter.setText(text)
        listed.refresh()
        assert check(names(listed)), text
    listed.filter.setText("")
    listed.refresh()
    listed.rank.setCurrentIndex(listed.rank.findData("lines"))
    chances = listed.files.table.set_index("file")["p lines"]
    ranked = [chances[name] for name in names(listed)[:-1]]
    assert ranked == sorted(ranked, reverse=True)
    assert names(listed)[-1] == "torn.tif", "what has no probability comes last"
    listed.gallery.click()
    choose(listed, "lines51.tif")
    assert [path.name for path in listed.view.chosen()] == ["lines51.tif"]
    listed.of.setCurrentIndex(listed.of.findData("blobs"))
    assert sorted(names(listed)) == ["blobs50.tif", "blobs51.tif"]
    out = tmp_path / "named.csv"
    monkeypatch.setattr(listed_files, "asked_csv", lambda *_: out)
    listed.do("export")
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert {row["category"] for row in rows} == {"blobs"}
    assert 0 < float(rows[0]["p lines"]) < 1
    listed.do("copy")
    assert "blobs50.tif" in QApplication.clipboard().text()


def test_a_double_click_opens_a_file_once(listed: Any, model: Any) -> None:
    index = listed.model.index(names(listed).index("grains50.tif"), 1)
    for _ in range(2):
        listed.view.table.doubleClicked.emit(index)
    assert [layer.name for layer in model.layers] == ["grains50"]
    assert tuple(model.layers[0].scale) == (2.0, 2.0)


def test_a_network_says_where_it_looked_and_taught_categories_cannot(
    judging: Any, taught: Any, model: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = judging.image
    assert not page.heat.isEnabled()
    real = judges.classify
    monkeypatch.setattr(judges, "classify", lambda images, _: real(images, taught))
    asked: list[tuple[str, str | None]] = []
    signature = inspect.signature(heat_map)

    def looked(image: Micrograph, name: str, *, category: str | None) -> np.ndarray:
        signature.bind(image, name, category=category)  # what stands in for it takes the same
        asked.append((name, category))
        heat = np.linspace(0, 1, image.shape[1], dtype=np.float32)
        return np.tile(heat, (image.shape[0], 1))

    monkeypatch.setattr(heat_module, "heat_map", looked)
    monkeypatch.setattr(choice, "registered", lambda: [judges.Judge("toy", "toy")])
    judging.line.refill()
    judging.line.box.setCurrentText("toy")
    image = Micrograph(picture("lines", 77), Calibration((2.0, 2.0), "typed", "test"))
    model.add_image(image.pixels, **image_arguments(image, "unknown"))
    qtbot.waitUntil(lambda: page.answer is not None, timeout=60_000)
    for _ in range(2):
        page.heat.click()
        idle(judging, qtbot)
    assert asked == [("toy", "lines")] * 2
    assert [layer.name for layer in model.layers] == ["unknown", "unknown what decided"]
    assert tuple(model.layers[1].scale) == (2.0, 2.0)
    assert judging.chooser.layer() is model.layers[0], "a map is no micrograph"
