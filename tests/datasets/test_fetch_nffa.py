"""The NFFA set in miniature, from a server with the moods of the real one."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_sem_tools.cli.main import main
from napari_sem_tools.datasets import CATEGORIES, Skipped, fetch_nffa, nffa
from napari_sem_tools.datasets import fetch as fetch_module
from napari_sem_tools.errors import Cancelled, InvalidSettings, OutputExists, SemError, SemWarning
from napari_sem_tools.models import download

PIECE = 3000


def jpeg(seed: int, shape: tuple[int, ...] = (48, 64), mode: str | None = None) -> bytes:
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)
    Image.fromarray(pixels, mode).save(content, "JPEG")
    return content.getvalue()


def tar(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


def miniature() -> dict[str, bytes]:
    """Ten archives with the layout and the kind of names of the real ones."""
    return {
        f"{category}.tar": tar(
            {
                f"{category}/L{place}_{hashlib.md5(f'{place} {n}'.encode()).hexdigest()}.jpg": jpeg(
                    10 * place + n
                )
                for n in range(2 + place % 3)
            }
            | {f"{category}/.DS_Store": b"hidden", f"{category}/._L1.jpg": b"hidden"}
        )
        for place, category in enumerate(CATEGORIES)
    }


class Record:
    """A record of the archive server; its moods are attributes."""

    def __init__(self) -> None:
        self.files = miniature()
        self.requests: list[tuple[str, str | None]] = []
        self.ranges, self.lists, self.older = True, True, False
        self.drop_after: int | None = None
        self.url = ""

    def listing(self) -> bytes:
        rows = [
            {"key": name, "size": len(data), "checksum": f"md5:{hashlib.md5(data).hexdigest()}"}
            for name, data in self.files.items()
        ]
        return json.dumps({"files": rows} if self.older else {"entries": rows}).encode()

    def loaded(self) -> list[tuple[str, str | None]]:
        return [(p, wanted) for p, wanted in self.requests if p.endswith("/content")]


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    state = Record()
    monkeypatch.setattr(download, "_PAUSE_S", 0.0)
    monkeypatch.setattr(fetch_module, "_PIECE_BYTES", PIECE)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.requests.append((self.path, wanted))
            name = self.path.removesuffix("/content").rpartition("/")[2]
            data = state.files.get(name) if self.path.endswith("/content") else None
            if state.lists and self.path in ("/records/mini/files", "/records/mini"):
                data = state.listing()
            if data is None:
                self.send_error(404)
                return
            first, last = 0, len(data) - 1
            if wanted and state.ranges:
                first, last = (int(n) for n in re.findall(r"\d+", wanted))
                if first >= len(data):
                    self.send_error(416)
                    return
                last = min(last, len(data) - 1)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(last + 1 - first))
            self.end_headers()
            stop = last + 1
            if state.drop_after is not None and self.path.endswith("/content"):
                stop = min(stop, first + state.drop_after)
            with contextlib.suppress(OSError):
                self.wfile.write(data[first:stop])

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{running.server_address[1]}/records/mini"
        yield state
        running.shutdown()
        thread.join()


def known(record: Record, monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Let the table of checksums be that of the miniature."""
    rows = tuple(
        dataclasses.replace(
            row,
            **{
                "md5": hashlib.md5(data).hexdigest(),
                "sha256": hashlib.sha256(data).hexdigest(),
                "md5_of_record": hashlib.md5(data).hexdigest(),
                **changes,
            },
        )
        for row, data in zip(nffa.ARCHIVES, record.files.values(), strict=True)
    )
    monkeypatch.setattr(nffa, "ARCHIVES", rows)


def images(folder: Path) -> dict[str, int]:
    return {c: len(list((folder / c).glob("*.jpg"))) for c in CATEGORIES if (folder / c).exists()}


EXPECTED = {category: 2 + place % 3 for place, category in enumerate(CATEGORIES)}


