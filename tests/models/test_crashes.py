"""Stopped before any of its steps, the store holds the old models or the new ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

JOBS = Path(__file__).with_name("crash_jobs.py")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the bench forks")


@pytest.mark.parametrize("fault", ["kill", "ENOSPC", "EACCES"])
@pytest.mark.parametrize(("job", "least"), [("import", 15), ("remove", 2), ("export", 4)])
def test_a_store_stopped_at_any_step_holds_the_old_or_the_new(
    job: str, least: int, fault: str, tmp_path: Path
) -> None:
    found = bench(job, tmp_path, fault)
    assert found["wrong"] == []
    assert found["points"] >= least
    assert found["seen"].get("old", 0) > 0


@pytest.mark.parametrize("fault", ["kill", "ENOSPC", "EACCES"])
def test_a_download_stopped_at_any_step_goes_on(fault: str, tmp_path: Path) -> None:
    found = bench("download", tmp_path, fault)
    assert found["wrong"] == []
    assert found["points"] >= 20
    assert found["seen"].get("old", 0) > 0


def bench(job: str, folder: Path, fault: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(JOBS), job, str(folder), fault, "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
