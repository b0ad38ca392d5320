"""sem-tools classify: categories out of folders of examples, a line an image."""

import csv
import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_sem_tools.cli.main import main
from napari_sem_tools.tiff import write_tiff


@pytest.fixture
def examples(tmp_path):
    """Two folders of textures of two grain sizes."""
    for name, blur in (("fine", 1), ("coarse", 5)):
        for seed in range(3):
            grain = gaussian_filter(np.random.default_rng((blur, seed)).normal(size=(96, 96)), blur)
            pixels = np.uint8(255 * (grain - grain.min()) / np.ptp(grain))
            write_tiff(tmp_path / "examples" / name / f"{seed}.tif", pixels)
    return tmp_path / "examples"


def test_teach_and_name_in_one_go_then_again_from_what_was_kept(examples, tmp_path, capsys):
    kept, out = tmp_path / "mine", tmp_path / "named.csv"
    (examples / "fine" / "bad.tif").write_bytes(b"II*\0")
    words = ["--categories", str(kept), "--quiet"]
    assert main(["classify", "--teach", str(examples), *words]) == 1  # an example cannot be read
    assert not kept.exists()
    (examples / "fine" / "bad.tif").unlink()
    assert main(["classify", "--teach", str(examples), *words]) == 0
    (examples / "fine" / "bad.tif").write_bytes(b"II*\0")
    capsys.readouterr()
    assert main(["classify", str(examples / "fine"), *words, "-o", str(out)]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 3
    assert all(": fine (" in line for line in lines)
    assert "bad.tif" in said.err
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["category"] for row in rows] == ["fine"] * 3 + [""]
    assert "fine" in rows[0]["possible"]


def test_json_is_for_machines(examples, tmp_path, capsys):
    kept = str(tmp_path / "mine")
    words = ["classify", str(examples / "coarse"), "--teach", str(examples), "--categories", kept]
    assert main([*words, "--json", "--quiet", "--head", "prototypes"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["category"] for row in rows] == ["coarse"] * 3
    assert rows[0]["in_domain"] is True


def test_nothing_to_do_and_a_taken_place_are_wrong_usage(examples, tmp_path, capsys):
    assert main(["classify", "--categories", str(tmp_path / "mine")]) == 2
    assert main(["classify", "--teach", str(examples), "--categories", str(examples)]) == 2
    assert "exists" in capsys.readouterr().err
