"""Files from the web: known by their hash, resumed where they stopped, never trusted.

pooch keeps the file and checks the hash; what it lacks is done here: going on with the
bytes that are there already (HTTP Range), progress, cancelling, and sentences for the
usual troubles of a laboratory's network.  Proxies and an institution's own certificate
are taken from the environment (``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``); the check of
certificates cannot be switched off.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from napari_sem_tools.errors import InvalidSettings, ModelNotFound, SemError, UntrustedModel
from napari_sem_tools.files import growing_file, place_file
from napari_sem_tools.models.card import MAX_WEIGHTS_BYTES
from napari_sem_tools.models.locations import model_settings
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["fetch", "fetch_archive"]

_TIMEOUT_S = (10, 30)  # to connect, and between two pieces
_CHUNK = 256 * 1024
_ATTEMPTS = 5  # in a row without a single new byte
_PAUSE_S = 0.5
_STALE_S = 24 * 3600
_FORGOTTEN_S = 30 * _STALE_S
_DIGITS = {"sha256": 64, "md5": 32}
_CARRY = "Load it on another computer, carry it over, and import the file."
_log = logging.getLogger("napari_sem_tools")


def fetch(
    url: str,
    sha256: str,
    *,
    folder: Path,
    name: str | None = None,
    max_bytes: int = MAX_WEIGHTS_BYTES,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Path:
    """Load a file from the web, or take it from `folder` where it is already.

    Parameters
    ----------
    url : str
        ``https://`` or ``http://``; the hash protects either.
    sha256 : str
        64 hexadecimal digits; there is no way without.
    folder : Path
        Where the file is kept.  After an interruption a hidden ``.partial`` file stays
        there, and the next call goes on from it.
    name : str, optional
        Name of the file; by default its hash.
    max_bytes : int
        Refused beyond.
    progress, cancel : callable, optional
        Called with bytes done and in all.

    Returns
    -------
    Path
        The file, with exactly this hash.

    Raises
    ------
    ModelNotFound
        There is no connection, or no such file at the address.
    UntrustedModel
        What came is not what the hash says.
    Cancelled
        The user stopped; what is loaded so far is kept for the next time.

    References
    ----------
    .. [1] RFC 9110, HTTP Semantics, section 14: Range Requests.
    """
    sha256 = sha256.lower().removeprefix("sha256:")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise InvalidSettings(
            f"{sha256[:80]!r} is not a SHA-256.", hint="Give the 64 digits that go with the file."
        )
    job = _Download(url, folder / f".{sha256[:32]}.partial", max_bytes, progress, cancel)
    return _kept(job, f"sha256:{sha256}", folder, name or sha256)


def fetch_archive(
    url: str,
    checksum: str,
    *,
    folder: Path,
    name: str,
    max_bytes: int,
    piece_bytes: int,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Path:
    """Load a large archive in pieces, or take it from `folder` where it is already.

    Some servers of archives break long transfers; each piece is asked for by itself.

    Parameters
    ----------
    url : str
    checksum : str
        ``"sha256:..."``, or ``"md5:..."`` where the archive's record gives no other; MD5 finds
        damage, not ill will, so nothing that is run comes this way.
    folder : Path
        As for `fetch`.
    name : str
        Name of the file.
    max_bytes : int
        Refused beyond.
    piece_bytes : int
        Of one request.
    progress, cancel : callable, optional

    Returns
    -------
    Path

    Raises
    ------
    ModelNotFound, UntrustedModel, Cancelled
        As `fetch`.
    """
    kind, _, digits = checksum.lower().partition(":")
    if len(digits) != _DIGITS.get(kind) or set(digits) - set("0123456789abcdef"):
        raise InvalidSettings(
            f"{checksum[:80]!r} is no checksum.", hint="Give sha256: or md5: and the digits."
        )
    partial = folder / f".{digits[:32]}.partial"
    job = _Download(url, partial, max_bytes, progress, cancel, piece_bytes, f"loading {name}")
    return _kept(job, f"{kind}:{digits}", folder, name)


def _kept(job: _Download, checksum: str, folder: Path, name: str) -> Path:
    """Check address and name, clear up, and load."""
    if urlsplit(job.url).scheme not in ("https", "http") or not urlsplit(job.url).hostname:
        raise UntrustedModel(f"The address {job.url[:80]!r} is not one of the web.")
    if Path(name).name != name:
        raise UntrustedModel(f"{name[:80]!r} is not a plain file name.")
    _sweep(folder)
    return _retrieve(job, checksum, folder, name)


def _sweep(folder: Path) -> None:
    """Delete what a crash left of pooch's own temporary files, and downloads nobody resumed."""
    with contextlib.suppress(OSError):
        for pattern, age_s in (("tmp*", _STALE_S), (".*.partial", _FORGOTTEN_S)):
            for path in folder.glob(pattern):
                if time.time() - path.lstat().st_mtime > age_s:
                    path.unlink()


