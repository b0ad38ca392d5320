"""sem-tools focus: a line an image, the best position of a series, a folder that is watched."""

from __future__ import annotations

import csv
import json
import threading
import time

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_sem_tools.cli.main import main
from napari_sem_tools.focus.files import taught
from napari_sem_tools.focus.files.taught import TaughtFrame, write_taught
from napari_sem_tools.micrograph import Calibration
from napari_sem_tools.tiff import write_tiff

BLURS = (2.8, 1.9, 0.6, 1.8, 2.7)


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(taught, "taught_file", lambda: tmp_path / "focus-taught.json")


@pytest.fixture
def folder(tmp_path):
    """One texture through focus, 2 nm a pixel."""
    rng = np.random.default_rng(2)
    scene = np.kron(rng.integers(0, 3, (20, 24)) * 45.0 + 60, np.ones((12, 12)))
    made = tmp_path / "series"
    for number, blur in enumerate(BLURS):
        frame = gaussian_filter(scene, blur) + rng.normal(0, 2.5, scene.shape)
        pixels = frame.clip(0, 255).astype(np.uint8)
        write_tiff(made / f"f{number}.tif", pixels, calibration=Calibration((2.0, 2.0), "typed"))
    return made


def test_a_line_an_image_and_a_table(folder, capsys):
    (folder / "x.tif").write_bytes(b"II*\0")
    out = folder.parent / "scores.csv"
    words = ["focus", str(folder), "-o", str(out), "--method", "mix", "--quiet"]
    assert main([*words, "--measures", "SIGM,LoG2/var"]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == len(BLURS)
    assert "f2.tif: " in lines[2]
    assert "(90 %:" in lines[2]
    assert "SIGM" in lines[2]
    assert "nm" in lines[0]
    assert "error: x.tif" in said.err
    assert "hint:" in said.err
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"][-6:] for row in rows[:5]] == [f"f{n}.tif" for n in range(5)]
    scores = [float(row["score"]) for row in rows[:5]]
    assert int(np.argmax(scores)) == 2
    assert rows[5]["error"]
    assert float(rows[0]["SIGM"]) > float(rows[2]["SIGM"])
    assert main(words) == 2, "an existing table is not replaced"
    assert main([*words, "--overwrite"]) == 1


def test_json_is_for_machines_and_nm_only_with_a_scale(folder, capsys):
    assert main(["focus", str(folder / "f2.tif"), "--json", "--quiet"]) == 0
    (calibrated,) = json.loads(capsys.readouterr().out)
    assert calibrated["blur_nm"] == pytest.approx(2 * calibrated["blur_px"])
    assert isinstance(calibrated["reasons"], list)
    bare = write_tiff(folder / "bare.tif", np.full((64, 64), 9, np.uint8))
    assert main(["focus", str(bare), "--json", "--quiet"]) == 0
    (blank,) = json.loads(capsys.readouterr().out)
    assert blank["score"] == 0
    assert not blank["information"]
    assert "blur_nm" not in blank


def test_the_best_position_of_a_series(folder, capsys):
    words = ["focus", "--series", str(folder), "--positions", "10,-2", "--unit", "um", "--quiet"]
    out = folder.parent / "curve.csv"
    assert main([*words, "--json", "-o", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["best"] == pytest.approx(6, abs=0.5)
    assert found["interval"][0] <= found["best"] <= found["interval"][1]
    assert (found["unit"], found["inside"], found["best_image"]) == ("um", True, "f2.tif")
    assert [row["image"] for row in found["curves"]] == [f"f{n}.tif" for n in (4, 3, 2, 1, 0)]
    assert out.read_text(encoding="utf-8").startswith("position,image,")
    assert main(words) == 0
    assert "best focus at " in capsys.readouterr().out
    assert main(["focus", "--series", str(folder / "f0.tif"), "--quiet"]) == 2
    assert "One frame is no series" in capsys.readouterr().err


def test_a_watched_folder_is_scored_as_files_come(folder, capsys):
    late = folder / "f9.tif"

    def bring():
        time.sleep(1.2)
        late.write_bytes((folder / "f0.tif").read_bytes() + b"\0")

    thread = threading.Thread(target=bring)
    thread.start()
    ledger, out = folder.parent / "ledger.json", folder.parent / "watched.csv"
    words = ["focus", "--watch", str(folder), "--method", "mix", "--quiet"]
    assert main([*words, "--limit", "6", "--ledger", str(ledger), "-o", str(out)]) == 0
    thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert "f9.tif" in lines[-1]
    assert len(out.read_text(encoding="utf-8").splitlines()) == 7
    (folder / "g.tif").write_bytes((folder / "f1.tif").read_bytes() + b"\0\0")
    assert main([*words, "--limit", "1", "--ledger", str(ledger)]) == 0
    assert "g.tif" in capsys.readouterr().out, "what was scored before is not scored again"


def test_what_was_taught_in_the_window_holds_here_too(folder, capsys):
    words = ["focus", str(folder / "f1.tif"), "--json", "--quiet", "--method", "mix"]
    assert main(words) == 0
    (plain,) = json.loads(capsys.readouterr().out)
    write_taught([TaughtFrame("f1", plain["score"], min(plain["score"] + 2, 10), "mix")])
    assert main(words) == 0
    (taught,) = json.loads(capsys.readouterr().out)
    assert taught["score"] > plain["score"]
    assert main([*words, "--no-taught"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["score"] == plain["score"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--measures", "NONE"], "no focus measure NONE"),
        (["--series", "--map", "m"], "--map"),
        (["--watch", "--limit", "0"], "--limit"),
        (["--positions", "1"], "FIRST,STEP"),
        (["--positions", "1,0"], "step"),
    ],
)
def test_wrong_usage_is_a_sentence_and_status_2(folder, capsys, words, said):
    assert main(["focus", str(folder), *words]) == 2
    assert said in capsys.readouterr().err
