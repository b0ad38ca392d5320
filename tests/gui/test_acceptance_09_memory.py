"""Check 9: one load for all, memory that comes back, and what is done when it runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from engine_parts import choose, particles, resident_mib, state, wait
from small_models import add_seer

from napari_sem_tools.layers import image_arguments
from napari_sem_tools.models.store import Store
from napari_sem_tools.widgets.models import ModelsWidget
from napari_sem_tools.widgets.segment import SegmentWidget


@pytest.mark.torch
def test_9_five_widgets_and_the_console_load_a_model_once(
    model: Any, seer: str, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_sem_tools as sem
    from napari_sem_tools.models import runtime

    loads: list[str] = []
    real = runtime._load

    def counted(store: Any, card: Any, key: Any) -> Any:
        loads.append(card.key)
        return real(store, card, key)

    monkeypatch.setattr(runtime, "_load", counted)
    image = particles((300, 400))
    layer = model.add_image(image.pixels, **image_arguments(image))
    widgets = [open_widget(SegmentWidget, model) for _ in range(4)]
    overview = open_widget(ModelsWidget, model)
    for widget in widgets:
        choose(widget, seer)
        widget.run_button.click()
    found = sem.segment(layer, seer)
    wait(lambda: not any(widget.work.running for widget in widgets))
    overview.show_memory()
    assert loads == ["seer@1.0.0"]
    assert found.count > 20
    assert "seer@1.0.0 on cpu" in overview.memory_line.text()
    overview.unload_button.click()
    assert sem.models.in_memory() == ()
    print(f"{len(widgets) + 1} widgets and the console: {len(loads)} load")


@pytest.mark.torch
def test_9_unloading_gives_the_memory_back(
    model: Any, store: Store, open_widget: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sem_tools.models import models

    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    wide = {"channels": 2600}  # 9 x 2600 x 2600 weights: 232 MiB
    add_seer(store, "warm", monkeypatch)
    widget = open_widget(ModelsWidget, model)
    with models.lease("warm"):
        pass  # what torch takes for itself comes with the first network
    models.unload()
    add_seer(store, "wide", monkeypatch, **wide)
    start = resident_mib()
    with models.lease("wide"):
        pass
    loaded = resident_mib()
    widget.show_memory()
    widget.unload_button.click()
    after = resident_mib()
    print(f"memory {start:.0f} MiB, loaded {loaded:.0f}, unloaded {after:.0f} MiB")
    assert loaded - start > 150
    assert after - start < 50


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::napari_sem_tools.errors.SemWarning")
@pytest.mark.parametrize("stage", ["weights", "tiles"])
def test_9_memory_that_runs_out_ends_in_a_notice_and_a_result(
    model: Any,
    store: Store,
    seer: str,
    open_widget: Callable[..., Any],
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_sem_tools.models import runtime
    from napari_sem_tools.models.loaded import LoadedModel

    add_seer(store, "idle", monkeypatch, channels=4)
    with runtime.lease(store, "idle"):
        pass  # something that can go
    failures = [stage]
    real_load, real_tiles = runtime._load, LoadedModel.tiles

    def load(*given: Any) -> Any:
        if stage == "weights" and failures:
            raise MemoryError(failures.pop())
        return real_load(*given)

    def tiles(self: Any, batch: Any) -> Any:
        if stage == "tiles" and failures:
            raise MemoryError(failures.pop())
        return real_tiles(self, batch)

    monkeypatch.setattr(runtime, "_load", load)
    monkeypatch.setattr(LoadedModel, "tiles", tiles)
    image = particles((600, 700))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert not failures
    text = widget.status_line.text()
    print(f"{stage}: {text}")
    assert "particles in" in text
    assert model.layers[-1].data.max() > 50
    if stage == "weights":
        assert {one.key for one in runtime.in_memory()} == {"seer@1.0.0"}, "the idle one went"
        assert "Idle models were unloaded to make room for seer" in text
    else:
        assert "memory of cpu did not suffice" in text
        assert "instead of" in text


@pytest.mark.torch
def test_9_memory_that_never_suffices_is_said_in_a_sentence(
    model: Any, seer: str, open_widget: Callable[..., Any], monkeypatch: Any
) -> None:
    from napari_sem_tools.segmentation import network

    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError

    image = particles((300, 300))
    model.add_image(image.pixels, **image_arguments(image))
    widget = open_widget(SegmentWidget, model)
    choose(widget, seer)
    before = state(model)
    monkeypatch.setattr(network, "fuse", full)
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    assert "too little memory" in widget.status_line.text()
    assert state(model)[0] == before[0]
    assert state(model)[2] == before[2]
