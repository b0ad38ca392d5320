"""Budgets follow the GUM, shares know of images, and the nanomaterial verdict errs on no side."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings, NotCalibrated
from napari_sem_tools.statistics import (
    Contribution,
    Sample,
    Scale,
    StatisticsSettings,
    combine,
    fraction_below,
    mean_budget,
    nanomaterial_verdict,
    sample_of,
    scale_of,
)
from napari_sem_tools.statistics.budget import rounded
from napari_sem_tools.statistics.fractions import wilson

EXACT = StatisticsSettings(
    calibration_uncertainty_percent=0.0, boundary_px=0.0, particle_type="equiaxed"
)


def table_of(feret_min, n_images: int = 10, pixel: float = 2.0, **calibration) -> pd.DataFrame:
    """Make the part of a particle table that a verdict looks at."""
    size = np.asarray(feret_min, float)
    table = pd.DataFrame(
        {
            "feret_min_nm": size,
            "feret_corner_min_nm": size * 1.02,
            "ecd_nm": size * 1.1,
            "area_nm2": np.pi / 4 * (size * 1.1) ** 2,
            "area_px": np.pi / 4 * (size * 1.1) ** 2 / pixel**2,
            "image": np.arange(len(size)) % n_images,
            "included": True,
        }
    )
    table.attrs = {"calibration": {"relative_uncertainty": 0.01} | calibration}
    return table


def mixed(share_below: float, n: int = 400) -> np.ndarray:
    """Return sizes of which a share is far below 100 nm, well mixed over the images."""
    sizes = np.where(np.arange(n) < share_below * n, 50.0, 300.0)
    return np.random.default_rng(4).permutation(sizes)


# Budget


def test_the_example_of_the_guide_comes_out_to_the_digit() -> None:
    """52.3 nm, pixel 1.2 nm, 12 images: calibration 1 %, outline ± 0.5 px, three operators."""
    lines = (
        Contribution("calibration", 0.523, "B", math.inf, ""),
        Contribution("boundary placement", 2 * 0.5 / math.sqrt(3) * 1.2, "B", math.inf, ""),
        Contribution("sampling and differences between images", 0.80, "A", 11, ""),
        Contribution("operator and settings", 0.35, "A", 2, ""),
        Contribution("digitisation", 0.05, "B", math.inf, ""),
    )
    budget = combine(52.3, lines, unit="nm")
    assert budget.combined == pytest.approx(1.23, abs=0.005)
    assert budget.freedom == pytest.approx(51, abs=1)
    assert budget.coverage_factor == pytest.approx(2.01, abs=0.005)
    assert budget.text == "(52.3 ± 2.5) nm (k = 2.01, 95 %)"


def test_every_contribution_is_named_and_grows_with_its_cause() -> None:
    rng = np.random.default_rng(1)
    images = np.repeat(np.arange(12), 50)
    d = 52 * np.exp(rng.normal(0, 0.3, 600) + rng.normal(0, 0.05, 12)[images])
    sample = Sample.of(d, images)
    settings = StatisticsSettings(operator_percent=1.0, instrument_percent=0.5)
    budget = mean_budget(sample, Scale(1.2, "nm", 0.01, "certificate"), settings=settings)
    parts = {line.name: line for line in budget.contributions}
    assert list(parts) == [
        "calibration",
        "boundary placement",
        "sampling and differences between images",
        "operator and settings",
        "drift, tilt and distortion",
    ]
    assert parts["calibration"].standard_uncertainty == pytest.approx(0.01 * budget.value)
    assert parts["boundary placement"].standard_uncertainty == pytest.approx(1.2 / math.sqrt(3))
    sampling = parts["sampling and differences between images"]
    assert sampling.freedom == 11
    assert sampling.standard_uncertainty > 1.3 * np.std(d) / math.sqrt(600)  # images differ
    assert budget.combined == pytest.approx(
        math.sqrt(sum(line.standard_uncertainty**2 for line in budget.contributions))
    )
    assert budget.not_included == ("preparation of the specimen and choice of the fields",)


def test_more_particles_do_not_make_calibration_and_boundary_smaller() -> None:
    d = np.tile([40.0, 50.0, 60.0, 70.0], 5000)
    budget = mean_budget(Sample.of(d, np.arange(20000) % 20), Scale(2.0, "nm", 0.02, "assumed"))
    assert budget.combined > math.hypot(0.02 * 55, 2 / math.sqrt(3)) * 0.999


def test_one_image_leaves_the_differences_between_images_out_and_says_so() -> None:
    d = np.random.default_rng(0).normal(50, 8, 200)
    budget = mean_budget(Sample.of(d), Scale(1.0, "nm", 0.01, "certificate"))
    sampling = budget.contributions[2]
    assert sampling.standard_uncertainty == pytest.approx(
        np.std(d, ddof=1) / math.sqrt(200), rel=0.01
    )
    assert any("differences between images" in text for text in budget.not_included)


def test_without_a_pixel_size_there_is_no_line_for_calibration() -> None:
    d = np.random.default_rng(0).normal(20, 3, 50)
    budget = mean_budget(Sample.of(d), Scale(1.0, "px", 0.0, "no pixel size"))
    assert budget.unit == "px"
    assert "calibration" not in [line.name for line in budget.contributions]


def test_small_particles_have_a_line_for_their_pixels() -> None:
    d = np.random.default_rng(0).normal(5, 0.5, 50)
    sample = Sample(d, np.ones(50), np.zeros(50, int), 1, "feret_min_px", "px")
    names = [line.name for line in mean_budget(sample, Scale(1.0, "px", 0.0, "")).contributions]
    assert "digitisation" in names
    with pytest.raises(InvalidSettings, match="two particles"):
        mean_budget(Sample.of(d[:1]), Scale(1.0, "px", 0.0, ""))


@pytest.mark.parametrize(
    ("value", "expanded", "shown"),
    [
        (52.3456, 2.4712, ("52.3", "2.5")),
        (1234.5, 151.0, ("1230", "150")),
        (0.123456, 0.00987, ("0.1235", "0.0099")),
        (10.0, 0.996, ("10.0", "1.0")),
        (2.5, 25.0, ("2", "25")),  # halves to even
        (99.95, 0.0249, ("99.950", "0.025")),
    ],
)
def test_two_digits_of_uncertainty_and_the_value_to_the_same_place(
    value: float, expanded: float, shown: tuple[str, str]
) -> None:
    assert rounded(value, expanded) == shown


@given(st.floats(1e-3, 1e6), st.floats(1e-4, 1e4))
def test_rounding_never_moves_more_than_half_a_step(value: float, expanded: float) -> None:
    shown, error = rounded(value, expanded)
    place = 10 ** (math.floor(math.log10(expanded)) - 1)
    assert abs(float(shown) - value) <= 5.01 * place
    assert float(error) == pytest.approx(expanded, rel=0.051)
    assert len(error.replace(".", "").strip("0")) <= 2


def test_the_users_certificate_counts_before_what_images_say() -> None:
    table = table_of([50, 60], relative_uncertainty=0.02)
    assert scale_of(table, StatisticsSettings()).relative_uncertainty == 0.02
    assert "assumed" in scale_of(table, StatisticsSettings()).basis
    certified = scale_of(table, StatisticsSettings(calibration_uncertainty_percent=0.5))
    assert certified.relative_uncertainty == 0.005 and "user" in certified.basis
    assert certified.pixel == pytest.approx(2.0)
    table.attrs = {}
    assert scale_of(table, StatisticsSettings()).relative_uncertainty == 0.02
    pixels = table.drop(columns="area_nm2")
    assert scale_of(pixels, StatisticsSettings()) == Scale(1.0, "px", 0.0, "no pixel size")


# Shares


def test_without_clusters_the_interval_is_that_of_statsmodels() -> None:
    """statsmodels 0.14, proportion_confint(30, 100, method="wilson")."""
    low, high = wilson(0.3, 100, 1.959963984540054)
    assert (low, high) == pytest.approx((0.2189489, 0.3958485), abs=1e-6)
    sample = Sample.of(np.where(np.arange(100) < 30, 1.0, 3.0))
    found = fraction_below(sample, 2.0)
    assert (found.share, found.low, found.high) == pytest.approx((0.3, low, high))
    assert "within this image" in found.method


@given(st.integers(0, 50), st.integers(1, 50))
def test_an_interval_of_a_share_holds_it_and_stays_between_0_and_1(below: int, rest: int) -> None:
    sizes = np.repeat([1.0, 3.0], [below, rest])
    found = fraction_below(Sample.of(sizes, np.arange(len(sizes)) % 5), 2.0)
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_images_that_differ_widen_the_interval_of_a_share() -> None:
    sizes = np.where(np.arange(400) < 200, 50.0, 300.0)
    alike = fraction_below(Sample.of(sizes, np.arange(400) % 10), 100.0)
    apart = fraction_below(Sample.of(sizes, np.arange(400) // 40), 100.0)
    assert apart.design_effect == pytest.approx(44.4, abs=0.1)
    assert apart.high - apart.low > 4 * (alike.high - alike.low)
    with pytest.raises(InvalidSettings, match="no particle"):
        fraction_below(Sample.of(np.array([])), 1.0)


# Verdict


@pytest.mark.parametrize(
    ("share", "outcome"),
    [
        (0.9, "nanomaterial"),
        (0.6, "nanomaterial"),
        (0.51, "undecided"),
        (0.48, "undecided"),
        (0.2, "not by this measurement"),
    ],
)
def test_the_verdict_follows_the_interval(share: float, outcome: str) -> None:
    verdict = nanomaterial_verdict(table_of(mixed(share)), settings=EXACT)
    assert verdict.outcome == outcome
    assert verdict.low <= verdict.fraction.share <= verdict.high
    assert (verdict.images_needed is not None) == (outcome == "undecided")
    assert f"{verdict.fraction.share:.1%}" in verdict.text


def test_an_undecided_share_says_how_many_images_would_decide() -> None:
    verdict = nanomaterial_verdict(table_of(mixed(0.53)), settings=EXACT)
    assert verdict.outcome == "undecided" and verdict.images_needed > 10
    n_images = verdict.images_needed
    more = table_of(mixed(0.53, 40 * n_images), n_images)
    closer = nanomaterial_verdict(more, settings=EXACT)
    assert abs(closer.low - 0.5) < 0.03


def test_sizes_at_the_limit_are_undecided_because_of_calibration_and_outline() -> None:
    sizes = np.random.default_rng(0).uniform(96, 99.5, 400)  # all of them below 100 nm
    assert nanomaterial_verdict(table_of(sizes), settings=EXACT).outcome == "nanomaterial"
    verdict = nanomaterial_verdict(table_of(sizes))
    assert verdict.fraction.share == 1.0 and verdict.outcome == "undecided"
    assert verdict.low < 0.5 and verdict.images_needed is None  # more images do not help
    certificate = EXACT.replace(calibration_uncertainty_percent=3.0)
    assert nanomaterial_verdict(table_of(sizes), settings=certificate).outcome == "undecided"


@pytest.mark.parametrize("kind", ["plate", "unknown"])
def test_a_negative_is_withheld_where_plates_may_lie_flat(kind: str) -> None:
    settings = EXACT.replace(particle_type=kind)
    few = nanomaterial_verdict(table_of(mixed(0.2)), settings=settings)
    assert few.outcome == "undecided" and "plates" in few.text
    assert nanomaterial_verdict(table_of(mixed(0.9)), settings=settings).outcome == "nanomaterial"
    rods = EXACT.replace(particle_type="rod")
    assert nanomaterial_verdict(table_of(mixed(0.2)), settings=rods).outcome.startswith("not by")


def test_agglomerates_that_are_not_separated_cannot_be_judged() -> None:
    settings = EXACT.replace(constituents="not separated")
    verdict = nanomaterial_verdict(table_of(mixed(0.9)), settings=settings)
    assert verdict.outcome == "not decidable" and "not separated" in verdict.text


def test_an_uncalibrated_image_gets_no_verdict() -> None:
    table = table_of([50, 60]).rename(columns=lambda name: name.replace("_nm", "_px"))
    with pytest.raises(NotCalibrated, match="no pixel size"):
        nanomaterial_verdict(table)
    with pytest.raises(InvalidSettings, match="no particle"):
        nanomaterial_verdict(table_of([50.0]).assign(included=False))


def test_one_image_is_said_to_be_one() -> None:
    verdict = nanomaterial_verdict(table_of(mixed(0.9), n_images=1), settings=EXACT)
    assert any("One image" in reason for reason in verdict.reasons)
    assert "in 1 image " in verdict.text


def test_other_measures_stand_beside_and_small_particles_are_pointed_out() -> None:
    verdict = nanomaterial_verdict(table_of(np.full(40, 9.0), pixel=2.0), settings=EXACT)
    assert [one.quantity for one in verdict.beside] == ["feret_corner_min_nm", "ecd_nm"]
    assert verdict.near_detection == 1.0
    assert any("too low" in reason for reason in verdict.reasons)


def test_the_sample_of_a_verdict_is_by_number() -> None:
    table = table_of(mixed(0.6))
    assert nanomaterial_verdict(table, settings=EXACT).fraction.n == sample_of(
        table, quantity="feret_min_nm"
    ).n == len(table)  # fmt: skip


def test_few_images_widen_the_interval_of_a_share_by_students_t() -> None:
    sizes = np.where(np.arange(300) // 3 % 2, 50.0, 300.0)  # the images are alike
    found = fraction_below(Sample.of(sizes, np.arange(300) % 3), 100.0)
    assert found.design_effect < 1e-9
    assert (found.low, found.high) == pytest.approx(wilson(0.5, 300, 4.302653))  # t of 2 degrees
