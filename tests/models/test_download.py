"""A download goes on where it stopped, is what its hash says, and explains itself."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
import requests

from napari_sem_tools.errors import (
    Cancelled,
    InvalidSettings,
    ModelNotFound,
    SemError,
    UntrustedModel,
)
from napari_sem_tools.files import growing_file
from napari_sem_tools.models import download
from napari_sem_tools.models.card import WeightsFile
from napari_sem_tools.models.download import fetch
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store
from napari_sem_tools.models.transfer import export_model, import_model

from .conftest import FileServer, card_for
from .test_card import assert_one_sentence
from .test_store import tree

DATA = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE_S", 0.0)


@pytest.fixture
def url(server: FileServer) -> str:
    server.files["/w"] = DATA
    return f"{server.url}/w"


def partials(folder: Path) -> list[Path]:
    return list(folder.glob(".*.partial"))


def test_a_file_is_loaded_once(url: str, server: FileServer, tmp_path: Path, capfd) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(url, SHA256, folder=tmp_path, progress=lambda d, t, w: seen.append((d, t)))
    assert path.read_bytes() == DATA
    assert seen == sorted(seen) and seen[-1] == (len(DATA), len(DATA))
    assert fetch(url, SHA256, folder=tmp_path) == path
    assert len(server.requests) == 1
    assert not partials(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_broken_line_is_picked_up_where_it_broke(url, server, tmp_path: Path) -> None:
    server.drop_after = 300_000
    assert fetch(url, SHA256, folder=tmp_path).read_bytes() == DATA
    starts = [wanted for _, wanted in server.requests]
    assert starts[0] is None
    assert len(starts) > 3
    assert all(w and w.startswith("bytes=") and w != "bytes=0-" for w in starts[1:])


def test_a_cancelled_download_goes_on_the_next_time(url, server, tmp_path: Path) -> None:
    asked = iter([False] * 3 + [True] * 100)
    with pytest.raises(Cancelled):
        fetch(url, SHA256, folder=tmp_path, cancel=lambda: next(asked))
    (partial,) = partials(tmp_path)
    done = partial.stat().st_size
    assert 0 < done < len(DATA)
    assert fetch(url, SHA256, folder=tmp_path).read_bytes() == DATA
    assert server.requests[-1][1] == f"bytes={done}-"


def test_a_server_that_cannot_resume_is_asked_from_the_start(url, server, tmp_path) -> None:
    server.resumes = False
    with growing_file(tmp_path / f".{SHA256[:32]}.partial") as file:
        file.write(DATA[:1000])
    assert fetch(url, SHA256, folder=tmp_path).read_bytes() == DATA
    assert len(server.requests) == 1


def test_a_file_that_was_whole_already_is_only_checked(url, server, tmp_path) -> None:
    with growing_file(tmp_path / f".{SHA256[:32]}.partial") as file:
        file.write(DATA)
    assert fetch(url, SHA256, folder=tmp_path).read_bytes() == DATA


def test_a_wrong_beginning_is_loaded_afresh_once(url, server, tmp_path: Path) -> None:
    with growing_file(tmp_path / f".{SHA256[:32]}.partial") as file:
        file.write(b"x" * 1000)
    assert fetch(url, SHA256, folder=tmp_path).read_bytes() == DATA
    assert [wanted for _, wanted in server.requests] == ["bytes=1000-", None]


def test_what_does_not_match_its_hash_is_deleted(url, server, tmp_path: Path) -> None:
    with pytest.raises(UntrustedModel, match="does not match its SHA-256") as caught:
        fetch(url, "0" * 64, folder=tmp_path)
    assert_one_sentence(caught.value)
    assert tree(tmp_path / "folder") == {}
    assert [p for p in tmp_path.iterdir() if p.is_file()] == []


def test_more_than_was_announced_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedModel, match="more than the 1000 bytes"):
        fetch(url, SHA256, folder=tmp_path, max_bytes=1000)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://a/b", "https://", "w", ""])
def test_an_address_that_is_not_of_the_web_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedModel):
        fetch(address, SHA256, folder=tmp_path)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "md5:" + "0" * 60, "g" * 64])
def test_there_is_no_download_without_a_hash(sha256: str, url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings):
        fetch(url, sha256, folder=tmp_path)


def test_a_name_that_leads_out_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedModel):
        fetch(url, SHA256, folder=tmp_path, name="../w")


def test_without_a_network_the_way_out_is_told(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelNotFound, match=r"no connection to 127\.0\.0\.1") as caught:
        fetch(f"http://127.0.0.1:{port}/w", SHA256, folder=tmp_path)
    assert "carry it over" in caught.value.hint
    assert_one_sentence(caught.value)


def test_offline_by_setting_asks_nobody(url, server, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NAPARI_SEM_TOOLS_OFFLINE", "1")
    with pytest.raises(ModelNotFound, match="switched off"):
        fetch(url, SHA256, folder=tmp_path)
    assert server.requests == []


def test_a_missing_file_is_told_with_its_status(server, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="404"):
        fetch(f"{server.url}/nothing", SHA256, folder=tmp_path)


def test_a_proxy_that_refuses_is_named(tmp_path: Path, monkeypatch, server) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(SemError, match="proxy"):
        fetch("https://models.invalid/w", SHA256, folder=tmp_path)


def test_the_proxy_of_the_environment_is_used(server, tmp_path: Path, monkeypatch) -> None:
    server.files["http://models.invalid/w"] = DATA
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    assert fetch("http://models.invalid/w", SHA256, folder=tmp_path).read_bytes() == DATA


def test_certificates_are_always_checked(tmp_path: Path, monkeypatch) -> None:
    asked: list[dict[str, object]] = []

    def get(self: requests.Session, method: str, url: str, **how: object) -> object:
        asked.append(how)
        raise requests.exceptions.SSLError("self-signed certificate")

    monkeypatch.setattr(requests.Session, "request", get)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/institution.pem")
    with pytest.raises(SemError, match=r"certificate of models\.invalid") as caught:
        fetch("https://models.invalid/w", SHA256, folder=tmp_path)
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint
    assert all(how.get("verify", True) is not False for how in asked)
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED


def test_two_programs_do_not_write_one_download(url: str, tmp_path: Path) -> None:
    with (
        growing_file(tmp_path / f".{SHA256[:32]}.partial"),
        pytest.raises(SemError, match="another program"),
    ):
        fetch(url, SHA256, folder=tmp_path)
    assert fetch(url, SHA256, folder=tmp_path).read_bytes() == DATA


def test_many_threads_that_load_one_file_end_with_it(url: str, tmp_path: Path) -> None:
    found: list[object] = []

    def load() -> None:
        try:
            found.append(fetch(url, SHA256, folder=tmp_path).read_bytes())
        except SemError as error:
            found.append(str(error))

    threads = [threading.Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert DATA in found
    assert all(f == DATA or "another program" in str(f) for f in found)


def test_weights_that_a_card_only_gives_the_address_of_are_loaded_and_kept(
    server: FileServer, weights: bytes, tmp_path: Path
) -> None:
    server.files["/weights"] = weights
    described = card_for(weights).weights
    address = WeightsFile(described.file, described.sha256, len(weights), f"{server.url}/weights")
    shipped = tmp_path / "packaged" / "particles" / "1.0.0"
    shipped.mkdir(parents=True)
    (shipped / "card.json").write_text(card_for(weights, weights=address).to_json())
    store = Store(
        [Place(tmp_path / "packaged", "packaged"), Place(tmp_path / "data" / "models", "user")]
    )
    assert store.weights("particles").read_bytes() == weights
    assert store.weights("particles").is_relative_to(tmp_path / "data")
    assert len(server.requests) == 1
    assert list((tmp_path / "data" / "downloads").iterdir()) == []
    assert os.listdir(shipped) == ["card.json"]


def test_a_model_is_imported_from_an_address_with_its_hash(
    server: FileServer, store: Store, keep, weights: bytes, tmp_path: Path
) -> None:
    keep(weights)
    path = export_model(store, "particles", tmp_path / "a.zip")
    data = server.files["/a.zip"] = path.read_bytes()
    other = Store([Place(tmp_path / "other" / "models", "user")])
    with pytest.raises(InvalidSettings, match="without a SHA-256"):
        import_model(other, f"{server.url}/a.zip")
    sha256 = hashlib.sha256(data).hexdigest()
    assert import_model(other, f"{server.url}/a.zip", sha256=sha256).name == "particles"
    assert list((tmp_path / "other" / "downloads").iterdir()) == []


def test_what_a_crash_left_long_ago_is_swept(url: str, tmp_path: Path) -> None:
    ages = {"tmpabc": 2, "tmpnew": 0, ".old.partial": 40, ".new.partial": 2}
    for name, days in ages.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - days * 86400,) * 2)
    fetch(url, SHA256, folder=tmp_path, name="w")
    assert sorted(os.listdir(tmp_path)) == [".new.partial", "tmpnew", "w"]
