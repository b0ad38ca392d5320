"""What a filter shows; an expression is read, never run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.widgets.table.filters import PRESETS, range_text, rows_where


@pytest.fixture
def table() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "ecd_nm": [10.0, 50.0, 90.0, np.nan],
            "circularity": [0.95, 0.8, 0.6, 0.9],
            "touching": [0, 2, 1, 0],
            "edge": [True, False, False, False],
            "doubt_reason": ["edge", "", "merged, low contrast", ""],
            "included": [False, True, False, True],
        },
        index=pd.Index([3, 7, 8, 20], name="label"),
    )
    return frame


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("", [3, 7, 8, 20]),
        ("ecd_nm > 20 and circularity < 0.7", [8]),
        ("20 < ecd_nm <= 50", [7]),
        ("(ecd_nm > 20) & ~(circularity < 0.7)", [7]),
        ("not edge", [7, 8, 20]),
        ("edge or touching >= 2", [3, 7]),
        ("contains(doubt_reason, 'MERGED')", [8]),
        ("doubt_reason == ''", [7, 20]),
        ("label in [3, 20]", [3, 20]),
        ("label not in (3, 20)", [7, 8]),
        ("ecd_nm > 1.5 * median(ecd_nm)", [8]),
        ("ecd_nm >= quantile(ecd_nm, 0.9)", [8]),
        ("missing(ecd_nm)", [20]),
        ("sqrt(abs(-ecd_nm ** 2)) / 2 + 1 == 26", [7]),
        ("ecd_nm != 50", [3, 8, 20]),
    ],
)
def test_an_expression_shows_the_particles_it_holds_for(
    table: pd.DataFrame, expression: str, labels: list[int]
) -> None:
    assert table.index[rows_where(table, expression)].tolist() == labels


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "ecd_nm.__class__",
        "(lambda: 1)()",
        "[x for x in (1, 2)]",
        "open('x')",
        "ecd_nm[0] > 1",
        "f'{ecd_nm}' == ''",
        "ecd_nm > 10; edge",
        "edge if edge else edge",
        "(a := 3) > 2",
        "contains(doubt_reason, 3)",
        "median(ecd_nm, axis=0) > 1",
        "ecd_nm > 'large'",
        "doubt_reason + 1 > 2",
        "'a' * 10 == 'b'",
        "1j < 2",
        "ecd_nm +",
        "ecd_nm",
        "ecd_nm and edge",
        "edge is True",
        "(" * 200 + ")" * 200,
        "-" * 900 + "1 > 0" + " " * 200,
    ],
)
def test_what_is_no_such_expression_is_refused_with_a_sentence(
    table: pd.DataFrame, expression: str
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        rows_where(table, expression)
    assert caught.value.message.endswith(".")
    assert caught.value.hint


def test_a_tower_of_powers_ends_at_once(table: pd.DataFrame) -> None:
    assert not rows_where(table, "9 ** 9 ** 9 ** 9 < ecd_nm").any()


def test_a_misspelt_column_is_told_the_nearest_one(table: pd.DataFrame) -> None:
    with pytest.raises(InvalidSettings, match="no column 'circularty'") as caught:
        rows_where(table, "circularty < 1")
    assert "circularity" in caught.value.hint


@given(st.text(alphabet="abcdeflnmoprtuy_<>=()[]{}+-*/%&|~,.:'\" 0123456789\n\\", max_size=40))
def test_any_text_is_either_a_filter_or_refused(text: str) -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "e": ["x", "y"]})
    try:
        shown = rows_where(table, text)
    except InvalidSettings:
        return
    assert shown.shape == (2,)
    assert shown.dtype == bool


def test_a_kept_range_shows_what_the_slider_showed(table: pd.DataFrame) -> None:
    shown = rows_where(table, range_text("ecd_nm", 10.0, 50.0))
    assert shown.tolist() == [True, True, False, False]


def test_presets_work_on_a_table_without_their_columns() -> None:
    bare = pd.DataFrame({"x": [1.0, 2.0]})
    shown = {name: int(rows(bare).sum()) for name, rows in PRESETS.items()}
    assert shown["all particles"] == shown["counted"] == 2
    assert shown["doubtful"] == shown["left out"] == shown["decided by hand"] == 0
