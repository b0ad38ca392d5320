"""The jobs of the store for the crash bench: ``python crash_jobs.py JOB FOLDER FAULT STRIDE``."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pooch  # noqa: F401  what an import reads is no step of ours
import requests  # noqa: F401

import crash_bench
import napari_sem_tools.models.bioimageio
import napari_sem_tools.models.download
from crash_bench import NEW, OLD, THIRD
from models.conftest import card_for, safetensors_bytes
from napari_sem_tools.errors import SemError
from napari_sem_tools.models.card import ModelCard
from napari_sem_tools.models.locations import Place
from napari_sem_tools.models.store import Store
from napari_sem_tools.models.transfer import export_model, import_model


class StoreJob:
    """An action on a store that holds `spheres`; what counts is what a user sees afterwards."""

    def __init__(self, folder: Path) -> None:
        import numpy as np

        self.folder = folder
        self.source = folder.parent / "model.zip"
        self.store = Store([Place(folder / "data" / "models", "user")])
        self.weights = safetensors_bytes({"conv": np.zeros((40, 1, 3, 3))})
        self.particles = card_for(self.weights)
        self.spheres = card_for(self.weights, name="spheres")
        self.keep(self.particles)
        export_model(self.store, "particles", self.source, overwrite=True)
        napari_sem_tools.models.download._PAUSE_S = 0.0

    def keep(self, card: ModelCard) -> None:
        self.store.add(card, lambda out: out.write(self.weights))

    def prepare(self) -> None:
        self.keep(self.spheres)

    def found(self) -> list[str]:
        fresh = Store([Place(self.folder / "data" / "models", "user")])
        assert all(verdict.good for verdict in fresh.verify()), fresh.verify()
        return [entry.card.name for entry in fresh.entries()]

    def state(self) -> str:
        try:
            names = self.found()
        except (AssertionError, SemError):
            return THIRD
        return {self.before: OLD, self.after: NEW}.get(" ".join(names), THIRD)

    before, after = "spheres", "particles spheres"

    def recover(self) -> bool:
        """The next attempt succeeds."""
        self.run()
        return self.state() == NEW


class Import(StoreJob):
    """A model from one file."""

    def run(self) -> None:
        import_model(self.store, self.source)


class Remove(StoreJob):
    """A model goes."""

    before, after = "particles spheres", "spheres"

    def prepare(self) -> None:
        super().prepare()
        self.keep(self.particles)

    def run(self) -> None:
        self.store.remove("particles")

    def recover(self) -> bool:
        return self.state() == NEW or super().recover()


class Export(StoreJob):
    """A model to one file, over an older one."""

    @property
    def out(self) -> Path:
        return self.folder / "out.zip"

    def prepare(self) -> None:
        super().prepare()
        self.keep(self.particles)
        self.out.write_bytes(b"older")

    def run(self) -> None:
        export_model(self.store, "particles", self.out, overwrite=True)

    def state(self) -> str:
        known = {b"older": OLD, self.source.read_bytes(): NEW}
        return known.get(self.out.read_bytes(), THIRD)


class Download(StoreJob):
    """A model from an address, through hidden unfinished files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        data = self.source.read_bytes()
        self.sha256 = hashlib.sha256(data).hexdigest()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                start = int(re.findall(r"\d+", self.headers.get("Range", "bytes=0-"))[0])
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(data)}/{len(data)}")
                self.send_header("Content-Length", str(len(data[start:])))
                self.end_headers()
                self.wfile.write(data[start:])

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def run(self) -> None:
        url = f"http://127.0.0.1:{self.server.server_address[1]}/model.zip"
        import_model(self.store, url, sha256=self.sha256)

    def recover(self) -> bool:
        hidden = self.folder / "data" / "downloads"
        return super().recover() and not list(hidden.glob(".*.partial"))


JOBS: dict[str, Any] = {"import": Import, "remove": Remove, "export": Export, "download": Download}

if __name__ == "__main__":
    name, where, fault, stride = sys.argv[1:]
    crash_bench.JOBS.update(JOBS)
    folder = Path(where) / "work"
    shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(crash_bench.bench(name, folder, fault, int(stride))))
