"""Whatever step a run of adding is killed at, the catalogue is whole and the next run goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).with_name("catalogue_crashes.py")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the bench forks")


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_catalogue_killed_at_any_step_is_whole_and_goes_on(stride: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(BENCH), str(tmp_path), str(stride)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["points"] >= 100
    assert {0, 7} < set(found["kept"])  # before the first batch, between batches, after the last
