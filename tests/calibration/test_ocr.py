"""The number at a bar is read only where the extra is there, and only round numbers count."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from napari_sem_tools.calibration import ScaleBar, read_label
from napari_sem_tools.calibration.ocr import label_in_text
from napari_sem_tools.errors import MissingExtra

BAR = ScaleBar(99.5, 0.4, (150, 100, 154, 200))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("200 nm", "200 nm"),
        ("2 pm", "2 µm"),
        ("10um |---|", "10 µm"),
        ("50.0ym", "50 µm"),
        ("Mag 1 mm", "1 mm"),
        ("0.5 µm", "0.5 µm"),
        ("WD = 2.8 mm 300nm", "300 nm"),
        ("120 nm", ""),
        ("7 µm", ""),
        ("200", ""),
        ("0 nm", ""),
        ("", ""),
    ],
)
def test_labels_are_accepted_only_as_instruments_draw_them(text, label):
    assert label_in_text(text) == label


def test_without_the_extra_its_name_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytesseract", None)
    with pytest.raises(MissingExtra, match="pytesseract") as caught:
        read_label(np.zeros((200, 300), np.uint8), BAR)
    assert "ocr" in caught.value.hint


class _Recogniser:
    """Stands in for pytesseract: says what it was told to, or that the program is missing."""

    class TesseractNotFoundError(OSError):
        """As pytesseract names it."""

    def __init__(self, text: str | None) -> None:
        self.text, self.seen = text, []

    def image_to_string(self, picture: np.ndarray, config: str) -> str:
        self.seen.append(picture)
        if self.text is None:
            raise self.TesseractNotFoundError
        return self.text


def test_the_recogniser_sees_dark_letters_and_its_answer_is_checked(monkeypatch):
    recogniser = _Recogniser("5OO nm 2 pm")
    monkeypatch.setitem(sys.modules, "pytesseract", recogniser)
    assert read_label(np.zeros((200, 300), np.uint8), BAR) == "2 µm"
    assert float(np.median(recogniser.seen[0])) == 255.0


def test_a_missing_program_is_said_with_its_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytesseract", _Recogniser(None))
    with pytest.raises(MissingExtra) as caught:
        read_label(np.zeros((200, 300), np.uint8), BAR)
    assert "tesseract" in caught.value.hint
