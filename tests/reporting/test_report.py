"""The page and the tables."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.reporting import (
    ImageRow,
    Picture,
    Report,
    Statistic,
    csv_text,
    render_report,
    sizes_text,
)

EVIL = '<script>alert("x")</script>'


def full_report() -> Report:
    return Report(
        title=EVIL,
        headline=EVIL,
        made="today",
        statistics={"nm": (Statistic("mean", 41.234, 39.1, 43.3, "nm"),)},
        images=(
            ImageRow("a", EVIL, "pixel 2 nm (tag: X)", "ab12", 5, 3, 1, 1, "41 nm", notes=(EVIL,)),
            ImageRow("b", "b.tif", error="b.tif is empty."),
        ),
        figures=(Picture(EVIL, b"\x89PNG"),),
        method=("Particles were found.",),
        doubt_rule=EVIL,
        settings={"block": {"key": EVIL, "level": None}},
        software={"numpy": "2"},
        warnings=(EVIL,),
        columns=(("label", "number"), ("doubtful", "")),
        rows=(("1", "yes"),),
        row_count=9,
        files=(("sizes.csv", "sizes"),),
        plan="read: a",
    )


class Tags(HTMLParser):
    """Collects tags, and checks that they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_holds_all_it_shows_and_runs_nothing() -> None:
    page = render_report(full_report())
    parser = Tags()
    parser.feed(page)
    assert not parser.open
    names = {tag for tag, _ in parser.tags}
    assert not names & {"script", "link", "iframe", "object"}
    for _, attributes in parser.tags:
        assert (attributes.get("src") or "data:").startswith("data:")
        assert not attributes.get("href")
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize(
    "said",
    ["41.2 nm", "39.1 to 43.3", "pixel 2 nm (tag: X)", "ab12", "b.tif is empty.", "Particles were",
     "found by itself", "first 1 of 9 rows", "read: a", "numpy", "sizes.csv"],
)  # fmt: skip
def test_the_page_says(said: str) -> None:
    assert said in render_report(full_report())


def test_an_empty_report_is_a_page() -> None:
    parser = Tags()
    parser.feed(render_report(Report("t", "h", "m")))
    assert not parser.open


@given(st.text())
def test_no_text_becomes_a_formula(text: str) -> None:
    table = pd.DataFrame({"image": [text], "size": [-1.5]})
    (row,) = list(csv.DictReader(io.StringIO(csv_text(table), newline="")))
    assert not row["image"].startswith(("=", "+", "-", "@", "\t", "\r"))
    kept = text.replace("\r", " ").replace("\n", " ").replace("\0", " ")
    assert row["image"] in (kept, "'" + kept)
    assert row["size"] == "-1.5"


@given(st.lists(st.floats(0.1, 1e6), max_size=30))
def test_sizes_come_back_with_all_their_digits(sizes: list[float]) -> None:
    table = pd.DataFrame({"ecd_nm": sizes, "included": [True] * len(sizes)})
    rows = list(csv.reader(io.StringIO(sizes_text(table))))
    assert [r[0] for r in rows[:4]] == ["quantity", "mean", "median", "standard deviation"]
    assert [float(r[1]) for r in rows[4:]] == sizes
    if sizes:
        assert float(rows[1][1]) == pytest.approx(np.mean(sizes))


def test_particles_left_out_are_not_among_the_sizes() -> None:
    table = pd.DataFrame({"ecd_px": [5.0, 7.0], "included": [True, False]})
    assert sizes_text(table).splitlines()[-1] == "size,5.0"
    assert "7.0" not in sizes_text(table)
