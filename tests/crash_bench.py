"""Kill a writer before each of its steps, or let a step fail, and look at what is left.

Run as ``python tests/crash_bench.py JOB FOLDER [kill|ENOSPC|EACCES] [STRIDE]``; prints JSON.
A step is a call of the system that changes the disk: open for writing, write, fsync, rename,
unlink, mkdir, rmdir.  Each attempt runs in a fork of its own, so that the kill is a real one.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari_sem_tools.files as files
from napari_sem_tools.errors import SemError

OLD, NEW, THIRD = "old", "new", "third"
NO_KILL = 10**9


class Steps:
    """Counts steps; before step `last` it kills the process, or lets the step fail."""

    def __init__(self, last: int, fault: str) -> None:
        self.last, self.fault, self.count = last, fault, 0

    def __call__(self, half: Callable[[], object] | None = None) -> None:
        self.count += 1
        if self.count < self.last:
            return
        if self.fault == "kill":
            if half is not None:
                half()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.count == self.last or self.fault == "ENOSPC":  # a full disk stays full
            code = getattr(errno, self.fault)
            raise OSError(code, os.strerror(code))


def install(step: Steps) -> None:
    """Put a step before every call that changes the disk."""

    class Raw(io.FileIO):
        def write(self, data: Any) -> int:
            step(lambda: io.FileIO.write(self, bytes(data)[: len(data) // 2]))
            return super().write(data)

    real_open = builtins.open

    def opened(path: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        if not set(mode) & set("wax+"):
            return real_open(path, mode, *more, **named)
        if "b" not in mode:
            raise AssertionError(f"{path} is opened for text outside files.py")
        step()
        return io.BufferedRandom(Raw(path, mode))

    builtins.open = opened
    freeing = ("unlink", "remove", "rmdir")
    for name in ("fsync", "replace", "rename", "mkdir", *freeing):
        setattr(os, name, stepped(getattr(os, name), step, frees=name in freeing))
    files._exchange = stepped(files._exchange, step, frees=False)


def stepped(call: Callable[..., Any], step: Steps, *, frees: bool) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if not (frees and step.fault == "ENOSPC"):  # deleting needs no space
            step()
        return call(*arguments, **named)

    return wrapped


class WriteFile:
    """A file of several writes that replaces an older one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "table.csv"

    def prepare(self) -> None:
        self.path.write_bytes(b"old" * 1000)

    def run(self) -> None:
        def content(file: Any) -> None:
            for _ in range(5):
                file.write(b"new" * 30_000)

        files.write_file(self.path, content)

    def state(self) -> str:
        others = [p for p in self.path.parent.iterdir() if p != self.path]
        if any(not (p.name.startswith(".") and p.name.endswith(".partial")) for p in others):
            return THIRD
        known = {b"old" * 1000: OLD, b"new" * 150_000: NEW}
        return known.get(self.path.read_bytes() if self.path.exists() else b"", THIRD)


class ReplaceFolder:
    """A finished folder that replaces an older one."""

    exchange = True

    def __init__(self, folder: Path) -> None:
        self.target, self.built = folder / "out", folder / "out.partial"
        if not self.exchange:
            files._exchange = lambda first, second: False

    def prepare(self) -> None:
        for folder, text in ((self.target, "old"), (self.built, "new")):
            (folder / "labels").mkdir(parents=True)
            (folder / "labels" / "a.tif").write_text(text)
            (folder / f"{text}.csv").write_text(text)

    def run(self) -> None:
        files.sweep(self.target)
        files.replace_folder(self.built, self.target)

    def state(self) -> str:
        if not self.exchange:
            files.sweep(self.target)
        inside = {
            str(p.relative_to(self.target)): p.read_text()
            for p in self.target.rglob("*")
            if p.is_file()
        }
        for text in (OLD, NEW):
            if inside == {"labels/a.tif": text, f"{text}.csv": text}:
                return text
        return THIRD


class ReplaceFolderInTwoRenames(ReplaceFolder):
    """The same where the system cannot swap folders; the next start sweeps."""

    exchange = False


