"""Focus in a real window: it beats while a stack is scored, and lets go of what is removed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_parts import Heartbeat, particles, threads_end, wait
from focus_parts import BLURS, add, keep_frames_in, series, use_edge_score, write_series
from qtpy.QtWidgets import QApplication
from small_models import use_store

from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.models.locations import PACKAGED, Place
from napari_sem_tools.models.store import Store

PLUGIN = "napari-sem-tools"
SHARPEST = BLURS.index(min(BLURS))
BANDS = tuple(enumerate((0.0, 1.0, 2.0, 3.0)))  # number and added blur in px, left to right


@pytest.fixture(autouse=True)
def own_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_frames_in(tmp_path, monkeypatch)


def open_focus(viewer: Any, title: str = "Focus") -> Any:
    return viewer.window.add_plugin_dock_widget(PLUGIN, title)


def large_stack(pages: int = 8, shape: tuple[int, int] = (768, 1024)) -> Micrograph:
    image = particles(shape, name="stack")
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 20, (pages, *shape), np.uint8)
    return image.replace(pixels=np.minimum(image.pixels[None] // 2 + noise, 255), axes="NYX")


def test_the_window_with_focus(
    make_napari_viewer_proxy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One viewer for all that needs a real one; the first takes seconds to make."""
    use_edge_score(monkeypatch, tmp_path)
    had_torch = "torch" in sys.modules
    viewer = make_napari_viewer_proxy(show=True).__wrapped__
    for title in ("Focus", "Focus: watch a folder", "Focus"):
        started = time.perf_counter()
        dock, widget = open_focus(viewer, title)
        QApplication.processEvents()
        print(f"{title}: {time.perf_counter() - started:.2f} s")
        assert "Select" in widget.calibration_line.text()
        widget.run_button.click()
        widget.copy_button.click()
        for number in range(widget.tabs.count()):
            widget.tabs.setCurrentIndex(number)
            QApplication.processEvents()
        viewer.window.remove_dock_widget(dock)
        QApplication.processEvents()
    assert had_torch or "torch" not in sys.modules, "opening the widget imported torch"
    survive_the_wrong_and_the_removed(viewer)
    close_while_it_works(viewer, tmp_path)


def survive_the_wrong_and_the_removed(viewer: Any) -> None:
    """A layer of the wrong kind is no image; a layer may go at any moment of the work."""
    dock, widget = open_focus(viewer)
    points = viewer.add_points(np.zeros((1, 2)))
    labels = viewer.add_labels(np.zeros((40, 50), np.uint8))
    assert widget.chooser.layer() is None
    for layer in (points, labels):
        viewer.layers.remove(layer)
    for page in (widget.score, widget.series):
        widget.tabs.setCurrentWidget(page)
        image = add(viewer, series())
        QApplication.processEvents()
        if page is widget.series:
            widget.run_button.click()
        viewer.layers.remove(image)
        wait(lambda: not widget.work.running and not widget.score.work.running)
        assert widget.score.answer is None
        assert widget.series.found is None
        assert not len(viewer.layers)
    small = viewer.add_image(np.zeros((20, 20), np.uint8), name="small")
    widget.tabs.setCurrentWidget(widget.score)
    wait(lambda: "too small" in widget.status_line.text(), 60)
    viewer.layers.remove(small)
    viewer.window.remove_dock_widget(dock)
    QApplication.processEvents()


def close_while_it_works(viewer: Any, folder: Path) -> None:
    """A widget that is closed in the middle leaves no thread, timer or layer behind."""
    write_series(folder / "session")
    image = add(viewer, series())
    for title in ("Folder", "Watch", "Series", "Score"):
        dock, widget = open_focus(viewer)
        page = next(one for one in widget.pages if one.title == title)
        widget.tabs.setCurrentWidget(page)
        if title in ("Folder", "Watch"):
            page.take_paths([folder / "session"])
        widget.run_button.click()
        QApplication.processEvents()
        viewer.window.remove_dock_widget(dock)
        QApplication.processEvents()
        assert not widget.watching.clock.isActive()
        threads_end()
    assert list(viewer.layers) == [image]


