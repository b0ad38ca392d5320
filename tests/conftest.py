"""Fixtures that every room's tests share."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real images; tests marked ``data`` skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared real images are not at {SHARED}")
    return SHARED


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked ``torch`` by name where torch is not installed."""
    if item.get_closest_marker("torch") and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed; it comes with the extra 'torch'")
