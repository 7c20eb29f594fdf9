"""Split-conformal intervals hold the truth as often as they say, whatever the errors are like; few rows cannot say all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.calibration.calibrate import Calibration, calibrate
from trainwell.calibration.intervals import EVEN, Intervals, coverage, fit_intervals, needed_rows
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
        width = fit_intervals(np.zeros(rows), residuals[:rows]).half_width(np.zeros(1), level)[0]
        held.append(abs(residuals[rows]) <= width)
    error = 4 * (level * (1 - level) / draws) ** 0.5
    assert level - error < np.mean(held) < level + 1 / (rows + 1) + error


@settings(max_examples=60)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=99), st.floats(0.01, 0.99))
def test_the_half_width_is_the_residual_of_the_finite_sample_rank_or_the_next_that_is_stored(residuals, level):
    found = fit_intervals(np.zeros(len(residuals)), np.array(residuals))
    assert found.difficulty == EVEN
    if level > found.highest_level:
        with pytest.raises(InputError, match="validation rows; the model was made with"):
            found.half_width(np.zeros(1), level)
        return
    ordered = np.sort(np.abs(residuals))
    exact = ordered[min(len(ordered), int(np.ceil((len(ordered) + 1) * level - 1e-6))) - 1]
    stored = next(one for one in found.levels if one >= level - 1e-9)
    assert found.half_width(np.zeros(1), level)[0] >= exact
    assert found.half_width(np.zeros(1), level)[0] == ordered[int(np.ceil(round((len(ordered) + 1) * stored, 6))) - 1]
    assert stored - level < 0.01 + 1 / (len(ordered) + 1)


def test_the_widths_rise_with_the_level():
    found = fit_intervals(np.zeros(500), np.random.default_rng(0).normal(size=500))
    assert (np.diff(found.half_widths) >= 0).all()
    assert found.levels[-1] == found.highest_level == 500 / 501
    np.testing.assert_array_equal(found.half_width(np.zeros(3)), found.half_width(np.zeros(3), 0.9))


def test_levels_that_are_none_and_levels_that_need_more_rows_get_one_sentence():
    found = fit_intervals(np.zeros(20), np.arange(20.0))
    for level in (0.0, 1.0, 90.0, -0.1, float("nan")):
        with pytest.raises(InputError) as refused:
            found.half_width(np.zeros(1), level)
        assert str(refused.value) == f"interval is {level:g}, allowed are shares between 0 and 1, such as 0.9 for 90%."
    with pytest.raises(InputError) as refused:
        found.half_width(np.zeros(1), 0.99)
    assert str(refused.value) == (
        "interval is 0.99, which needs 99 validation rows; the model was made with 20: allowed is up to 0.9523."
    )
    assert found.half_width(np.zeros(1), 0.95)[0] == 19.0


def test_so_many_rows_are_just_enough():
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        rows = needed_rows(level)
        assert np.isfinite(fit_intervals(np.zeros(rows), np.ones(rows)).half_width(np.zeros(1), level)).all()
        with pytest.raises(InputError):
            fit_intervals(np.zeros(rows - 1), np.ones(rows - 1)).half_width(np.zeros(1), level)


def test_coverage_counts_the_ends():
    assert coverage(np.array([-1.0, 1.0, 0.5, 2.0]), np.zeros(4), np.ones(4)) == 0.75


def test_a_regression_is_given_intervals_in_its_own_unit_and_classes_none():
    residuals = np.arange(1.0, 11)
    found = calibrate(np.zeros((10, 1)), residuals, "regression", mean=5.0, scale=20.0)
    assert found.intervals is not None
    assert found.intervals.half_width(np.zeros(1), 0.9)[0] == 200.0
    assert found.temperature == 1.0
    predictions = np.array([[0.2], [0.9]] * 10)
    assert found.applied(predictions) is predictions
    assert calibrate(predictions, np.array([0, 1] * 10), "binary").intervals is None
    assert Calibration().intervals is None
    assert isinstance(found.intervals, Intervals)


def rows_of_unlike_difficulty(seed: int, number: int):
    """(predictions, truth): the larger the prediction, the larger the error."""
    chance = np.random.default_rng(seed)
    predictions = chance.uniform(100, 1000, number)
    return predictions, predictions + chance.normal(size=number) * predictions / 10


def test_where_large_predictions_are_off_by_more_intervals_are_wider_there_and_narrower_on_average():
    found = fit_intervals(*rows_of_unlike_difficulty(0, 2000))
    predictions, truth = rows_of_unlike_difficulty(1, 20_000)
    width = found.half_width(predictions)
    errors = np.abs(truth - predictions)
    even = np.quantile(errors, 0.9)
    assert width.mean() < 0.95 * even
    for third in np.array_split(np.argsort(predictions), 3):
        assert coverage(truth[third], predictions[third], width[third]) == pytest.approx(0.9, abs=0.02)
    easiest = np.argsort(predictions)[:6000]
    assert (errors[easiest] <= even).mean() > 0.99


@pytest.mark.parametrize("number", [100, 120, 300])
def test_few_rows_that_difficulty_is_learned_from_still_keep_the_promise(number):
    held = []
    for seed in range(200):
        found = fit_intervals(*rows_of_unlike_difficulty(seed, number))
        predictions, truth = rows_of_unlike_difficulty(10_000 + seed, 200)
        held.append(coverage(truth, predictions, found.half_width(predictions)))
    assert np.mean(held) == pytest.approx(0.9, abs=0.012)


def test_where_all_rows_are_as_difficult_the_intervals_stay_even_or_nearly_so():
    chance = np.random.default_rng(0)
    predictions = chance.uniform(0, 1, 4000)
    width = fit_intervals(predictions, predictions + chance.normal(size=4000)).half_width(predictions)
    assert width.max() < 1.25 * width.min()


def test_predictions_beyond_those_known_have_the_difficulty_of_the_outermost_and_no_error_is_no_trouble():
    predictions, truth = rows_of_unlike_difficulty(0, 1000)
    found = fit_intervals(predictions, truth)
    np.testing.assert_allclose(found.half_width(np.array([-1e9, 1e9])), found.half_width(np.array([0.0, 1e6])))
    exact = fit_intervals(predictions, predictions)
    assert (exact.half_width(predictions, 0.99) == 0).all()
