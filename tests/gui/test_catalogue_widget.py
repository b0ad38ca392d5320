"""Catalogue: add folders, find by filters and likeness, correct categories, see the map."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from classify_parts import KINDS, fill, picture, write_kinds
from qtpy.QtCore import Qt
from window_parts import drop, idle

from napari_sem_tools.catalogue import Catalogue
from napari_sem_tools.catalogue import collection as collection_module
from napari_sem_tools.classification import teach
from napari_sem_tools.focus import FocusScore
from napari_sem_tools.layers import image_arguments
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.catalogue import find, shelf
from napari_sem_tools.widgets.catalogue.widget import CatalogueWidget
from napari_sem_tools.widgets.classify import choice


def quick_focus(image: Micrograph) -> FocusScore:
    return FocusScore(min(float(image.grey.std()) / 10, 10.0), (0.0, 10.0), method="spread")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither see nor write what the developer has; a focus score that costs nothing."""
    monkeypatch.setattr(shelf, "last_catalogue_file", lambda: tmp_path / "last.txt")
    monkeypatch.setattr(choice, "registered", list)
    monkeypatch.setattr(choice, "saved_judges", list)
    monkeypatch.setattr(collection_module, "focus_score", quick_focus)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_kinds(tmp_path / "images", 3)


@pytest.fixture
def widget(model: Any, open_widget: Callable[..., Any], qtbot: Any) -> Any:
    return open_widget(CatalogueWidget, model)


@pytest.fixture
def filled(widget: Any, images: Path, tmp_path: Path, qtbot: Any) -> Any:
    """The widget over a catalogue of nine images, listed on the page Find."""
    with Catalogue(tmp_path / "index", focus=quick_focus) as made:
        made.add(images)
    widget.line.choose(tmp_path / "index")
    idle(widget, qtbot)
    return widget.find


def names(page: Any) -> list[str]:
    return [page._row(number)["name"] for number in page.model.listed()]


def choose(page: Any, *wanted: str) -> None:
    page.view.choose([n for n in page.model.listed() if page._row(n)["name"] in wanted])


def test_a_new_catalogue_is_made_by_dropping_a_folder(
    widget: Any, images: Path, tmp_path: Path, qtbot: Any
) -> None:
    (images / "torn.tif").write_bytes(b"II*\0 torn")
    widget.line.choose(tmp_path / "index")
    assert widget.page is widget.adding, "an empty one begins with adding"
    drop(widget, images)
    idle(widget, qtbot)
    qtbot.waitUntil(lambda: "9 images" in widget.adding.counts.text(), timeout=60_000)
    assert "9 new, 1 not readable" in widget.status_line.text()
    assert widget.adding.problems.topLevelItem(0).text(0) == "torn.tif"
    widget.tabs.setCurrentWidget(widget.find)
    idle(widget, qtbot)
    assert len(names(widget.find)) == 9
    assert (tmp_path / "last.txt").read_text().strip() == str(tmp_path / "index")
    fill(images / "blobs", "blobs", 1, first=80)
    widget.tabs.setCurrentWidget(widget.adding)
    widget.adding.do("refresh")
    idle(widget, qtbot)
    assert "1 new" in widget.status_line.text()


def test_what_was_open_last_is_open_again(
    filled: Any, widget: Any, model: Any, open_widget: Callable[..., Any], qtbot: Any
) -> None:
    other = open_widget(CatalogueWidget, model)
    idle(other, qtbot)
    assert other.shelf.path == widget.shelf.path
    assert len(names(other.find)) == 9