def _retrieve(job: _Download, checksum: str, folder: Path, name: str) -> Path:
    """Let pooch look, load and compare; a wrong hash after a resumed load is tried afresh once."""
    import pooch

    kind = {"sha256": "SHA-256", "md5": "MD5"}[checksum.partition(":")[0]]
    if not (folder / name).is_file() and model_settings().offline:
        raise ModelNotFound(
            f"{job.url} is not on this computer, and loading from the network is switched off.",
            hint=f"Unset NAPARI_SEM_TOOLS_OFFLINE. Or: {_CARRY}",
        )
    for _ in range(2):
        try:
            with _quiet():
                found = pooch.retrieve(job.url, checksum, fname=name, path=folder, downloader=job)
        except ValueError as error:
            if job.resumed:
                job.resumed = False
                continue
            raise UntrustedModel(
                f"{job.url} gave a file that does not match its {kind}, and it was deleted.",
                hint="The file was changed on the way or at its source; tell its maintainer.",
            ) from error
        except OSError as error:
            raise SemError(
                f"{folder} could not be written to: {error.strerror or error}.",
                hint="Choose a folder that you may write to and that has free space.",
            ) from error
        return Path(found)
    raise UntrustedModel(f"{job.url} gave a file that does not match its {kind}.")


@dataclasses.dataclass
class _Download:
    """A downloader for pooch that goes on where an earlier one stopped."""

    url: str
    partial: Path
    max_bytes: int
    progress: Progress | None
    cancel: Cancel | None
    piece_bytes: int | None = None  # of one request; None: all that is missing
    what: str = "loading the model"
    resumed: bool = False

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        """Load the file to where pooch wants it."""
        self.resumed = self.partial.exists() and self.partial.stat().st_size > 0
        with growing_file(self.partial) as file:
            self._until_whole(url, file)
        place_file(self.partial, Path(output_file))

    def _until_whole(self, url: str, file: BinaryIO) -> None:
        """Try again while the connection breaks but brings something."""
        import requests

        tries = 0
        while True:
            before = file.tell()
            try:
                if self._piece(url, file):
                    return
                if file.tell() == before:
                    raise requests.ConnectionError("an empty piece")
                tries = 0
            except requests.RequestException as error:
                tries = 1 if file.tell() > before else tries + 1
                if not (_broke(error) and file.tell()) or tries >= _ATTEMPTS:
                    raise _in_words(error, url) from error
                self.resumed = True
                _log.info("The connection to %s broke; going on.", urlsplit(url).hostname)
                self._pause(tries)

    def _pause(self, tries: int) -> None:
        """Wait a little longer each time, but answer a cancel at once."""
        until = time.monotonic() + _PAUSE_S * tries
        while time.monotonic() < until:
            stop_if_cancelled(self.cancel)
            time.sleep(0.05)

    def _piece(self, url: str, file: BinaryIO) -> bool:
        """Ask for what is missing, or the next piece of it, and append it; True when whole."""
        import requests

        stop_if_cancelled(self.cancel)
        start = file.tell()
        headers = {"Accept-Encoding": "identity"}
        if start or self.piece_bytes:
            stop = str(start + self.piece_bytes - 1) if self.piece_bytes else ""
            headers["Range"] = f"bytes={start}-{stop}"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            if answer.status_code == 416:  # nothing is missing, or the file shrank: the hash tells
                return True
            answer.raise_for_status()
            if start and not _goes_on(answer.headers.get("Content-Range", ""), start):
                file.seek(0)
                file.truncate()  # the server begins anew
                start = 0
            total = _total(answer, start)
            self._check_size(total)
            for chunk in answer.iter_content(_CHUNK):
                stop_if_cancelled(self.cancel)
                self._check_size(file.tell() + len(chunk))
                file.write(chunk)
                report(self.progress, file.tell(), max(total, file.tell()), self.what)
        return file.tell() >= total

    def _check_size(self, size: int) -> None:
        """Refuse more than was announced."""
        if size > self.max_bytes:
            raise UntrustedModel(
                f"{self.url} has more than the {self.max_bytes} bytes that are allowed."
            )


def _broke(error: Exception) -> bool:
    """Tell whether trying again may help: the line broke, not the server's will."""
    import requests

    hopeless = (requests.exceptions.SSLError, requests.exceptions.ProxyError)
    broken = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return isinstance(error, broken) and not isinstance(error, hopeless)


class _Quiet(logging.Filter):
    """Keeps pooch from writing to the screen about the downloads of this thread."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the messages of other threads through."""
        return record.thread != self._thread


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence pooch, whose log goes to stderr, in this thread."""
    import pooch

    logger, quiet = pooch.get_logger(), _Quiet()
    logger.addFilter(quiet)
    try:
        yield
    finally:
        logger.removeFilter(quiet)


def _total(answer: Any, start: int) -> int:
    """Return how many bytes the whole file has, as far as the server says."""
    whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
    if answer.status_code == 206 and whole.isdecimal():
        return int(whole)
    return start + int(answer.headers.get("Content-Length") or 0)


def _goes_on(content_range: str, start: int) -> bool:
    """Tell whether the server sends the bytes from `start` on."""
    return content_range.replace("=", " ").startswith(f"bytes {start}-")


def _in_words(error: Exception, url: str) -> SemError:
    """Say what is wrong with the network in a sentence, and what helps."""
    import requests

    host = urlsplit(url).hostname
    if isinstance(error, requests.exceptions.SSLError):
        return SemError(
            f"The certificate of {host} is not known to this computer.",
            hint="Set REQUESTS_CA_BUNDLE to your institution's certificate file "
            f"({os.environ.get('REQUESTS_CA_BUNDLE', 'not set')} at present).",
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return SemError(
            f"The proxy on the way to {host} refused.", hint="Check HTTPS_PROXY and HTTP_PROXY."
        )
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code if error.response is not None else "unknown"
        return ModelNotFound(f"{url} answered with status {status}.", hint=_CARRY)
    return ModelNotFound(
        f"There is no connection to {host}.",
        hint=f"Check the network; behind a proxy set HTTPS_PROXY. Or: {_CARRY}",
    )
