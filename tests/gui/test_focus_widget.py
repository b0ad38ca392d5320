"""Focus, page Score: it follows what is seen, has nm only with a scale, and can be taught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from focus_parts import BLURS, add, series, use_edge_score
from qtpy.QtWidgets import QApplication

from napari_sem_tools.focus.files.taught import read_taught
from napari_sem_tools.focus.network import FocusMap
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.focus import map as map_module
from napari_sem_tools.widgets.focus import score as score_module
from napari_sem_tools.widgets.focus.widget import FocusWidget
from napari_sem_tools.widgets.parts import is_kind

SHARPEST = BLURS.index(min(BLURS))


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_edge_score(monkeypatch, tmp_path)


@pytest.fixture
def widget(model: Any, open_widget: Callable[..., Any]) -> Any:
    return open_widget(FocusWidget, model)


@pytest.fixture
def settled(qtbot: Any) -> Callable[..., Any]:
    """Wait until the score is that of what is seen, and return it."""

    def wait(widget: Any) -> Any:
        page = widget.score
        qtbot.waitUntil(
            lambda: (
                not page.work.running
                and not page._late.isActive()
                and page.answer is not None
                and page.answer.generation == page._generation
            ),
            timeout=20_000,
        )
        return page.answer

    return wait


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[Micrograph]:
    """A map without a network: sharp on the left, blurred on the right."""
    seen: list[Micrograph] = []

    def make(image: Micrograph, **_: Any) -> FocusMap:
        seen.append(image)
        rows, columns = (-(-size // 16) for size in image.shape)
        score = np.tile(np.linspace(9, 2 + len(seen), columns, dtype=np.float32), (rows, 1))
        return FocusMap((10 - score) * 0.4, score, np.ones_like(score), 16)

    monkeypatch.setattr(map_module, "focus_map", make)
    return seen


def test_the_score_follows_the_slider(model: Any, stack: Any, widget: Any, settled: Any) -> None:
    found = []
    for page in range(len(BLURS)):
        model.dims.set_current_step(0, page)
        answer = settled(widget)
        assert answer.sight.page == page
        found.append(answer.score.score)
    print(f"scores over the slider: {np.round(found, 1)}")
    assert int(np.argmax(found)) == SHARPEST
    assert widget.score.gauge.score is widget.score.answer.score
    assert "nm" in widget.score.facts.text()
    assert widget.score.reasons.text().startswith("•")


def test_only_the_last_wish_of_a_moved_slider_is_shown(
    model: Any, stack: Any, widget: Any, settled: Any
) -> None:
    settled(widget)
    for page in (5, 0, 6, 1, 3):
        model.dims.set_current_step(0, page)
    assert settled(widget).sight.page == 3


def test_not_followed_while_it_is_told_not_to(
    model: Any, stack: Any, widget: Any, settled: Any, qtbot: Any
) -> None:
    first = settled(widget)
    widget.score.live.setChecked(False)
    model.dims.set_current_step(0, 5)
    QApplication.processEvents()
    assert not widget.score._late.isActive()
    assert widget.score.answer is first
    widget.score.look()
    model.dims.set_current_step(0, 6)
    qtbot.waitUntil(lambda: not widget.score.work.running, timeout=20_000)
    assert not widget.score._late.isActive(), "what moved meanwhile is not followed either"
    assert widget.score.answer.sight.page == 5


def test_an_uncalibrated_image_never_shows_nm(
    model: Any, widget: Any, settled: Any, mapped: Any, finish: Any
) -> None:
    image = add(model, series(calibrated=False))
    settled(widget)
    widget.score.measures.choose(["LoG2/var", "SIGM", "EDGW"])
    settled(widget)
    finish(widget)
    texts = [
        widget.score.facts.text(),
        widget.score.reasons.text(),
        widget.score.gauge.text(),
        widget.score.map.title.text(),
        widget.status_line.text(),
        *(str(unit) for unit in model.layers["series [3] focus"].units),
    ]
    print(texts)
    assert not any("nm" in text.split() or "nm" in text for text in texts)
    assert not widget.calibration_line.property("calibrated")
    image.scale, image.units = (1.0, 2.0, 2.0), ("pixel", "nm", "nm")
    settled(widget)
    assert "nm" in widget.score.facts.text(), "the scale that was given is taken at once"


def test_only_the_part_in_view_or_in_a_region_counts(
    model: Any, stack: Any, widget: Any, settled: Any
) -> None:
    whole = settled(widget)
    assert whole.sight.part == ""
    stack.corner_pixels = np.array([[0, 10, 20], [0, 79, 119]])
    widget.score.only_view.setChecked(True)
    answer = settled(widget)
    assert answer.sight.field[10:80, 20:120].all()
    assert int(answer.sight.field.sum()) == 70 * 100
    assert "100 x 70 px in view" in widget.score.facts.text()
    widget.score.only_view.setChecked(False)
    corners = np.array([[0, 0], [0, 100], [60, 100], [60, 0]], float) * 2
    drawn = model.add_shapes([corners], shape_type="polygon", units=("nm", "nm"), name="here")
    model.layers.selection.active = stack
    widget.score.region.choose(drawn)
    answer = settled(widget)
    assert 0 < int(answer.sight.field.sum()) < 62 * 102
    assert "inside here" in widget.score.facts.text()


def test_measures_stand_beside_the_score(model: Any, stack: Any, widget: Any, settled: Any) -> None:
    widget.score.measures.choose(["SIGM", "LoG2/var"])
    answer = settled(widget)
    shown = widget.score.list
    assert shown.topLevelItemCount() == 2 == len(answer.measures)
    names = [shown.topLevelItem(row).text(0) for row in range(2)]
    assert any("Gaussian" in name for name in names)
    assert "larger is sharper" in shown.topLevelItem(0).toolTip(0)
    widget.score.measures.choose([])
    settled(widget)
    assert shown.isHidden()


def test_the_map_lies_on_the_image_and_is_replaced_by_its_own_rerun(
    model: Any, stack: Any, widget: Any, settled: Any, mapped: Any, finish: Any
) -> None:
    settled(widget)
    finish(widget)
    layer = model.layers["series [3] focus"]
    assert layer.data.shape == stack.data.shape[1:]
    assert tuple(layer.scale) == tuple(stack.scale[1:])
    assert tuple(layer.units) == tuple(stack.units[1:])
    assert not is_kind(layer, "Image"), "no widget takes the map for a micrograph"
    assert model.layers.selection.active is stack
    assert "(nm)" in widget.score.map.title.text()
    right = float(layer.data[5, -1])
    finish(widget)
    assert [one.name for one in model.layers].count("series [3] focus") == 1
    assert float(layer.data[5, -1]) < right
    widget.score.map.opacity.setValue(25)
    assert layer.opacity == 0.25
    widget.score.map.quantity.setCurrentText("score")
    assert len(mapped) == 2, "another quantity is not worked out again"
    assert float(np.nanmax(layer.data)) == pytest.approx(9)
    model.dims.set_current_step(0, 4)
    settled(widget)
    finish(widget)
    assert {"series [3] focus", "series [4] focus"} <= {one.name for one in model.layers}


def test_an_image_removed_while_it_is_mapped_leaves_nothing(
    model: Any, stack: Any, widget: Any, settled: Any, mapped: Any, qtbot: Any
) -> None:
    settled(widget)
    widget.run_button.click()
    model.layers.remove(stack)
    qtbot.waitUntil(lambda: not widget.work.running, timeout=20_000)
    assert len(model.layers) == 0
    assert widget.score.answer is None
    assert widget.score.gauge.score is None


def test_what_is_taught_changes_the_score_and_is_kept(
    model: Any, stack: Any, widget: Any, settled: Any, open_widget: Any
) -> None:
    model.dims.set_current_step(0, 1)
    before = settled(widget).score
    teach = widget.score.teach
    teach.number.setValue(9.0)
    teach.remember.click()
    after = settled(widget)
    print(f"{before.score:.1f} became {after.score.score:.1f}")
    assert after.score.score > before.score
    assert after.raw.score == pytest.approx(before.score)
    assert [one.given for one in read_taught()] == [9.0]
    another = open_widget(FocusWidget, model)
    assert settled(another).score.score == pytest.approx(after.score.score)
    teach.undo.click()
    assert settled(widget).score.score == pytest.approx(before.score)
    assert read_taught() == ()
    for value in (8.0, 7.0):
        teach.number.setValue(value)
        teach.remember.click()
    assert [one.given for one in read_taught()] == [7.0], "one score for one frame"
    teach.forget.click()
    assert read_taught() == ()
    teach.undo.click()
    assert [one.given for one in read_taught()] == [7.0]


def test_the_method_can_be_chosen(
    model: Any, stack: Any, widget: Any, settled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = score_module.score_picture

    def counted(picture: Any, method: str) -> Any:
        asked.append(method)
        return real(picture, method)

    monkeypatch.setattr(score_module, "score_picture", counted)
    settled(widget)
    widget.score.method.setCurrentIndex(1)
    settled(widget)
    assert asked[-1] == "mix"
    assert widget.memory.scoring().method == "mix"
    widget.score.teach.remember.click()
    settled(widget)
    assert widget.memory.lesson.method == "mix", "teaching does not change the method"


def test_frames_that_cannot_be_read_are_said_and_not_lost(
    model: Any, open_widget: Any, settled: Any
) -> None:
    from napari_sem_tools.focus.files.taught import taught_file

    taught_file().parent.mkdir(parents=True, exist_ok=True)
    taught_file().write_text("nonsense", encoding="utf-8")
    another = open_widget(FocusWidget, model)
    assert "focus-taught.json" in another.status_line.text()
    add(model, series())
    settled(another)
    another.score.teach.remember.click()
    assert taught_file().read_text(encoding="utf-8") == "nonsense"
    assert another.memory.frames == ()


def test_a_failure_is_one_sentence_in_the_window(
    model: Any, stack: Any, widget: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(score_module, "score_picture", broken)
    model.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: "ZeroDivisionError" in widget.status_line.text(), timeout=20_000)
    assert widget.score.answer is None


def test_python_is_copied(model: Any, stack: Any, widget: Any, settled: Any) -> None:
    model.dims.set_current_step(0, 2)
    settled(widget)
    widget.copy_button.click()
    text = QApplication.clipboard().text()
    assert ".plane(2)" in text
    assert "sem.focus(image)" in text
    compile(text, "copied", "exec")


def test_without_an_image_it_says_what_to_do(widget: Any) -> None:
    assert not widget.run_button.isEnabled()
    assert "Select an image" in widget.calibration_line.text()
    widget.copy_button.click()
    assert "Select an image" in widget.status_line.text()