def test_cancel_keeps_what_was_added(
    widget: Any, images: Path, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Semaphore(4)

    def slow(image: Micrograph) -> FocusScore:
        gate.acquire(timeout=30)
        return quick_focus(image)

    monkeypatch.setattr(collection_module, "focus_score", slow)
    widget.line.choose(tmp_path / "index")
    drop(widget, images)
    qtbot.waitUntil(lambda: gate._value == 0, timeout=60_000)
    widget.run_button.click()
    gate.release(20)
    idle(widget, qtbot)
    assert "what was added stays" in widget.status_line.text()
    with Catalogue(tmp_path / "index") as made:
        assert 4 <= len(made) < 9


def test_pictures_come_by_themselves(filled: Any, qtbot: Any) -> None:
    role = Qt.ItemDataRole.DecorationRole
    assert filled.model.index(0, 0).data(role) is None, "nothing is fetched in the GUI thread"
    qtbot.waitUntil(lambda: filled.model.index(0, 0).data(role) is not None, timeout=30_000)
    filled.gallery.click()
    qtbot.waitUntil(lambda: filled.model.index(8, 0).data(role) is not None, timeout=30_000)


def test_filters_are_those_of_the_catalogue(filled: Any, widget: Any, qtbot: Any) -> None:
    for field, text, count in (
        ("name", "lines", 3),
        ("name", "", 9),
        ("pixel_size_max_nm", "1", 0),
        ("pixel_size_min_nm", "1.5", 9),
    ):
        filled.form.lines[field].setText(text)
        filled.form.lines[field].returnPressed.emit()
        idle(widget, qtbot)
        if field.startswith("pixel"):
            filled.form.lines[field].clear()
        assert len(names(filled)) == count, (field, text)
    filled.form.lines["magnification_min"].setText("much")
    filled.form.lines["magnification_min"].returnPressed.emit()
    assert "is no number" in widget.status_line.text()


def test_what_looks_alike_is_found_for_a_row_an_image_a_region_and_a_particle(
    filled: Any, widget: Any, model: Any, qtbot: Any
) -> None:
    choose(filled, "grains1.tif")
    qtbot.keyClick(filled.view.table, Qt.Key.Key_L)
    idle(widget, qtbot)
    assert all(name.startswith("grains") for name in names(filled)[:2])
    assert "grains1.tif" not in names(filled), "the image itself is left out"
    assert not filled.view.table.isColumnHidden(2)
    # the left half shows lines, the right half blobs
    both = np.hstack([picture("lines", 60, 96), picture("blobs", 61, 96)])
    layer = model.add_image(both, **image_arguments(Micrograph(both), "both"))
    model.layers.selection.active = layer
    filled.count.setValue(3)
    answers = {}
    for column, kind in ((0, "lines"), (96, "blobs")):
        shapes = model.add_shapes(
            [np.array([[2, column + 2], [2, column + 92], [92, column + 92], [92, column + 2]])],
            shape_type="polygon",
        )
        filled.shapes.choose(shapes)
        filled.what.setCurrentIndex(filled.what.findData("region"))
        widget.run_button.click()
        idle(widget, qtbot)
        answers[kind] = names(filled)
    assert answers["lines"][0].startswith("lines")
    assert answers["blobs"][0].startswith("blobs")
    labels = np.zeros(both.shape, int)
    labels[20:80, 110:180] = 7
    particles = model.add_labels(labels)
    filled.labels.choose(particles)
    filled.what.setCurrentIndex(filled.what.findData("particle"))
    particles.selected_label = 3
    widget.run_button.click()
    idle(widget, qtbot)
    assert "No particle" in widget.status_line.text()
    particles.selected_label = 7
    widget.run_button.click()
    idle(widget, qtbot)
    assert names(filled)[0].startswith("blobs")
    assert "particle 7 of both" in widget.status_line.text()


def test_categories_are_set_undone_and_given_by_a_judge(
    filled: Any, widget: Any, tmp_path: Path, qtbot: Any
) -> None:
    choose(filled, "blobs0.tif", "blobs1.tif")
    filled.naming.name.setCurrentText("Particles/Round")
    filled.naming.do("set")
    idle(widget, qtbot)
    said = filled.table.set_index("name")["category"]
    assert said["blobs0.tif"] == "Particles/Round"
    assert sorted(filled._row(n)["name"] for n in filled.view.chosen()) == [
        "blobs0.tif",
        "blobs1.tif",
    ], "the choice stays"
    filled.naming.line.take_taught(teach(write_kinds(tmp_path / "examples", 4), model="texture"))
    filled.naming.do("go")
    idle(widget, qtbot)
    said = filled.table.set_index("name")[["category", "category_origin", "category_confidence"]]
    assert said.loc["blobs0.tif", "category"] == "Particles/Round", "what was typed stays"
    for kind in KINDS[1:]:
        assert said.loc[f"{kind}0.tif", "category"] == kind
        assert 0.3 < said.loc[f"{kind}0.tif", "category_confidence"] <= 1
    for _ in range(2):
        filled.do("undo")
        idle(widget, qtbot)
    assert not filled.table["category"].notna().any()


def test_the_map_shows_a_point_and_a_click_opens_it(
    filled: Any, widget: Any, model: Any, qtbot: Any
) -> None:
    widget.tabs.setCurrentWidget(widget.map)
    widget.run_button.click()
    idle(widget, qtbot)
    view = widget.map.points
    qtbot.waitUntil(lambda: view.axes is not None, timeout=30_000)
    assert "mean little" in widget.map.warning.text()
    number = view.table.index[4]

    def mouse() -> Any:
        x, y = view.axes.transData.transform(view.table.loc[number, ["x", "y"]].to_numpy(float))
        return SimpleNamespace(x=x, y=y, button=1)

    assert view.nearest(mouse().x, mouse().y) == number
    assert view.nearest(-50, -50) is None
    view._on_move(mouse())
    name = Path(view.table.loc[number, "path"]).name
    assert name in widget.map.words.text()
    qtbot.waitUntil(lambda: not widget.map.picture.pixmap().isNull(), timeout=30_000)
    view._on_press(mouse())
    view._on_release(mouse())
    assert [layer.name for layer in model.layers] == [Path(name).stem]
    widget.map.colour.setCurrentIndex(1)
    view._draw()


def test_a_double_click_opens_an_image_and_the_list_is_exported(
    filled: Any, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.view.table.doubleClicked.emit(filled.model.index(0, 1))
    assert [layer.name for layer in model.layers] == [Path(names(filled)[0]).stem]
    out = tmp_path / "list.csv"
    monkeypatch.setattr(find, "asked_csv", lambda *_: out)
    filled.do("export")
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert {float(row["pixel_size_nm"]) for row in rows} == {2.0}
