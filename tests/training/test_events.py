"""What a training tells can be read in another process, whatever ended it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.training.running import child
from napari_sem_tools.training.running.events import TrainingEvent
from napari_sem_tools.training.segmentation import model_name

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.sampled_from(["plan", "step", "epoch", "note", "done", "cancelled", "failed"]),
    st.integers(0, 1000),
    st.dictionaries(st.text(max_size=8), numbers, max_size=4),
    st.lists(st.text(max_size=30), max_size=3),
    st.one_of(st.none(), numbers),
)
def test_an_event_is_one_line_and_comes_back_as_it_was(kind, epoch, scores, previews, loss):
    event = TrainingEvent(kind, epoch, 1000, loss=loss, scores=scores, previews=tuple(previews))
    line = event.to_json()
    assert len(line.splitlines()) == 1 or "\n" not in line
    assert TrainingEvent.from_json(line) == event
    assert event.last == (kind in ("done", "cancelled", "failed"))


def test_a_loss_of_zero_is_told():
    assert TrainingEvent.from_json(TrainingEvent("epoch", loss=0.0).to_json()).loss == 0.0


def test_what_a_newer_version_adds_is_left_out():
    event = TrainingEvent.from_json('{"kind": "step", "epoch": 2, "epochs": 4, "new": [1]}')
    assert event.share == 0.25


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")]
)
def test_too_little_memory_is_a_sentence_with_a_remedy(error):
    event = child._failed(error)
    assert event.kind == "failed"
    assert event.error == "DeviceOutOfMemory"
    assert "memory" in event.text
    assert "batch" in event.hint


def test_a_mistake_of_ours_is_a_sentence_as_well():
    event = child._failed(ZeroDivisionError("division by zero"))
    assert event.text == "The training failed: ZeroDivisionError: division by zero."


@given(st.one_of(st.text(max_size=80), st.sampled_from(["con", "COM1", "x" * 200])))
def test_every_folder_gives_a_name_that_the_registry_takes(name):
    from napari_sem_tools.models.card import check_name

    check_name(model_name("data/" + name.replace("/", "-").replace("\0", "")))
