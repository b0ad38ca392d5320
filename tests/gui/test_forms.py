"""Forms hold every field of their record, with range and help."""

from __future__ import annotations

from typing import Any

import pytest

from napari_sem_tools.measurement import MeasureSettings
from napari_sem_tools.segmentation import ThresholdSettings
from napari_sem_tools.settings import Settings
from napari_sem_tools.widgets.forms import SettingsForm


@pytest.mark.parametrize("kind", [ThresholdSettings, MeasureSettings])
def test_a_form_holds_every_field_with_range_and_help(kind: type[Settings], qtbot: Any) -> None:
    form = SettingsForm(kind)
    qtbot.addWidget(form.native)
    assert set(form.rows) == {field.name for field in kind.fields()}
    assert form.value() == kind()
    for field in kind.fields():
        row = form.rows[field.name]
        assert field.help in row.tooltip
        number = getattr(row, "number", row)
        if field.min is not None:
            assert number.min == field.min
            assert f"{field.min:g}" in row.tooltip
        if field.max is not None:
            assert number.max == field.max


def test_no_number_is_none_and_not_zero(qtbot: Any) -> None:
    form = SettingsForm(ThresholdSettings)
    qtbot.addWidget(form.native)
    row = form.rows["diameter_px"]
    assert form.value().diameter_px is None
    row.automatic.value = False
    assert form.value().diameter_px == row.number.value > 0
    row.automatic.value = True
    assert form.value().diameter_px is None


def test_a_form_shows_given_values_and_goes_back_to_the_defaults(qtbot: Any) -> None:
    given = ThresholdSettings(polarity="dark", split_strength=0.2, min_size_px=7, fill_holes=False)
    form = SettingsForm(ThresholdSettings, given)
    qtbot.addWidget(form.native)
    assert form.value() == given
    form.reset()
    assert form.value() == ThresholdSettings()


def test_a_change_is_heard(qtbot: Any) -> None:
    form = SettingsForm(ThresholdSettings)
    qtbot.addWidget(form.native)
    heard = []
    form.connect(lambda: heard.append(form.value()))
    form.rows["split_strength"].value = 0.9
    form.rows["diameter_px"].automatic.value = False
    assert heard[0].split_strength == pytest.approx(0.9)
    assert heard[-1].diameter_px is not None