@pytest.mark.slow
def test_the_window_beats_while_a_stack_and_a_folder_are_scored(
    make_napari_viewer_proxy: Any, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy(show=True).__wrapped__
    _, widget = open_focus(viewer)
    stack = large_stack()
    add(viewer, stack)
    wait(lambda: widget.score.answer is not None)
    idle = Heartbeat()
    wait(lambda: len(idle.gaps) >= 200)
    idle.timer.stop()
    print(f"idle: {idle}")
    widget.tabs.setCurrentWidget(widget.series)
    write_series(tmp_path / "session", stack)
    for page in (widget.series, widget.folder):
        heart = Heartbeat()
        started = time.perf_counter()
        if page is widget.folder:
            page.take_paths([tmp_path / "session"])
        else:
            widget.run_button.click()
        wait(lambda: not widget.work.running)
        heart.timer.stop()
        seconds = time.perf_counter() - started
        print(f"{page.title}, 8 images of 1024 x 768 in {seconds:.1f} s: {heart}")
        assert heart.percentile(99) < max(150, 3 * idle.percentile(99))
        if page is widget.series:  # the first curve loads fonts
            wait(lambda: widget.series.curve._line is not None)
    widget.tabs.setCurrentWidget(widget.score)
    widget.score.live.setChecked(False)
    drawn = dragged(viewer)  # what drawing alone takes, in software
    widget.score.live.setChecked(True)
    heart = dragged(viewer)
    wait(lambda: not widget.score.work.running and not widget.score._late.isActive())
    print(f"slider dragged without scores: {drawn}")
    print(f"slider dragged through the stack: {heart}; a score took {widget.score.seconds:.2f} s")
    assert widget.score.answer.sight.page == 23 % 8
    assert heart.percentile(99) < max(150, 3 * drawn.percentile(99))


def dragged(viewer: Any) -> Heartbeat:
    """Move the slider to and fro as a hand does."""
    heart = Heartbeat()
    for turn in range(24):
        viewer.dims.set_current_step(0, turn % 8)
        heard = len(heart.gaps)
        wait(lambda heard=heard: len(heart.gaps) >= heard + 4)
    heart.timer.stop()
    return heart


@pytest.mark.slow
def test_files_that_a_microscope_writes_are_all_scored_once(
    make_napari_viewer_proxy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-written, renamed, deleted while read: none lost, none twice, no crash."""
    use_edge_score(monkeypatch, tmp_path)
    viewer = make_napari_viewer_proxy(show=True).__wrapped__
    _, widget = open_focus(viewer, "Focus: watch a folder")
    folder, stack = tmp_path / "live", series()
    folder.mkdir()
    page = widget.watching
    page.take_paths([folder])
    widget.run_button.click()
    done = [path.read_bytes() for path in write_series(tmp_path / "made", stack)]
    for number in range(21):
        content = done[number % len(BLURS)] + bytes([number])
        target = folder / f"f{number:02d}.tif"
        with target.open("wb") as file:
            for start in range(0, len(content), len(content) // 3):
                file.write(content[start : start + len(content) // 3])
                file.flush()
                QApplication.processEvents()
        if number % 5 == 4:
            os.rename(target, folder / f"renamed{number:02d}.tif")
        if number % 7 == 6:
            (folder / f"gone{number}.tif").write_bytes(content)
            QApplication.processEvents()
            (folder / f"gone{number}.tif").unlink()
    wait(lambda: len([r for r in page.box.files.rows if r.score is not None]) >= 21, 120)
    names = sorted(image.path.name for image in page.watch.images)
    print(f"{len(names)} images scored, {len({image.key for image in page.watch.images})} keys")
    assert len(names) == 21
    assert sum(name.startswith("renamed") or name.startswith("f") for name in names) == 21
    assert len({image.key for image in page.watch.images}) == 21


@pytest.mark.torch
@pytest.mark.slow
def test_the_network_of_the_package_maps_what_lies_aslant(
    make_napari_viewer_proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blur grows from left to right, and so it does in the map."""
    from scipy.ndimage import gaussian_filter

    store = Store([Place(PACKAGED, "packaged")])
    if not any(name.split("@")[0] == "focus" for name in store.names()):
        pytest.skip("the package holds no network for focus")
    use_store(store, monkeypatch)
    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cpu")
    sharp = series(shape=(480, 640)).plane(SHARPEST)
    scene = sharp.pixels.astype(float)
    parts = [gaussian_filter(scene, blur)[:, 160 * n : 160 * n + 160] for n, blur in BANDS]
    noisy = np.concatenate(parts, axis=1) + np.random.default_rng(5).normal(0, 3, scene.shape)
    viewer = make_napari_viewer_proxy(show=True).__wrapped__
    _, widget = open_focus(viewer)
    image = add(viewer, sharp.replace(pixels=noisy.clip(0, 255).astype(np.uint8)))
    wait(lambda: widget.score.answer is not None)
    assert widget.score.answer.score.method == "both"
    heart = Heartbeat()
    widget.run_button.click()
    wait(lambda: not widget.work.running)
    heart.timer.stop()
    layer = viewer.layers[f"{image.name} focus"]
    bands = [float(np.nanmedian(layer.data[:, 160 * n + 40 : 160 * n + 120])) for n, _ in BANDS]
    print(f"added blur {[blur for _, blur in BANDS]} px reads {np.round(bands, 1)} nm; {heart}")
    assert bands[0] < bands[1] < bands[3]
    assert heart.percentile(50) < 100
