"""The Models widget: what there is, what it is, in and out, and nothing without need."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtWidgets import QMessageBox
from small_models import add_model, as_file, use_store
from window_parts import drop

from napari_sem_tools.models.card import TrainingData
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store
from napari_sem_tools.widgets import models as module
from napari_sem_tools.widgets.model_card import card_html
from napari_sem_tools.widgets.models import ModelsWidget


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A folder of the user's, and a shared one that is never written to."""
    places = [Place(tmp_path / "mine", "user"), Place(tmp_path / "lab", "shared")]
    store = Store(places)
    use_store(store, monkeypatch)
    return store


@pytest.fixture
def show(model: Any, open_widget: Callable[..., Any], qtbot: Any) -> Callable[[], Any]:
    """Open the widget and wait until it has looked at the disk."""

    def make() -> Any:
        widget = open_widget(ModelsWidget, model)
        settle(widget, qtbot)
        return widget

    return make


def settle(widget: Any, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not (widget.work.running or widget.listing.running), timeout=60_000)


def names(widget: Any) -> list[str]:
    rows = [widget.list.topLevelItem(n) for n in range(widget.list.topLevelItemCount())]
    return [row.text(0).removesuffix(" 1.0.0") for row in rows]


def test_without_a_model_it_says_what_to_do(store: Store, show: Callable[[], Any]) -> None:
    widget = show()
    assert names(widget) == []
    assert "No model is installed" in widget.card.toPlainText()
    assert "no model" in widget.memory_line.text()
    for button in ("run_button", "export_button", "remove_button", "unload_button"):
        assert not getattr(widget, button).isEnabled()
    assert widget.import_button.isEnabled()
    widget.copy_button.click()
    assert widget.status_line.text() == widget.wants


