"""``sem-tools catalogue``: results to stdout, what failed by name to stderr."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from collections_for_tests import fill

from napari_sem_tools.cli.main import main


@pytest.fixture
def added(tmp_path: Path, capsys) -> str:
    fill(tmp_path / "images", 4)
    (tmp_path / "images" / "bad.png").write_bytes(b"no picture")
    index = str(tmp_path / "index")
    assert main(["catalogue", "add", index, str(tmp_path / "images"), "--no-focus"]) == 1
    out, err = capsys.readouterr()
    assert out == "4 new, 0 known, 0 moved, 0 copies, 1 failed, 0 gone\n"
    assert "bad.png" in err
    return index


def test_what_was_added_is_found_sorted_and_written(added: str, tmp_path, capsys) -> None:
    assert main(["catalogue", "find", added, "--order", "image", "--descending"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["4", "3", "2", "1"]
    assert main(["catalogue", "category", added, "Powder", "2", "3"]) == 0
    out = tmp_path / "powder.csv"
    words = ["catalogue", "find", added, "--category", "Powder", "-o", str(out)]
    assert main(words) == 0
    with out.open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == ["2", "3"]
    assert main(words) == 2
    assert main([*words, "--overwrite"]) == 0
    assert main(["catalogue", "category", added, "Powder", "99"]) == 2


def test_the_like_of_a_file_a_number_and_a_region(added: str, tmp_path, capsys) -> None:
    file = str(tmp_path / "images" / "image00001.png")
    for image in (file, "2"):
        words = ["catalogue", "similar", added, image, "--count", "2", "--json", "--quiet"]
        assert main(words) == 0
        rows = json.loads(capsys.readouterr().out)
        assert len(rows) == 2 and file not in {row["path"] for row in rows}
        assert rows[0]["similarity"] >= rows[1]["similarity"]
    assert main(["catalogue", "similar", added, file, "--region", "0,30,0,30"]) == 0
    assert main(["catalogue", "similar", added, file, "--region", "0,30"]) == 2
    assert main(["catalogue", "similar", added, file, "--embedding", "none"]) == 2


def test_map_failures_info_and_forget(added: str, tmp_path, capsys) -> None:
    assert main(["catalogue", "map", added, "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 4 and "variance" in err
    assert main(["catalogue", "failures", added]) == 0
    assert "bad.png" in capsys.readouterr().out
    (tmp_path / "images" / "image00000.png").unlink()
    main(["catalogue", "add", added, str(tmp_path / "images"), "--no-focus"])
    capsys.readouterr()
    assert main(["catalogue", "info", added, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["gone"], found["failed"]) == (4, 1, 1)
    assert main(["catalogue", "forget", added]) == 0
    assert capsys.readouterr().out == "1\n"


def test_a_path_without_a_catalogue_is_an_error(tmp_path: Path, capsys) -> None:
    assert main(["catalogue", "find", str(tmp_path / "none")]) == 1
    assert "no catalogue at" in capsys.readouterr().err
