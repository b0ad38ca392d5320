"""Fixtures that every room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real images; tests marked ``data`` skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared real images are not at {SHARED}")
    return SHARED