def test_without_torch_it_says_how_to_get_it(
    store: Store, show: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    widget = show()
    assert 'pip install "napari-sem-tools[torch]"' in widget.device_line.text()
    assert not widget.device_button.isVisible()


def test_opening_it_does_not_load_torch(
    store: Store, show: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    widget = show()
    assert "torch" not in sys.modules
    installed = importlib.util.find_spec("torch") is not None
    expected = "found when the first network runs" if installed else "PyTorch"
    assert expected in widget.device_line.text()


@pytest.mark.torch
def test_a_card_is_shown_with_all_that_one_decides_by(
    store: Store, show: Callable[[], Any]
) -> None:
    add_model(store, "small")
    widget = show()
    row = widget.list.topLevelItem(0)
    texts = [row.text(column) for column in range(widget.list.columnCount())]
    assert texts[:2] == ["small 1.0.0", "segmentation"]
    assert texts[3:] == ["BSD-3-Clause", "yours"]
    card = widget.card.toPlainText()
    for text in (
        "small@1.0.0",
        "An untrained network for tests.",
        "foreground: particle",
        "emps (CC-BY-4.0)",
        "AP@0.5 = 0.81 [0.78, 0.84] on emps, test",
        "objects of about 30 px",
        "clipped at 1 and 99 %",
        store.find("small").card.weights.sha256,
    ):
        assert text in card
    widget.copy_button.click()
    compile(widget.python(), "copied", "exec")
    assert "sem.models.lease('small@1.0.0')" in widget.python()


@pytest.mark.torch
def test_what_a_stranger_writes_on_a_card_is_shown_as_text(store: Store) -> None:
    hostile = "<img src='file:///x'><script>alert(1)</script>"
    data = TrainingData(hostile, hostile, "javascript:alert(1)")
    add_model(store, "small", description=hostile, licence=hostile, training_data=(data,))
    html = card_html(store.find("small"))
    assert "<img" not in html
    assert "<script" not in html
    assert "href" not in html


@pytest.mark.torch
def test_a_file_is_imported_by_dropping_it(
    store: Store, show: Callable[[], Any], tmp_path: Path, qtbot: Any
) -> None:
    elsewhere = Store([Place(tmp_path / "other computer", "user")])
    for name in ("one", "two"):
        add_model(elsewhere, name)
    files = [as_file(elsewhere, name, tmp_path) for name in ("one", "two")]
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK not really")
    widget = show()
    assert drop(widget.list, files[0], broken, files[1]).isAccepted()
    settle(widget, qtbot)
    settle(widget, qtbot)
    assert names(widget) == ["one", "two"]
    status = widget.status_line.text()
    assert "Imported one@1.0.0, two@1.0.0." in status
    assert "broken.zip" in status, "what was refused is named beside what was kept"
    assert not drop(widget.list, tmp_path / "image.tif").isAccepted()


@pytest.mark.torch
def test_bare_weights_are_imported_with_the_card_beside_them(
    store: Store, show: Callable[[], Any], tmp_path: Path, qtbot: Any
) -> None:
    elsewhere = Store([Place(tmp_path / "other computer", "user")])
    add_model(elsewhere, "one")
    folder = tmp_path / "stick"
    shutil.copytree(elsewhere.find("one").folder, folder)
    widget = show()
    drop(widget.list, folder / "weights.safetensors")
    settle(widget, qtbot)
    settle(widget, qtbot)
    assert names(widget) == ["one"]
    (folder / "card.json").unlink()
    drop(widget.list, folder / "weights.safetensors")
    settle(widget, qtbot)
    assert "says nothing about its model" in widget.status_line.text()


@pytest.mark.torch
def test_an_exported_file_holds_the_model(
    store: Store, show: Callable[[], Any], tmp_path: Path, qtbot: Any
) -> None:
    add_model(store, "small")
    widget = show()
    widget.export_to(tmp_path / "carried")
    settle(widget, qtbot)
    assert str(tmp_path / "carried.zip") in widget.status_line.text()
    drop(widget.list, tmp_path / "carried.zip")
    settle(widget, qtbot)
    assert "Imported small@1.0.0" in widget.status_line.text()


@pytest.mark.torch
def test_what_was_written_before_cancel_was_clicked_is_said(
    store: Store, show: Callable[[], Any], tmp_path: Path, qtbot: Any
) -> None:
    add_model(store, "small")
    widget = show()
    widget.export_to(tmp_path / "carried")
    qtbot.waitUntil(lambda: widget.work.running, timeout=10_000)
    widget.run_button.click()
    settle(widget, qtbot)
    assert "Written to" in widget.status_line.text()
    assert (tmp_path / "carried.zip").exists()


@pytest.mark.torch
def test_changed_weights_are_found_by_verify(
    store: Store, show: Callable[[], Any], finish: Any
) -> None:
    for name in ("good", "changed"):
        add_model(store, name)
    widget = show()
    finish(widget)
    assert widget.status_line.text() == "All 2 models are what their cards say."
    weights = store.find("changed").weights
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    finish(widget)
    assert "1 of 2 models cannot be used" in widget.status_line.text()
    assert widget.run_button.text() == "Verify all"


@pytest.mark.torch
def test_verify_can_be_cancelled(
    store: Store, show: Callable[[], Any], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sem_tools.tasks import stop_if_cancelled

    add_model(store, "small")
    started: list[bool] = []

    def endless(*, progress: Any, cancel: Any) -> Any:
        started.append(True)
        while True:
            progress(1, 10, "hashing")
            stop_if_cancelled(cancel)

    monkeypatch.setattr(store, "verify", endless)
    widget = show()
    widget.run_button.click()
    qtbot.waitUntil(lambda: bool(started), timeout=10_000)
    assert widget.run_button.text() == "Cancel"
    widget.run_button.click()
    qtbot.waitUntil(lambda: not widget.work.running, timeout=2_000)
    assert "Cancelled" in widget.status_line.text()


@pytest.mark.torch
def test_removing_asks_once_and_touches_the_users_own_alone(
    store: Store, show: Callable[[], Any], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]

    def question(parent: Any, title: str, text: str, *_: Any) -> Any:
        asked.append(text)
        return answers[len(asked) - 1]

    monkeypatch.setattr(QMessageBox, "question", question)
    add_model(store, "mine")
    lab = store.places[1].folder / "theirs"
    add_model(Store([Place(lab.parent, "user")]), "theirs")
    widget = show()
    widget.list.setCurrentItem(widget.list.topLevelItem(1))
    assert widget.chosen().card.name == "theirs"
    assert not widget.remove_button.isEnabled()
    widget.list.setCurrentItem(widget.list.topLevelItem(0))
    widget.remove_button.click()
    assert len(asked) == 1
    assert "mine" in store.names()
    widget.remove_button.click()
    settle(widget, qtbot)
    settle(widget, qtbot)
    assert len(asked) == 2
    assert names(widget) == ["theirs"]
    assert (lab / "1.0.0" / "card.json").exists()


@pytest.mark.torch
def test_memory_is_shown_with_leases_and_given_back(
    store: Store, show: Callable[[], Any], qtbot: Any
) -> None:
    from napari_sem_tools.models import models

    models.unload()
    key = add_model(store, "small")
    widget = show()
    with models.lease("small", device="cpu"):
        widget.show_memory()
        assert f"{key} on cpu" in widget.memory_line.text()
        assert "in use" in widget.memory_line.text()
        assert not widget.unload_button.isEnabled()
    widget.show_memory()
    assert "idle" in widget.memory_line.text()
    widget.unload_button.click()
    assert "freed" in widget.status_line.text()
    assert models.in_memory() == ()


@pytest.mark.torch
def test_the_device_is_said_with_its_reason(
    store: Store, show: Callable[[], Any], qtbot: Any
) -> None:
    import torch

    widget = show()
    qtbot.waitUntil(lambda: not widget.device_work.running, timeout=60_000)
    assert widget.device_line.text().startswith("Networks run on ")
    assert torch.__version__ in widget.device_line.toolTip()


@pytest.mark.torch
def test_a_folder_that_is_no_model_is_named(store: Store, show: Callable[[], Any]) -> None:
    add_model(store, "small")
    bad = store.user_folder / "bad" / "1.0.0"
    bad.mkdir(parents=True)
    (bad / "card.json").write_text("{}")
    widget = show()
    assert names(widget) == ["small"]
    assert widget.problem_line.isVisible()
    assert str(bad) in widget.problem_line.toolTip()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_follows_the_theme(store: Store, show: Callable[[], Any], theme: str) -> None:
    from napari.settings import get_settings

    before = get_settings().appearance.theme
    get_settings().appearance.theme = theme
    try:
        assert "color:#" not in show().card.toHtml().replace(" ", "").split("<body")[1]
    finally:
        get_settings().appearance.theme = before


def test_a_runtime_that_another_thread_just_imports_holds_no_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from types import ModuleType

    from napari_sem_tools.models import models

    name = "napari_sem_tools.models.runtime"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    assert models.in_memory() == ()
    assert models.unload() == 0
