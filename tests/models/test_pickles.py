"""A stranger's pickle runs nothing: it becomes safetensors or it is refused."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from napari_sem_tools.errors import Cancelled, MissingExtra, UnreadableFile, UntrustedModel
from napari_sem_tools.models import pickles
from napari_sem_tools.models.pickles import converted
from napari_sem_tools.models.store import Store
from napari_sem_tools.models.transfer import import_model
from napari_sem_tools.models.weights import TensorSpec, read_header

from .conftest import card_for
from .test_card import assert_one_sentence
from .test_store import tree


class Shell:
    """Unpickles into a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


FILES = {
    "plain": "{'a': torch.ones(2, 3), 'b': torch.arange(4).half()[::2]}",
    "in state_dict": "{'state_dict': {'module.a': torch.ones(2)}, 'epoch': 3, 'optimizer': {}}",
    "in model_state_dict": "{'model_state_dict': {'a': torch.ones(2)}, 'epoch': 3}",
    "in model": "{'model': {'a': torch.ones(2)}, 'epoch': 3}",
    "shared": "(lambda t: {'a': t, 'b': t.T})(torch.ones(2, 3))",
    "gigabytes": "{'a': torch.ones(1).expand(2_000_000_000)}",
    "long": "{'a': torch.ones(1000)}",
    "a whole model": "torch.nn.Linear(2, 2)",
    "a list": "[torch.ones(2)]",
    "texts beside tensors": "{'a': torch.ones(2), 'b': 'text'}",
    "numbers as names": "{1: torch.ones(2)}",
    "nothing": "{}",
    "sparse tensors": "{'a': torch.ones(2, 2).to_sparse()}",
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files as torch writes them, made in one process of its own."""
    folder = tmp_path_factory.mktemp("saved")
    paths = {name: folder / f"{i}.pth" for i, name in enumerate(FILES)}
    lines = [f"torch.save({FILES[name]}, {str(path)!r})" for name, path in paths.items()]
    code = "\n".join(["import torch", *lines])
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    return paths


@pytest.mark.torch
def test_a_state_dict_becomes_safetensors(saved: dict[str, Path], store: Store) -> None:
    path = saved["plain"]
    data = converted(path)
    assert read_header(data) == {"a": TensorSpec("F32", (2, 3)), "b": TensorSpec("F16", (2,))}
    kept = import_model(store, path, card=card_for(b"other"))
    assert store.weights("particles").read_bytes() == data
    assert kept.weights.size_bytes == len(data)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("inside", ["state_dict", "model_state_dict", "model"])
def test_the_weights_of_a_checkpoint_are_taken_without_the_rest(
    inside: str, saved: dict[str, Path]
) -> None:
    assert list(read_header(converted(saved[f"in {inside}"]))) == ["a"]


@pytest.mark.slow
@pytest.mark.torch
def test_weights_that_share_memory_are_kept_apart(saved: dict[str, Path]) -> None:
    path = saved["shared"]
    assert {n: s.shape for n, s in read_header(converted(path)).items()} == {
        "a": (2, 3),
        "b": (3, 2),
    }


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_wants_to_run_code_is_refused_and_runs_none(
    protocol: int, tmp_path: Path, store: Store
) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps({"a": Shell(marker)}, protocol=protocol))
    before = tree(tmp_path)
    with pytest.raises(UntrustedModel, match=r"wants to run code|damaged") as caught:
        import_model(store, path, card=card_for(b"other"))
    assert_one_sentence(caught.value)
    assert tree(tmp_path) == before
    assert not marker.exists()


@pytest.mark.torch
def test_code_inside_a_file_of_torch_is_refused_and_not_run(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    good = saved["long"]
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename.endswith("data.pkl"):
                data = pickle.dumps({"a": Shell(marker)}, protocol=2)
            new.writestr(member.filename, data)
    with pytest.raises(UntrustedModel, match="wants to run code") as caught:
        converted(path)
    assert_one_sentence(caught.value)
    assert not marker.exists()


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("case", list(FILES)[7:])
def test_anything_but_tensors_is_refused(case: str, saved: dict[str, Path]) -> None:
    with pytest.raises(UntrustedModel) as caught:
        converted(saved[case])
    assert_one_sentence(caught.value)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux alone")
def test_a_small_file_that_claims_gigabytes_is_stopped(saved: dict[str, Path]) -> None:
    path = saved["gigabytes"]
    assert path.stat().st_size < 10_000
    with pytest.raises(UntrustedModel, match="memory") as caught:
        converted(path)
    assert_one_sentence(caught.value)


@pytest.mark.slow
@pytest.mark.torch
def test_a_damaged_file_is_a_sentence(saved: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(saved["long"].read_bytes()[:2000])
    with pytest.raises(UntrustedModel, match="damaged") as caught:
        converted(path)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("start", [b"\x89HDF\r\n", b"\x08\x07", b"GIF8", b""], ids=repr)
def test_files_of_other_programs_are_refused_without_torch(
    start: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickles, "_run_child", None)
    path = tmp_path / "w.pth"
    path.write_bytes(start)
    with pytest.raises(UntrustedModel, match="not a file of torch tensors") as caught:
        converted(path)
    assert_one_sentence(caught.value)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        converted(tmp_path / "w.pth")


STAND_INS = {
    "no torch": ("raise ImportError", MissingExtra),
    "a torch that does not load": ("raise OSError('[WinError 1114] c10.dll')", MissingExtra),
    "a torch with the hole": ("__version__ = '2.9.1+cpu'", MissingExtra),
    "one that falls over": ("import os, signal; os.kill(os.getpid(), 9)", UntrustedModel),
}


@pytest.mark.parametrize("case", STAND_INS)
def test_without_a_safe_torch_there_is_no_other_way(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, kind = STAND_INS[case]
    for name, text in (("torch", code), ("safetensors", "")):
        (tmp_path / "lib" / name).mkdir(parents=True)
        (tmp_path / "lib" / name / "__init__.py").write_text(text)
    (tmp_path / "lib" / "safetensors" / "torch.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps({"a": Shell(tmp_path / "ran")}, protocol=2))
    with pytest.raises(kind) as caught:
        converted(path)
    assert_one_sentence(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_torch_in_the_present_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("open('ran', 'w')")
    path = tmp_path / "w.pth"
    path.write_bytes(b"\x80\x02}.")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UntrustedModel, MissingExtra)):
        converted(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.torch
def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"\x80\x02}.")
    with pytest.raises(Cancelled):
        converted(path, cancel=lambda: True)


@pytest.mark.torch
def test_reading_ends_after_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "_TIME_LIMIT_S", 0)
    path = tmp_path / "w.pth"
    path.write_bytes(b"\x80\x02}.")
    with pytest.raises(UntrustedModel, match="within"):
        converted(path)
