"""What is done of a run under way, kept on disk so that a stopped run goes on.

``out.partial/`` holds ``result/``, which will become `out`, and ``ledger/``, which knows
what is done.  An entry's JSON is written last: while it is missing, nothing of the image
counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import shutil
from pathlib import Path

from napari_sem_tools.analysis.plan import Plan, Source
from napari_sem_tools.analysis.result import ImageResult, table_from_text, table_to_text
from napari_sem_tools.errors import InvalidSettings, OutputExists, UnreadableFile
from napari_sem_tools.files import sweep, write_file, write_text

__all__ = ["Ledger", "hash_file"]

_CHUNK = 1 << 20
_PLAN = "plan.txt"
_FINISHED = "finished.txt"
_FOLDERS = {"figures", "geojson", "labels", "rois"}  # all folders that results hold


@dataclasses.dataclass(frozen=True)
class Ledger:
    """The folder of a run under way.

    Attributes
    ----------
    folder : Path
        ``out.partial``.
    """

    folder: Path

    @property
    def result(self) -> Path:
        """The folder that becomes `out`."""
        return self.folder / "result"

    @property
    def entries(self) -> Path:
        """The folder of what is done."""
        return self.folder / "ledger"

    def open(self, plan: Plan, *, overwrite: bool, resume: bool) -> None:
        """Begin a run or go on with a stopped one.

        Raises
        ------
        OutputExists
            There are results, or a stopped run, that were not to be replaced.
        InvalidSettings
            The stopped run was made otherwise.
        """
        sweep(plan.out)
        if plan.out.exists() and not overwrite:
            raise OutputExists(
                f"{plan.out} exists.",
                hint="Choose another folder, or allow it to be replaced (--overwrite).",
            )
        self._refuse_what_is_not_ours(plan)
        if (self.entries / _FINISHED).exists():
            self.discard()
        stopped = self._stopped_run()
        if resume and stopped:
            if stopped != plan.fingerprint():
                raise InvalidSettings(
                    f"The stopped run in {self.folder} was made with other settings.",
                    hint="Repeat its settings, or start anew without resuming.",
                )
            self._remove_unfinished_files()
            return
        if self.done() and not overwrite:
            raise OutputExists(
                f"A stopped run with {len(self.done())} images done is in {self.folder}.",
                hint="Go on with it (--resume), or start anew (--overwrite).",
            )
        self.discard()
        write_text(self.entries / _PLAN, plan.fingerprint())

    def _refuse_what_is_not_ours(self, plan: Plan) -> None:
        """Keep folders that no analysis has made from being deleted."""
        if plan.out.exists() and not plan.out.is_dir():
            raise OutputExists(f"{plan.out} is a file.", hint="Choose another folder.")
        for folder, ours in ((plan.out, _FOLDERS), (self.folder, {"ledger", "result"})):
            inside = folder.iterdir() if folder.is_dir() else ()
            foreign = sorted(
                path.name for path in inside if path.is_dir() and path.name not in ours
            )
            if foreign:
                raise OutputExists(
                    f"{folder} holds the folder {foreign[0]}, which no analysis has made.",
                    hint="Choose another folder for the results.",
                )

    def _stopped_run(self) -> str:
        """Return the fingerprint of a stopped run, empty without one."""
        try:
            return (self.entries / _PLAN).read_text(encoding="utf-8")
        except OSError:
            return ""

    def done(self) -> list[str]:
        """List the sources that are done."""
        if not self._stopped_run():
            return []
        return [path.stem for path in self.entries.glob("*.done")]

    def _remove_unfinished_files(self) -> None:
        """Delete what a killed writer left under a temporary name."""
        for path in self.folder.rglob(".*.partial"):
            with contextlib.suppress(OSError):
                path.unlink()

    def add(self, source: Source, results: list[ImageResult]) -> None:
        """Record what became of a source; the mark that counts is written last."""
        for result in results:
            write_text(self._entry(result.name, "csv"), table_to_text(result.table))
            write_text(self._entry(result.name, "json"), result.to_json())
        mark = [_digest(source, results), *(result.name for result in results)]
        write_text(self._entry(source.name, "done"), "\n".join(mark))

    def recall(self, source: Source) -> list[ImageResult] | None:
        """Return what became of a source, None when it is not done or its file has changed."""
        try:
            digest, *names = self._entry(source.name, "done").read_text("utf-8").split("\n")
            results = [self._result(name) for name in names]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = all(r.failed or self.labels_path(r.name).exists() for r in results)
        return results if whole and digest == _digest(source, results) else None

    def results(self, sources: tuple[Source, ...]) -> list[ImageResult]:
        """Return all results in the order of the sources."""
        found = []
        for source in sources:
            names = self._entry(source.name, "done").read_text("utf-8").split("\n")[1:]
            found += [self._result(name) for name in names]
        return found

    def labels_path(self, name: str) -> Path:
        """Where the labels of an image are kept."""
        return self.result / "labels" / f"{name}.tif"

    def figure_path(self, name: str) -> Path:
        """Where the figure of an image is kept."""
        return self.result / "figures" / f"{name}.png"

    def thumbnail_path(self, name: str) -> Path:
        """Where the small picture of an image is kept until the overview is drawn."""
        return self._entry(name, "png")

    def finish(self) -> None:
        """Mark that all is written: from here on the run is not gone on with, but made anew."""
        write_file(self.entries / _FINISHED, b"")

    def discard(self) -> None:
        """Delete the run; its plan first, so that a half deleted one is never gone on with."""
        with contextlib.suppress(OSError):
            (self.entries / _PLAN).unlink()
        for folder in (self.entries, self.folder):
            shutil.rmtree(folder, ignore_errors=True)

    def _entry(self, name: str, kind: str) -> Path:
        return self.entries / f"{name}.{kind}"

    def _result(self, name: str) -> ImageResult:
        """Read one entry."""
        table = table_from_text(self._entry(name, "csv").read_text("utf-8"))
        return ImageResult.from_json(self._entry(name, "json").read_text("utf-8"), table)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises
    ------
    UnreadableFile
        The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read: {error.strerror or error}.",
            hint="Check that the file is there and that you may read it.",
        ) from error
    return digest.hexdigest()


def _digest(source: Source, results: list[ImageResult]) -> str:
    """Return the SHA-256 by which a source is recognised; empty when it cannot be read."""
    if source.image is not None:
        return source.image.identity().sha256
    try:
        return hash_file(source.path) if source.path is not None else ""
    except UnreadableFile:
        return ""
