"""Focus, page Series: the best position with its interval, the way there, and a warning outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from focus_parts import BLURS, add, series, use_edge_score, write_series
from qtpy.QtWidgets import QApplication

from napari_sem_tools.widgets.focus.widget import FocusWidget

SHARPEST = BLURS.index(min(BLURS))


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_edge_score(monkeypatch, tmp_path)


@pytest.fixture
def page(model: Any, stack: Any, open_widget: Callable[..., Any]) -> Any:
    widget = open_widget(FocusWidget, model)
    widget.tabs.setCurrentWidget(widget.series)
    return widget.series


def test_the_best_slice_is_found_and_gone_to(
    model: Any, page: Any, finish: Any, qtbot: Any
) -> None:
    model.dims.set_current_step(0, 0)
    finish(page.panel)
    found = page.found
    print(page.words.text())
    assert abs(found.best - SHARPEST) < 0.5
    assert found.interval[0] <= found.best <= found.interval[1]
    assert "Best focus at" in page.words.text()
    assert {"score", "score_low"} <= set(found.curves.columns)
    page.best.click()
    assert model.dims.current_step[0] == SHARPEST
    qtbot.waitUntil(lambda: page.curve.canvas is not None, timeout=20_000)
    page.curve._draw()
    assert page.curve._line.get_xdata()[0] == SHARPEST
    click = SimpleNamespace(inaxes=page.curve.axes, xdata=1.2)
    page.curve._on_click(click)
    assert model.dims.current_step[0] == 1
    assert page.curve._line.get_xdata()[0] == 1


def test_typed_positions_have_their_unit_and_their_direction(
    model: Any, page: Any, finish: Any
) -> None:
    page.kind.setCurrentText("typed")
    page.first.setValue(10)
    page.step.setValue(-0.5)
    page.unit.setText("mm")
    page.measures.choose(["LAPV"])
    finish(page.panel)
    found = page.found
    assert found.best == pytest.approx(10 - 0.5 * SHARPEST, abs=0.3)
    assert "mm" in page.words.text()
    assert "LAPV" in found.curves
    page.go_to_best()
    assert model.dims.current_step[0] == SHARPEST, "the positions fall, the slices rise"
    page.step.setValue(0)
    page.panel.run_button.click()
    assert "step of 0" in page.panel.status_line.text()


def test_an_optimum_outside_is_said_with_the_way_there(model: Any, page: Any, finish: Any) -> None:
    image = series()
    model.layers.clear()
    add(model, image.replace(pixels=image.pixels[:3]))
    finish(page.panel)
    assert not page.found.inside
    assert "⚠" in page.words.text()
    assert "outside" in page.words.text()
    assert "Look next at 3" in page.words.text()
    assert page.words.styleSheet()


def test_a_folder_is_a_series_too(model: Any, page: Any, tmp_path: Path, finish: Any) -> None:
    folder = tmp_path / "session"
    write_series(folder)
    assert page.take_paths([folder])
    panel = page.panel
    from qtpy.QtTest import QTest

    while panel.work.running:
        QTest.qWait(20)
    assert page.found.best == pytest.approx(SHARPEST, abs=0.5)
    page.go_to_best()
    assert model.layers.selection.active.name == f"frame{SHARPEST + 1}"
    panel.copy_button.click()
    text = QApplication.clipboard().text()
    assert "sem.focus_series(" in text
    compile(text, "copied", "exec")


def test_depth_and_all_in_focus_lie_on_the_stack(
    model: Any, stack: Any, page: Any, finish: Any, qtbot: Any
) -> None:
    assert not page.depth.button.isEnabled()
    page.kind.setCurrentText("typed")
    page.step.setValue(0.5)
    finish(page.panel)
    for _ in range(2):
        page.depth.button.click()
        qtbot.waitUntil(lambda: not page.panel.work.running, timeout=60_000)
    assert [one.name for one in model.layers] == ["series", "series all in focus", "series depth"]
    assert page.found is not None, "the curve stays"
    sharp, depth = model.layers["series all in focus"], model.layers["series depth"]
    for layer in (sharp, depth):
        assert tuple(layer.scale) == tuple(stack.scale[1:])
        assert tuple(layer.units) == tuple(stack.units[1:])
        assert layer.data.shape == stack.data.shape[1:]
    assert sharp.data.dtype == stack.data.dtype
    assert float(np.nanmedian(depth.data)) == pytest.approx(0.5 * SHARPEST, abs=0.2)
    assert model.layers.selection.active is stack
    offered = [page.panel.chooser.itemText(n) for n in range(page.panel.chooser.count())]
    assert "series all in focus" in offered, "an image like any other"
    assert "series depth" not in offered
    page.depth.button.click()
    model.layers.remove(stack)
    qtbot.waitUntil(lambda: not page.panel.work.running, timeout=60_000)
    assert "series depth" in [one.name for one in model.layers]
    assert page.found is None


def test_a_stack_removed_meanwhile_shows_nothing(
    model: Any, stack: Any, page: Any, qtbot: Any
) -> None:
    page.panel.run_button.click()
    model.layers.remove(stack)
    qtbot.waitUntil(lambda: not page.panel.work.running, timeout=60_000)
    assert page.found is None
    assert not page.best.isEnabled()


def test_a_single_image_is_no_series(model: Any, page: Any) -> None:
    model.layers.clear()
    image = series().plane(0)
    add(model, image)
    assert not page.can_run()
    assert not page.panel.run_button.isEnabled()
    model.add_image(np.zeros((40, 50, 3), np.uint8), rgb=True, name="colour")
    assert not page.can_run()
