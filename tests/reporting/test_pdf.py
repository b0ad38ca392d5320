"""The PDF: pages with embedded fonts, lines and letters that stay lines and letters."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sem_tools.errors import SemError
from napari_sem_tools.reporting import (
    Distribution,
    Items,
    Paragraph,
    Picture,
    Report,
    Section,
    Statistic,
    Table,
    distribution_figure,
    png_bytes,
    write_pdf,
)
from napari_sem_tools.reporting.typesetting import column_widths, text_width, wrap

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]) | st.just(" "))


def sizes(count: int = 200, *, seed: int = 0, median: float = 60.0) -> np.ndarray:
    return median * np.exp(np.random.default_rng(seed).normal(0, 0.3, count))


def report(*blocks: object, **fields: object) -> Report:
    return Report(
        title="sample $x^2$ 粒子.tif",
        headline="5 particles counted.",
        made="today",
        statistics={"nm": (Statistic("mean", 41.2, 39.1, 43.3, "nm", "mean diameter"),)},
        further=(Section("Further", tuple(blocks)),),  # type: ignore[arg-type]
        **fields,  # type: ignore[arg-type]
    )


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", content))


def pictures(content: bytes) -> int:
    return len(re.findall(rb"/Subtype /Image\b", content))


def test_fonts_are_embedded_as_truetype(tmp_path: Path) -> None:
    blocks = (Paragraph("x = √(4A/π)"), Paragraph("code", "code"), Paragraph("head", "heading"))
    content = write_pdf(tmp_path / "a.pdf", report(*blocks)).read_bytes()
    assert content.startswith(b"%PDF")
    names = set(re.findall(rb"/BaseFont /[A-Z]{6}\+([\w-]+)", content))
    assert names == {b"DejaVuSans", b"DejaVuSans-Bold", b"DejaVuSansMono"}
    assert content.count(b"/FontFile2") >= len(names)
    assert b"/Type3" not in content
    assert b"/Title" in content


def test_plots_are_lines_and_letters_not_pictures(tmp_path: Path) -> None:
    found = Distribution({"a": sizes(), "b": sizes(seed=1)}, "nm")
    png = png_bytes(distribution_figure(found))
    drawn = Picture("caption", png, lambda: distribution_figure(found))
    vector = write_pdf(tmp_path / "v.pdf", report(drawn)).read_bytes()
    pasted = write_pdf(tmp_path / "p.pdf", report(Picture("caption", png))).read_bytes()
    assert (pictures(vector), pictures(pasted)) == (0, 1)
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", vector, re.S)
    drawing = max((_inflated(s) for s in streams), key=lambda s: s.count(b" l\n"))
    assert drawing.count(b" l\n") > 100


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_long_tables_and_texts_go_on_over_pages(tmp_path: Path) -> None:
    rows = tuple((str(n), "word " * 12, "x" * 200) for n in range(80))
    table = Table(("n", "a text", "a long word"), rows, numbers=(0,), kinds=("failed",))
    content = write_pdf(
        tmp_path / "a.pdf",
        report(table, Paragraph("many words " * 900), Items((("term", "text"),) * 90)),
    ).read_bytes()
    assert pages(content) >= 5


def test_one_figure_a_page(tmp_path: Path) -> None:
    found = Distribution({"a": sizes()}, "nm")
    drawn = Picture("", b"", lambda: distribution_figure(found))
    assert pages(write_pdf(tmp_path / "a.pdf", report(drawn, drawn, drawn)).read_bytes()) == 3


def test_a_place_that_cannot_be_written_gives_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SemError, match="could not be written"):
        write_pdf(tmp_path / "file" / "a.pdf", report())


@settings(max_examples=150)
@given(TEXT, st.floats(20, 300), st.floats(5, 12))
def test_lines_fit_and_lose_no_letter(text: str, width: float, size: float) -> None:
    lines = wrap(text, width, size)
    assert "".join(lines).replace(" ", "").count("") == text.replace(" ", "").count("")
    for line in lines:
        assert text_width(line, size) <= width or len(line.strip()) <= 1


@given(st.lists(st.floats(0, 900), min_size=1, max_size=12), st.floats(50, 500), st.booleans())
def test_columns_fit_the_room(natural: list[float], room: float, fill: bool) -> None:
    widths = column_widths(natural, room, fill=fill)
    assert sum(widths) <= room * (1 + 1e-9)
    if sum(natural) <= room:
        assert all(w >= n - 1e-9 for w, n in zip(widths, natural, strict=True))
    else:
        assert sum(widths) == pytest.approx(room)


@pytest.mark.parametrize(
    "images",
    [
        {"a": sizes()},
        {"a": sizes(), "b": sizes(seed=2), "a name that is much longer than the others": sizes(5)},
        {str(n): sizes(3, seed=n) for n in range(40)},
        {"a": np.empty(0)},
        {"a": np.empty(0), "b": np.array([5.0])},
        {"a": np.array([7.0, 7.0, 7.0])},
        {"a": np.array([7.0, 7000.0])},
        {},
    ],
)
@pytest.mark.parametrize("unit", ["nm", "px"])
def test_any_sizes_can_be_plotted(images: dict[str, np.ndarray], unit: str) -> None:
    one = images.get("a", np.empty(0))
    ferets = (0.8 * one, 1.2 * one) if len(images) == 1 else (np.empty(0), np.empty(0))
    figure = distribution_figure(Distribution(images, unit, 1.0, *ferets))
    assert png_bytes(figure, dpi=40).startswith(b"\x89PNG")
    for axes in figure.axes:
        if axes.get_xlabel():
            assert unit in axes.get_xlabel() or "images" in axes.get_xlabel()


def test_the_cumulative_curve_is_the_share_below_each_size() -> None:
    values = np.array([10.0, 20.0, 40.0, 80.0])
    figure = distribution_figure(Distribution({"a": values}, "px"))
    curve = next(line for line in figure.axes[1].lines if line.get_label() == "by number, Q0")
    np.testing.assert_array_equal(curve.get_xdata(), values)
    np.testing.assert_allclose(curve.get_ydata(), [12.5, 37.5, 62.5, 87.5])
    volume = next(line for line in figure.axes[1].lines if "volume" in str(line.get_label()))
    cubes = values**3
    expected = 100 * (np.cumsum(cubes) - cubes / 2) / cubes.sum()
    np.testing.assert_allclose(volume.get_ydata(), expected)


def test_the_fit_is_drawn_as_the_number_it_expects_in_each_class() -> None:
    values = sizes(500)
    flat = Distribution(
        {"a": values}, "nm", fit=("uniform", lambda d: np.interp(d, [0, 200], [0, 1]))
    )
    axes = distribution_figure(flat).axes[0]
    line = next(line for line in axes.lines if line.get_label() == "uniform fit")
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(line.get_ydata(), 500 * np.array(widths) / 200)