@pytest.mark.parametrize("older", [False, True])
def test_the_set_lies_a_folder_a_category_with_its_licence(record, tmp_path, older: bool) -> None:
    record.older = older
    seen: list[float] = []
    found = fetch_nffa(
        tmp_path / "nffa", record=record.url, progress=lambda d, t, w: seen.append(d / t)
    )
    assert found.images == images(tmp_path / "nffa") == EXPECTED
    assert (found.release, found.skipped, found.failed) == ("unknown", (), {})
    assert seen == sorted(seen) and seen[-1] == 1
    card = json.loads((tmp_path / "nffa" / "dataset.json").read_text())
    assert card["licence"] == "CC-BY-4.0" and "80df8606" in card["doi"]
    with open(tmp_path / "nffa" / "Tips" / "images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == EXPECTED["Tips"] and {row["category"] for row in rows} == {"Tips"}
    for row in rows:
        content = (tmp_path / "nffa" / "Tips" / row["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert (row["width_px"], row["height_px"]) == ("64", "48")
    assert not list((tmp_path / "nffa" / "archives").iterdir())


def test_archives_come_in_pieces(record, tmp_path: Path) -> None:
    fetch_nffa(tmp_path / "nffa", categories=["Tips"], record=record.url)
    size = len(record.files["Tips.tar"])
    assert [wanted for _, wanted in record.loaded()] == [
        f"bytes={first}-{first + PIECE - 1}" for first in range(0, size, PIECE)
    ]


def test_breaks_within_a_piece_are_picked_up(record, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(download, "_CHUNK", 512)
    record.drop_after = 1700
    found = fetch_nffa(tmp_path / "nffa", record=record.url)
    assert found.images == EXPECTED and not found.failed


def test_a_server_without_ranges_is_taken_as_it_is(record, tmp_path: Path) -> None:
    record.ranges = False
    assert fetch_nffa(tmp_path / "nffa", record=record.url).images == EXPECTED
    assert len(record.loaded()) == 10


def test_a_second_call_asks_nobody(record, tmp_path: Path) -> None:
    fetch_nffa(tmp_path / "nffa", record=record.url)
    record.requests.clear()
    assert fetch_nffa(tmp_path / "nffa", record=record.url).images == EXPECTED
    assert record.requests == []


def test_a_cancelled_fetch_goes_on_with_the_bytes_it_has(record, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        fetch_nffa(tmp_path / "nffa", record=record.url, cancel=lambda: len(record.loaded()) > 3)
    (partial,) = (tmp_path / "nffa" / "archives").glob(".*.partial")
    done = partial.stat().st_size
    record.requests.clear()
    assert fetch_nffa(tmp_path / "nffa", record=record.url).images == EXPECTED
    assert record.loaded()[0][1] == f"bytes={done}-{done + PIECE - 1}"


def test_an_archive_that_is_not_what_its_hash_says_is_named_and_the_others_are_there(
    record, tmp_path: Path, monkeypatch
) -> None:
    known(record, monkeypatch)
    data = record.files["Tips.tar"]
    record.files["Tips.tar"] = data[:-2000] + b"x" + data[-1999:]
    record.lists = False
    with pytest.warns(SemWarning, match="862nr"):
        found = fetch_nffa(tmp_path / "nffa", record=record.url)
    assert set(found.failed) == {"Tips"} and "MD5" in found.failed["Tips"].message
    assert "doi.org" in found.failed["Tips"].hint
    assert found.images == {c: n for c, n in EXPECTED.items() if c != "Tips"}
    assert not (tmp_path / "nffa" / "Tips").exists()
    record.files["Tips.tar"] = data
    record.lists = True
    assert fetch_nffa(tmp_path / "nffa", record=record.url).images == EXPECTED


def test_a_known_release_is_checked_by_sha256_and_named(record, tmp_path, monkeypatch) -> None:
    known(record, monkeypatch)
    assert fetch_nffa(tmp_path / "a", record=record.url).release == "21169 images"
    known(record, monkeypatch, sha256="0" * 64)
    found = fetch_nffa(tmp_path / "b", categories=["Tips"], record=record.url)
    assert "SHA-256" in found.failed["Tips"].message
    known(record, monkeypatch, md5="0" * 32)
    assert fetch_nffa(tmp_path / "c", record=record.url).release == "862nr-cn036"


def test_archives_that_were_carried_over_are_used(record, tmp_path, monkeypatch) -> None:
    known(record, monkeypatch)
    place = tmp_path / "nffa" / "archives"
    place.mkdir(parents=True)
    for name, data in record.files.items():
        (place / name).write_bytes(data)
    found = fetch_nffa(tmp_path / "nffa", record=record.url, keep_archives=True)
    assert found.images == EXPECTED and record.loaded() == []
    assert len(list(place.glob("*.tar"))) == 10


def test_odd_members_are_left_out_and_named(record, tmp_path: Path) -> None:
    good, cmyk = jpeg(1), jpeg(2, (8, 8, 4), "CMYK")
    record.files["Tips.tar"] = tar(
        {
            "Tips/good.jpg": good,
            "Tips/again/good.jpg": good,
            "Tips/cut.jpg": good[: len(good) // 2],
            "Tips/print.jpg": cmyk,
            "Tips/dot.jpg": jpeg(3, (1, 1)),
            "Tips/words.jpg": b"no picture",
            "../../outside.jpg": jpeg(4),
            "/absolute.jpg": jpeg(5),
            "Tips/bad\nname.jpg": jpeg(6),
            "Tips/readme.txt": b"words",
            "..": b"",
        }
    )
    found = fetch_nffa(tmp_path / "nffa", categories=["Tips"], record=record.url)
    assert sorted(p.name for p in (tmp_path / "nffa" / "Tips").iterdir()) == [
        "absolute.jpg", "good.jpg", "images.csv", "outside.jpg",
    ]  # fmt: skip
    assert {one.file for one in found.skipped} == {
        "good.jpg", "cut.jpg", "print.jpg", "dot.jpg", "words.jpg", "bad\nname.jpg",
    }  # fmt: skip
    assert Skipped("Tips", "dot.jpg", "it has 1 x 1 px") in found.skipped
    assert {p.name for p in tmp_path.iterdir()} == {"nffa"}


def test_an_archive_that_is_no_tar_is_named(record, tmp_path: Path) -> None:
    record.files["Tips.tar"] = b"no archive" * 100
    found = fetch_nffa(tmp_path / "nffa", categories=["Tips"], record=record.url)
    assert "no whole archive" in found.failed["Tips"].message and found.images == {}


def test_a_release_that_changed_replaces_the_category_whole(record, tmp_path: Path) -> None:
    fetch_nffa(tmp_path / "nffa", categories=["Tips"], record=record.url)
    record.files["Tips.tar"] = tar({"Tips/new.jpg": jpeg(9)})
    found = fetch_nffa(tmp_path / "nffa", categories=["Tips", "Powder"], record=record.url)
    assert found.images["Tips"] == 1
    assert [p.name for p in (tmp_path / "nffa" / "Tips").glob("*.jpg")] == ["new.jpg"]


def test_a_missing_archive_and_no_connection_are_named(record, tmp_path: Path) -> None:
    del record.files["Tips.tar"]
    found = fetch_nffa(tmp_path / "nffa", categories=["Tips", "Powder"], record=record.url)
    assert "404" in found.failed["Tips"].message and found.images == {"Powder": EXPECTED["Powder"]}


def test_a_folder_of_something_else_and_a_wrong_category_are_refused(record, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(OutputExists):
        fetch_nffa(tmp_path / "mine", record=record.url)
    with pytest.raises(InvalidSettings, match="Tipps"):
        fetch_nffa(tmp_path / "nffa", categories=["Tipps"], record=record.url)
    assert [p.name for p in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


def test_a_disk_that_is_too_small_is_told_before_loading(record, tmp_path, monkeypatch) -> None:
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(fetch_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SemError, match="GB free"):
        fetch_nffa(tmp_path / "nffa", record=record.url)
    assert record.loaded() == []


def test_the_command_says_what_there_is_and_fails_by_name(record, tmp_path, capsys) -> None:
    words = ["dataset", "fetch", "nffa", "-o", str(tmp_path / "nffa"), "--record", record.url]
    assert main([*words, "--only", "Tips,Powder"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["Powder", "Tips", "release"]
    assert "CC-BY-4.0" in err
    del record.files["Fibres.tar"]
    assert main([*words, "--only", "Fibres", "--json", "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert set(json.loads(out)["failed"]) == {"Fibres"} and err.startswith("error: ")
    assert main([*words, "--only", "Nothing"]) == 2
