"""What a record of B2SHARE holds: names, sizes and checksums, as its API says."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any, Final
from urllib.parse import quote

__all__ = ["RecordFile", "content_url", "files_of_record"]

_TIMEOUT_S: Final = (10, 30)
_MAX_ANSWER_BYTES: Final = 4 << 20
_log = logging.getLogger("napari_sem_tools")


@dataclasses.dataclass(frozen=True)
class RecordFile:
    """A file of a record.

    Attributes
    ----------
    name : str
    checksum : str
        ``"md5:..."`` or ``"sha256:..."``.
    size_bytes : int or None
    """

    name: str
    checksum: str
    size_bytes: int | None = None


def content_url(record: str, name: str) -> str:
    """Return the address of a file of a record.

    Examples
    --------
    >>> content_url("https://b2share.eudat.eu/api/records/a-1", "Tips.tar")
    'https://b2share.eudat.eu/api/records/a-1/files/Tips.tar/content'
    """
    return f"{record.rstrip('/')}/files/{quote(name)}/content"


def files_of_record(record: str) -> dict[str, RecordFile]:
    """Ask the API of a record for its files.

    Parameters
    ----------
    record : str
        Address of the record, ``.../api/records/<identifier>``.

    Returns
    -------
    dict of str to RecordFile
        By name; empty when there is no answer that can be understood.
    """
    import requests

    for address in (f"{record.rstrip('/')}/files", record):
        try:
            with requests.get(address, timeout=_TIMEOUT_S, stream=True) as answer:
                answer.raise_for_status()
                text = answer.raw.read(_MAX_ANSWER_BYTES, decode_content=True)
            found = _files(json.loads(text))
        except (requests.RequestException, OSError, ValueError) as error:
            _log.info("%s gave no list of files: %s", address, error)
            continue
        if found:
            return found
    return {}


def _files(answer: Any) -> dict[str, RecordFile]:
    """Read the answer of the present API (entries) or of the older one (files)."""
    if isinstance(answer, dict):
        answer = answer.get("entries", answer.get("files", []))
        if isinstance(answer, dict):
            answer = answer.get("entries", answer)
            answer = list(answer.values()) if isinstance(answer, dict) else answer
    rows = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
    return {
        row["key"]: RecordFile(row["key"], _checksum(row), _size(row))
        for row in rows
        if isinstance(row.get("key"), str) and _checksum(row)
    }


def _checksum(row: dict[str, Any]) -> str:
    """Return the checksum of a file; what says no kind is MD5."""
    text = str(row.get("checksum") or "").lower()
    return text if ":" in text or not text else f"md5:{text}"


def _size(row: dict[str, Any]) -> int | None:
    """Return the size of a file, None where it is none."""
    size = row.get("size")
    return size if isinstance(size, int) and size >= 0 else None
