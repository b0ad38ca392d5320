"""Check 6: the window stays alive while a network works."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from engine_parts import Heartbeat, choose, particles, wait
from small_models import use_store

from napari_sem_tools.layers import image_arguments
from napari_sem_tools.models import models
from napari_sem_tools.models.loaded import LoadedModel
from napari_sem_tools.models.locations import PACKAGED, Place
from napari_sem_tools.models.store import Store


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("network", ["small", "packaged"])
def test_6_the_window_beats_while_a_large_image_is_segmented(
    make_napari_viewer_proxy: Any,
    network: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    if network == "small":
        name = request.getfixturevalue("seer")
    else:
        use_store(Store([Place(PACKAGED, "packaged")]), monkeypatch)
        name = "particles"
    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    request.addfinalizer(lambda: torch.set_num_threads(threads))
    request.addfinalizer(models.unload)
    tiles: list[int] = []
    real = LoadedModel.tiles

    def counted(self: Any, batch: Any) -> Any:
        tiles.append(len(batch))
        return real(self, batch)

    monkeypatch.setattr(LoadedModel, "tiles", counted)
    image = particles((6000, 4000))
    viewer = make_napari_viewer_proxy().__wrapped__
    widget = viewer.window.add_plugin_dock_widget("napari-sem-tools", "Segment particles")[1]
    viewer.add_image(image.pixels, **image_arguments(image))
    choose(widget, name)
    idle = Heartbeat()
    wait(lambda: len(idle.gaps) >= 200)
    idle.timer.stop()
    told: list[float] = []
    widget.work.progressed.connect(lambda done, total, what: told.append(done / total))
    heart = Heartbeat()
    started = time.perf_counter()
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    heart.timer.stop()
    print(f"idle: {idle}")
    print(f"6000 x 4000 by {name} in {time.perf_counter() - started:.1f} s: {heart}")
    print(f"{len(told)} reports of progress of {sum(tiles)} tiles; {widget.status_line.text()}")
    assert told == sorted(told)
    assert told[-1] == 1
    assert sum(tiles) > 20
    assert max(np.diff(told)) < 0.05, "the bar moves in small steps"
    assert viewer.layers["large particles"].data.max() > 1000
    assert heart.percentile(99) < 100
