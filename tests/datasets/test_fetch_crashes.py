"""Stopped before any of its steps, a fetched category is there whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).with_name("dataset_crashes.py")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the bench forks")


@pytest.mark.parametrize("fault", ["kill", "ENOSPC", "EACCES"])
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_fetch_stopped_at_any_step_goes_on(stride: int, fault: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(BENCH), str(tmp_path), fault, str(stride)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["points"] >= 20
    assert found["seen"].get("old", 0) > 0
