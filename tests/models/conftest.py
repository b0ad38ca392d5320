"""A small model made without torch, an empty store, and a file server on the loopback."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import napari_sem_tools as sem
from napari_sem_tools.models import locations
from napari_sem_tools.models.card import ModelCard, OutputChannel, WeightsFile
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store


def safetensors_bytes(tensors: dict[str, np.ndarray], **header_changes: object) -> bytes:
    """A safetensors file written by hand, so that it can also be written wrongly."""
    header, body = {}, b""
    for name, array in tensors.items():
        raw = array.astype("<f4").tobytes()
        place = [len(body), len(body) + len(raw)]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": place}
        body += raw
    text = json.dumps(header | header_changes).encode()
    return len(text).to_bytes(8, "little") + text + body


@pytest.fixture
def weights() -> bytes:
    """Weights of a 3 x 3 convolution."""
    rng = np.random.default_rng(0)
    return safetensors_bytes(
        {"conv.weight": rng.normal(size=(2, 1, 3, 3)), "conv.bias": np.ones(2)}
    )


def card_for(data: bytes, **changes: object) -> ModelCard:
    fields = {
        "name": "particles",
        "version": "1.0.0",
        "task": "segmentation",
        "architecture": "unet",
        "arguments": {"filters": 8},
        "weights": WeightsFile("weights.safetensors", hashlib.sha256(data).hexdigest(), len(data)),
        "outputs": (OutputChannel("foreground", "particle", "sigmoid"),),
        "licence": "BSD-3-Clause",
        "created": "2026-01-31",
    }
    return ModelCard(**(fields | changes))


@pytest.fixture
def card(weights: bytes) -> ModelCard:
    return card_for(weights)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No test sees or touches the models and settings of whoever runs it, nor leaves its own."""
    home = tmp_path / "home"
    monkeypatch.setattr(locations, "PACKAGED", tmp_path / "packaged")
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    for name in ("NAPARI_SEM_TOOLS_MODELS", "NAPARI_SEM_TOOLS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield home
    sem.models.configure()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([Place(tmp_path / "data" / "models", "user")])


@pytest.fixture
def keep(store: Store) -> Callable[..., ModelCard]:
    """Put a model into the store."""

    def add(data: bytes, **changes: object) -> ModelCard:
        return store.add(card_for(data, **changes), lambda out: out.write(data)).card

    return add


class FileServer:
    """Serves bytes, as a good server or as one of those that laboratories have."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.resumes = True
        self.drop_after: int | None = None  # bytes of each answer before the line breaks
        self.on_chunk: Callable[[], None] = lambda: None


@pytest.fixture
def server() -> Iterator[FileServer]:
    state = FileServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.requests.append((self.path, wanted))
            data = state.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and state.resumes else 0
            if start and start >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            stop = None if state.drop_after is None else start + state.drop_after
            with contextlib.suppress(OSError):
                self.wfile.write(data[start:stop])
                self.wfile.flush()
            if stop is not None and stop < len(data):
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{running.server_address[1]}"
        yield state
        running.shutdown()
        thread.join()
