"""``sem-tools models``: results to stdout, sentences to stderr, statuses that scripts can use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import napari_sem_tools as sem
from napari_sem_tools.cli.main import main
from napari_sem_tools.models.locations import ModelSettings

from .test_card import full_card

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(own_home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    sem.models.configure(ModelSettings())

    def command(*words: object) -> tuple[int, str, str]:
        status = main(["models", *map(str, words)])
        return (status, *capsys.readouterr())

    return command


@pytest.fixture
def files(tmp_path: Path, weights: bytes) -> tuple[Path, Path]:
    """Weights and their card, as somebody hands them over."""
    (tmp_path / "w.safetensors").write_bytes(weights)
    (tmp_path / "card.json").write_text(full_card().to_json())
    return tmp_path / "w.safetensors", tmp_path / "card.json"


def test_a_model_is_imported_listed_shown_exported_verified_and_removed(
    run: Run, files: tuple[Path, Path], tmp_path: Path
) -> None:
    assert run("list")[:2] == (0, "")
    assert run("import", files[0], "--card", files[1])[:2] == (0, "particles@1.0.0\n")
    assert run("list")[1].split()[:4] == ["particles@1.0.0", "segmentation", "unet", "user"]
    rows = json.loads(run("list", "--json")[1])
    assert [row["name"] for row in rows] == ["particles"]
    shown = run("show", "particles")[1]
    assert "7.34375 nm per pixel, objects of 24.5 px" in shown
    assert "AP@0.5 = 0.7 [0.68, 0.72] on emps, test" in shown
    assert json.loads(run("show", "particles", "--json")[1])["schema"] == 1
    out = tmp_path / "p.zip"
    assert run("export", "particles", "-o", out)[:2] == (0, f"{out}\n")
    assert run("verify")[1].split() == ["particles@1.0.0", "good"]
    assert run("remove", "particles")[:2] == (0, "particles@1.0.0\n")
    assert run("import", out)[0] == 0
    assert len(sem.models) == 1


def test_mistakes_are_sentences_with_their_status(run: Run, tmp_path: Path, files) -> None:
    assert run("show", "nothing")[0] == 2
    status, out, said = run("import", files[0])
    assert (status, out) == (1, "")
    assert said.startswith("error: ") and "\nhint: " in said
    assert run("import", "https://models.invalid/a.zip")[0] == 2
    assert run("import", tmp_path / "nothing.zip")[0] == 1
    assert run()[0] == 2
    assert run("dance")[0] == 2


def test_a_damaged_model_is_found_by_verify_and_by_scripts(run: Run, files) -> None:
    run("import", files[0], "--card", files[1])
    path = sem.models.on_disk.weights("particles")
    path.write_bytes(path.read_bytes()[:-1])
    status, out, said = run("verify")
    assert status == 1
    assert "SHA-256" in out and said.rstrip().splitlines()[-2].startswith("error: ")
    assert json.loads(run("verify", "--json")[1])[0]["reason"]


def test_an_unusable_folder_is_named_and_hides_nothing(run: Run, files, own_home: Path) -> None:
    run("import", files[0], "--card", files[1])
    broken = sem.models.on_disk.user_folder / "spheres" / "1.0.0"
    broken.mkdir(parents=True)
    (broken / "card.json").write_text("{")
    status, out, said = run("list")
    assert status == 0
    assert "particles" in out and "spheres" in said