class Analyze:
    """The main job on two images, over the results of an earlier run."""

    expected = frozenset(
        [
            "report.html",
            "figure.png",
            "histogram.png",
            "sizes.csv",
            "particles.csv",
            "images.csv",
            "summary.json",
            "analysis.py",
            "labels/a.tif",
            "labels/b.tif",
            "figures/a.png",
            "figures/b.png",
        ]
    )

    def __init__(self, folder: Path) -> None:
        import numpy as np

        import napari_sem_tools as sem
        from napari_sem_tools.reporting import figures
        from napari_sem_tools.tiff import write_tiff

        self.folder, self.out, self.sem = folder, folder / "out", sem
        self.inputs = [folder.parent / "images" / f"{name}.tif" for name in "ab"]
        for number, path in enumerate(self.inputs):
            image = np.full((48, 48), 20, np.uint8)
            image[10:22, 10 : 25 + number] = 200
            image[28:40, 8:20] = 190
            write_tiff(path, image, calibration=sem.Calibration((2.0, 2.0), "typed"))
        picture = figures.png_bytes(figures.new_figure(1, 1), dpi=20)
        figures.png_bytes = lambda figure, **_: picture  # what is drawn does not matter here
        warnings.simplefilter("ignore")
        self.prepare()
        self.run()  # imports everything before the first fork
        shutil.rmtree(self.out)

    def prepare(self) -> None:
        self.out.mkdir()
        (self.out / "summary.json").write_text("old")

    def run(self) -> None:
        self.sem.analyze(self.inputs, self.out, overwrite=True)

    def state(self) -> str:
        inside = {p.relative_to(self.out).as_posix() for p in self.out.rglob("*") if p.is_file()}
        text = (self.out / "summary.json").read_text() if "summary.json" in inside else ""
        if inside == {"summary.json"} and text == "old":
            return OLD
        whole = inside == self.expected and json.loads(text)["images"] == 2
        return NEW if whole and self.goes_on() else THIRD

    def goes_on(self) -> bool:
        return (self.out / "report.html").read_text().rstrip().endswith("</html>")

    def recover(self) -> bool:
        """Go on with the killed run; the result is complete."""
        self.sem.analyze(self.inputs, self.out, overwrite=True, resume=True)
        leftover = self.out.with_name("out.partial")
        return self.state() == NEW and not leftover.exists()


JOBS = {
    "write_file": WriteFile,
    "replace_folder": ReplaceFolder,
    "replace_folder_two_renames": ReplaceFolderInTwoRenames,
    "analyze": Analyze,
}


def attempt(job: Any, last: int, fault: str) -> str:
    """Run the job in a fork up to step `last`; say how it ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        ended = "done"
        step = Steps(last, fault)
        try:
            install(step)
            job.run()
        except SemError as error:
            ended = f"SemError {error}"
        except BaseException as error:  # noqa: BLE001  ends the fork, and is said
            ended = f"raised {type(error).__name__}: {error}"
        if step.count < last:
            ended = "done, all steps"
        os.write(writer, ended.encode())
        os._exit(0)
    os.close(writer)
    said = b"".join(iter(lambda: os.read(reader, 4096), b"")).decode()
    os.close(reader)
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else said


def bench(name: str, folder: Path, fault: str, stride: int) -> dict[str, Any]:
    """Try every `stride`-th step and list what should not be."""
    folder.mkdir(parents=True, exist_ok=True)
    job = JOBS[name](folder)
    seen: dict[str, int] = {}
    wrong: list[str] = []
    last = 1
    while True:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        job.prepare()
        ended = attempt(job, last, fault)
        if ended == "done, all steps":
            return {"points": last - 1, "seen": seen, "wrong": wrong}
        state = job.state()
        seen[state] = seen.get(state, 0) + 1
        if state == THIRD:
            wrong.append(f"step {last}: {ended}: a third state")
        if ended.startswith("raised"):
            wrong.append(f"step {last}: {ended}")
        if ended.startswith("SemError") and state != OLD:
            wrong.append(f"step {last}: {ended}, although the new one is in place")
        if fault == "kill" and hasattr(job, "recover") and not job.recover():
            wrong.append(f"step {last}: the run does not go on")
        last += stride


if __name__ == "__main__":
    name, where, *more = sys.argv[1:]
    fault, stride = (*more, *("kill", "1")[len(more) :])
    print(json.dumps(bench(name, Path(where) / "work", fault, int(stride))))
