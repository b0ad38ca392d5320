"""Errors of focus scores, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.evaluation import evaluate_focus


def test_a_constant_has_the_rmse_of_the_constant_predictor() -> None:
    true = 10.0 - np.abs(np.arange(-10, 11))
    errors = evaluate_focus(true, np.full(21, true.mean()))
    assert errors.rmse == pytest.approx(errors.constant) == pytest.approx(3.04, abs=0.005)
    assert np.isnan(errors.spearman)


def test_figures_are_those_worked_out_by_hand() -> None:
    errors = evaluate_focus([1, 2, 3, 4], [2, 2, 3, 8], intervals=[[0, 1], [2, 3], [0, 9], [5, 9]])
    assert (errors.rmse, errors.mae, errors.bias) == (np.sqrt(17 / 4), 5 / 4, 5 / 4)
    assert errors.coverage == 0.75
    assert errors.spearman == pytest.approx(0.9487, abs=1e-4)


def test_frames_of_one_picture_are_no_independent_pictures() -> None:
    rng = np.random.default_rng(0)
    offset = np.repeat(rng.normal(0, 1, 6), 200)
    true = np.tile(np.linspace(0, 10, 200), 6)
    grouped = evaluate_focus(true, true + offset, pictures=np.repeat(list("abcdef"), 200))
    single = evaluate_focus(true, true + offset)
    wide, narrow = (one.rmse_estimate(n_boot=200) for one in (grouped, single))
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 4 * (narrow.high - narrow.low)


def test_the_table_has_a_row_for_each_magnification() -> None:
    table = evaluate_focus([1, 2, 3, 4], [1, 2, 4, 5]).table([500, 500, 1000, 1000])
    assert list(table.index) == ["all", 500, 1000]
    assert table.loc[1000, "rmse"] == 1.0
    assert table.loc[500, "rmse"] == 0.0


def test_scores_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InvalidSettings):
        evaluate_focus([1, 2], [1])
    with pytest.raises(InvalidSettings):
        evaluate_focus([1, 2], [1, 2], intervals=[[0, 1]])
