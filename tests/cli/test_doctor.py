"""The doctor says where networks run, and why not elsewhere."""

from __future__ import annotations

import pytest

from napari_sem_tools.cli import doctor

pytestmark = [pytest.mark.torch, pytest.mark.slow]


def test_a_gpu_that_is_demanded_and_absent_is_explained(monkeypatch):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    monkeypatch.setenv("NAPARI_SEM_TOOLS_DEVICE", "cuda")
    said = doctor._torch()
    assert said["networks run on"].startswith("The device cuda is not available: ")
    assert said["cpu"].startswith("works")


def test_a_torch_that_does_not_load_beside_qt_is_one_sentence(tmp_path, monkeypatch):
    broken = "raise OSError('[WinError 1114] Error loading \"c10.dll\" or its dependencies')\n"
    (tmp_path / "torch.py").write_text(broken, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = doctor._torch()
    assert "older C++ runtime first" in said["PyTorch"]
    assert "sem-tools gui" in said["PyTorch"]
    assert said["torch before Qt"].startswith("fails")


def test_a_torchvision_of_another_build_is_recognised(monkeypatch):
    message = "fails: RuntimeError: operator torchvision::nms does not exist"
    monkeypatch.setattr(doctor, "_in_process", lambda code: message)
    assert "not of the same build" in doctor._torchvision()
