"""sem-tools train: results to stdout, every bad file named, exit status."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.cli.main import main
from napari_sem_tools.tiff import write_tiff

TINY = [
    "--start", "none", "--arguments", '{"widths": [8, 16]}', "--epochs", "2",
    "--steps-per-epoch", "2", "--batch", "2", "--crop-px", "64", "--threads", "1",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    sem.models.configure()
    y, x = np.mgrid[:80, :80]
    for number in range(3):
        labels = np.zeros((80, 80), np.uint16)
        for label, centre in enumerate(((20, 20 + 5 * number), (55, 30), (40, 62)), start=1):
            labels[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= 100] = label
        write_tiff(tmp_path / "set" / "images" / f"f{number}.tif", (labels > 0) * np.uint8(150))
        write_tiff(tmp_path / "set" / "masks" / f"f{number}.tif", labels)
    yield tmp_path / "set"
    sem.models.configure()


def test_check_names_every_bad_file(folder, capsys):
    assert main(["train", "check", str(folder)]) == 0
    assert capsys.readouterr().out == "3 good images of 3 groups, 0 faults\n"
    (folder / "masks" / "f0.tif").unlink()
    write_tiff(folder / "masks" / "f1.tif", np.ones((4, 4), np.uint8))
    assert main(["train", "check", str(folder), "--json", "--quiet"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [fault["file"] for fault in found["faults"]] == ["images/f0.tif", "masks/f1.tif"]
    assert main(["train", "check", str(folder.parent / "nothing")]) == 1
    assert "has no folder 'images'" in capsys.readouterr().err


def test_enlarge_writes_as_many_images_as_asked_for(folder, capsys):
    out = folder.parent / "large"
    words = ["train", "enlarge", str(folder), "-o", str(out), "--count", "5", "--quiet"]
    assert main([*words, "--augmentation", "RDZ", "--compat", "augmentor"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert len(list((out / "images").iterdir())) == 5
    assert main(words) == 2  # it is there already
    assert main([*words[:-2], "0"]) == 2


def test_a_dry_run_says_what_would_be_done(folder, capsys):
    words = ["train", "segmentation", str(folder), *TINY, "--dry-run", "--quiet"]
    assert main([*words, "--recipe", "tem-unet"]) == 0
    out = capsys.readouterr().out
    assert "foreground of set: 2 images train, 1 judge" in out
    assert "adam, rate 0.0001 (constant)" in out
    assert not (folder / "training").exists()
    assert main([*words, "--epochs", "0"]) == 2
    assert "epochs = 0" in capsys.readouterr().err


@pytest.mark.torch
def test_segmentation_trains_and_says_the_name_of_the_model(folder, capsys):
    words = ["train", "segmentation", str(folder), "--name", "discs", *TINY]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0] == "discs@1.0.0"
    assert "AP@0.5" in captured.out
    assert "epoch 2 of 2, loss " in captured.err
    assert sem.models["discs"].training_data[-1].name == "set: 2 images"
    assert main([*words, "--seed", "3", "--quiet"]) == 2  # another run is there
    assert "other settings" in capsys.readouterr().err
    assert main([*words, "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "discs"
