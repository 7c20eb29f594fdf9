"""Split-conformal intervals hold the truth as often as they say, whatever the errors are like; few rows cannot say all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.calibration.calibrate import Calibration, calibrate
from trainwell.calibration.intervals import Intervals, coverage, fit_intervals, needed_rows
from trainwell.errors import InputError


@pytest.mark.parametrize("errors", ["normal", "cauchy", "exponential"])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_over_many_draws_the_truth_is_held_as_often_as_promised_even_by_few_rows(errors, level):
    """The mean coverage lies between level and level + 1 / (n + 1): Lei et al. (2018), theorem 2."""
    chance, rows, draws = np.random.default_rng(0), 40, 3000
    draw = {"normal": chance.normal, "cauchy": chance.standard_cauchy, "exponential": chance.exponential}[errors]
    held = []
    for _ in range(draws):
        residuals = draw(size=rows + 1)
        width = fit_intervals(np.zeros(rows), residuals[:rows]).half_width(level)
        held.append(abs(residuals[rows]) <= width)
    error = 4 * (level * (1 - level) / draws) ** 0.5
    assert level - error < np.mean(held) < level + 1 / (rows + 1) + error


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.floats(0.01, 0.99))
def test_the_half_width_is_the_residual_of_the_finite_sample_rank_or_the_next_that_is_stored(residuals, level):
    found = fit_intervals(np.zeros(len(residuals)), np.array(residuals))
    if level > found.highest_level:
        with pytest.raises(InputError, match="validation rows; the model was made with"):
            found.half_width(level)
        return
    ordered = np.sort(np.abs(residuals))
    exact = ordered[min(len(ordered), int(np.ceil((len(ordered) + 1) * level - 1e-6))) - 1]
    stored = next(one for one in found.levels if one >= level - 1e-9)
    assert found.half_width(level) >= exact
    assert found.half_width(level) == ordered[int(np.ceil(round((len(ordered) + 1) * stored, 6))) - 1]
    assert stored - level < 0.01 + 1 / (len(ordered) + 1)


def test_the_widths_rise_with_the_level():
    found = fit_intervals(np.zeros(500), np.random.default_rng(0).normal(size=500))
    assert (np.diff(found.half_widths) >= 0).all()
    assert found.levels[-1] == found.highest_level == 500 / 501
    assert found.half_width() == found.half_width(0.9)


def test_levels_that_are_none_and_levels_that_need_more_rows_get_one_sentence():
    found = fit_intervals(np.zeros(20), np.arange(20.0))
    for level in (0.0, 1.0, 90.0, -0.1, float("nan")):
        with pytest.raises(InputError) as refused:
            found.half_width(level)
        assert str(refused.value) == f"interval is {level:g}, allowed are shares between 0 and 1, such as 0.9 for 90%."
    with pytest.raises(InputError) as refused:
        found.half_width(0.99)
    assert str(refused.value) == (
        "interval is 0.99, which needs 99 validation rows; the model was made with 20: allowed is up to 0.9523."
    )
    assert found.half_width(0.95) == 19.0


def test_so_many_rows_are_just_enough():
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        rows = needed_rows(level)
        assert np.isfinite(fit_intervals(np.zeros(rows), np.ones(rows)).half_width(level))
        with pytest.raises(InputError):
            fit_intervals(np.zeros(rows - 1), np.ones(rows - 1)).half_width(level)


def test_coverage_counts_the_ends():
    assert coverage(np.zeros(4), np.array([-1.0, 1.0, 0.5, 2.0]), 1.0) == 0.75


def test_a_regression_is_given_intervals_in_its_own_unit_and_classes_none():
    residuals = np.arange(1.0, 11)
    found = calibrate(np.zeros((10, 1)), residuals, "regression", scale=20.0)
    assert found.intervals is not None
    assert found.intervals.half_width(0.9) == 200.0
    assert found.temperature == 1.0
    predictions = np.array([[0.2], [0.9]] * 10)
    assert found.applied(predictions) is predictions
    assert calibrate(predictions, np.array([0, 1] * 10), "binary").intervals is None
    assert Calibration().intervals is None
    assert isinstance(found.intervals, Intervals)
