"""The benchmark of the ten categories goes from a fetched folder to its table by one command."""

from __future__ import annotations

import csv
import hashlib
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_sem_tools as sem
from napari_sem_tools.datasets import CATEGORIES

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "nffa.py"
TINY = {
    "recipe": "categories",
    "rows": 32,
    "columns": 32,
    "epochs": 1,
    "steps-per-epoch": 1,
    "batch": 4,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
    "noise": "none",
}


@pytest.fixture
def miniature(tmp_path, monkeypatch):
    """What `sem-tools dataset fetch nffa` leaves, with five small images of each category."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sem.models.configure()
    folder = tmp_path / "nffa"
    rng = np.random.default_rng(0)
    for place, category in enumerate(CATEGORIES):
        (folder / category).mkdir(parents=True)
        rows = [("file", "sha256")]
        for number in range(5):
            # the digit is that of another category: it differs between releases
            name = (
                f"L{(place + 3) % 10}_{hashlib.md5(f'{place} {number}'.encode()).hexdigest()}.jpg"
            )
            grey = np.kron(rng.integers(20, 230, (12, 16)), np.ones((4, 4))).astype(np.uint8)
            Image.fromarray(np.stack([grey] * 3, -1)).save(folder / category / name)
            rows.append((name, "0" * 64))
        with (folder / category / "images.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    (folder / CATEGORIES[0] / "L1_broken.jpg").write_bytes(b"\xff\xd8\xff cut off")
    told = {"archives": {category: {"release": "of a test"} for category in CATEGORIES}}
    (folder / "dataset.json").write_text(json.dumps(told))
    yield folder
    sem.models.configure()


@pytest.mark.torch
def test_one_command_trains_and_prints_the_literature_beside_ours(miniature, capsys):
    words = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]
    assert runpy.run_path(str(BENCHMARK))["main"]([str(miniature), *words]) == 0
    printed = capsys.readouterr().out
    table = [line.split(" | ") for line in printed.splitlines() if " | " in line]
    assert any("97.8" in row[2] for row in table)
    ours = table[-1]
    assert ours[0].strip() == "ours, nffa@1.0.0"
    assert ours[4].strip() == "near-dup. together 70/20/10"
    assert "release: of a test" in printed
    assert "a random split would have put" in printed
    assert all(category in printed for category in CATEGORIES)
    split = list(csv.DictReader((miniature / "nffa-split.txt").read_text().splitlines()))
    assert len(split) == 50  # the damaged one is left out and named
    assert all(row["path"].startswith(f"{row['category']}/") for row in split)
    assert {row["part"] for row in split} == {"train", "validation", "test"}
    assert len({row["sha256"] for row in split}) == 50
    faults = (miniature / "training" / "nffa" / "faults.csv").read_text()
    assert "L1_broken.jpg" in faults
