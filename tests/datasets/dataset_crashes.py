"""The job of fetching for the crash bench: ``python dataset_crashes.py FOLDER FAULT STRIDE``."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import shutil
import sys
import tarfile
import threading
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pooch  # noqa: F401  what an import reads is no step of ours
import requests  # noqa: F401
from PIL import Image

import crash_bench
from crash_bench import NEW, OLD, THIRD
from napari_sem_tools.datasets import fetch as fetch_module
from napari_sem_tools.datasets import fetch_nffa
from napari_sem_tools.models import download

WANTED = ("Powder", "Tips")


def archive(category: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for number in range(2):
            picture = io.BytesIO()
            pixels = np.full((16, 16), 40 * number + len(category), np.uint8)
            Image.fromarray(pixels).save(picture, "JPEG")
            info = tarfile.TarInfo(f"{category}/L1_{number}.jpg")
            info.size = len(picture.getvalue())
            tar.addfile(info, io.BytesIO(picture.getvalue()))
    return content.getvalue()


class Fetch:
    """Two categories; in between, either of them is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        download._PAUSE_S = 0.0
        fetch_module._PIECE_BYTES = 4000
        warnings.simplefilter("ignore")
        self.out = folder / "nffa"
        self.files = {f"{category}.tar": archive(category) for category in WANTED}
        files = self.files

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removesuffix("/content").rpartition("/")[2]
                rows = [
                    {"key": k, "checksum": "md5:" + hashlib.md5(v).hexdigest(), "size": len(v)}
                    for k, v in files.items()
                ]
                data = files.get(name) or json.dumps({"entries": rows}).encode()
                first, last = 0, len(data) - 1
                if wanted := self.headers.get("Range"):
                    first, last = (int(n) for n in re.findall(r"\d+", wanted))
                    last = min(last, len(data) - 1)
                self.send_response(416 if first > last else 206 if wanted else 200)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
                self.send_header("Content-Length", str(max(0, last + 1 - first)))
                self.end_headers()
                self.wfile.write(data[first : last + 1])

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.prepare()
        self.run()  # imports everything before the first fork
        shutil.rmtree(self.out)

    def prepare(self) -> None:
        pass

    def run(self) -> None:
        port = self.server.server_address[1]
        found = fetch_nffa(self.out, categories=WANTED, record=f"http://127.0.0.1:{port}/r/1")
        for error in found.failed.values():
            raise error

    def state(self) -> str:
        whole = ["L1_0.jpg", "L1_1.jpg", "images.csv"]
        there = [category for category in WANTED if (self.out / category).exists()]
        if any(sorted(p.name for p in (self.out / c).iterdir()) != whole for c in there):
            return THIRD
        card = self.out / "dataset.json"
        kept = json.loads(card.read_text())["archives"] if card.exists() else {}
        return THIRD if set(kept) - set(there) else NEW if len(kept) == len(WANTED) else OLD

    def recover(self) -> bool:
        self.run()
        left = [p for p in self.out.rglob("*.partial")]
        return self.state() == NEW and not left


if __name__ == "__main__":
    where, fault, stride = sys.argv[1:]
    crash_bench.JOBS["fetch"] = Fetch
    shutil.rmtree(Path(where) / "work", ignore_errors=True)
    print(json.dumps(crash_bench.bench("fetch", Path(where) / "work", fault, int(stride))))
