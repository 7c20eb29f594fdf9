"""Forecasts from what was measured: more rows, more networks, a longer search."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.explain.ensemble_size import ensemble_gain
from trainwell.explain.expected_best import expected_best, gain_of_doubling
from trainwell.explain.power_law import EXPONENTS, best, fit, forecast

ROWS = np.array([100, 200, 400, 800])


def power_law(a: float, b: float, c: float, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    clean = a - b * ROWS[:, None] ** -c
    return clean + noise * np.random.default_rng(seed).normal(size=(len(ROWS), 4))


@pytest.mark.parametrize("exponent", [0.3, 0.7, 1.2])
def test_a_curve_without_noise_is_found_again(exponent):
    found = best(ROWS, power_law(0.9, 2.0, exponent).mean(axis=1))
    assert found.c == pytest.approx(exponent, rel=0.1)
    assert found.at(1600) == pytest.approx(0.9 - 2.0 * 1600**-exponent, abs=2e-3)


def test_a_fit_is_the_least_squares_line_in_the_power_of_the_rows():
    scores = np.array([0.5, 0.62, 0.66, 0.71])
    fits = fit(ROWS, scores[None])
    for place, exponent in enumerate(EXPONENTS):
        slope, at_zero = np.polyfit(ROWS**-exponent, scores, 1)
        curve = fits.curve(0, place)
        assert (curve.b, curve.a, curve.c) == pytest.approx((-slope, at_zero, exponent))
        assert fits.error[0, place] == pytest.approx(((np.polyval((slope, at_zero), ROWS**-exponent) - scores) ** 2).sum())


def test_scores_that_fall_with_more_rows_promise_nothing():
    found = forecast(ROWS, np.tile(np.array([[0.9], [0.8], [0.7], [0.6]]), (1, 4)), 1600)
    assert found.gain == found.low == found.high == 0


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_the_interval_holds_the_true_gain_as_often_as_it_says(exponent):
    true = 2.0 * (800.0**-exponent - 1600.0**-exponent)
    found = [forecast(ROWS, power_law(0.9, 2.0, exponent, 0.005, seed=seed), 1600, seed=seed) for seed in range(60)]
    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.9


def test_the_interval_widens_with_the_noise():
    quiet, loud = (forecast(ROWS, power_law(0.9, 2.0, 0.5, noise), 1600) for noise in (1e-3, 1e-2))
    assert quiet.high - quiet.low < loud.high - loud.low


def test_no_forecast_exceeds_the_best_score_there_can_be():
    scores = np.tile(np.array([[0.7], [0.85], [0.95], [0.999]]), (1, 3))
    found = forecast(ROWS, scores, 10**9, ceiling=1.0)
    assert 0.999 + found.high <= 1.01


def test_two_sizes_are_no_curve_and_a_failed_network_is_left_out():
    assert forecast(ROWS[:2], power_law(0.9, 2.0, 0.5)[:2], 1600) is None
    scores = power_law(0.9, 2.0, 0.5)
    with_failure = np.hstack([scores, np.array([[0.5], [np.nan], [0.5], [0.5]])])
    assert forecast(ROWS, with_failure, 1600) == forecast(ROWS, scores, 1600)


@settings(max_examples=50)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=7))
def test_the_expected_best_is_the_mean_over_all_sets(scores):
    sizes = range(1, len(scores) + 1)
    by_hand = [np.mean([max(some) for some in combinations(scores, size)]) for size in sizes]
    np.testing.assert_allclose(expected_best(scores, sizes), by_hand, atol=1e-9)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_more_networks_never_make_the_expected_best_worse(scores):
    assert (np.diff(expected_best(scores, range(1, len(scores) + 1))) >= -1e-9).all()
    assert gain_of_doubling(scores) >= -1e-9


def test_averages_of_independent_errors_gain_as_one_over_their_number():
    random = np.random.default_rng(1)
    truth = random.normal(size=4000)
    predictions = truth[None, :, None] + random.normal(size=(8, 4000, 1))
    found = ensemble_gain(predictions, lambda many: -((many[:, :, 0] - truth) ** 2).mean(axis=1))
    assert found.sizes[0] == 1
    assert found.sizes[-1] == 8
    np.testing.assert_allclose(found.mean, -1 / found.sizes, atol=0.03)
    assert (found.a, found.b) == pytest.approx((0, 1), abs=0.03)
    assert found.more() == pytest.approx(1 / 16, abs=0.005)


def test_one_network_has_no_curve_and_equal_networks_gain_nothing():
    one = np.ones((1, 5, 1))
    assert ensemble_gain(one, lambda many: many.mean(axis=(1, 2))) is None
    found = ensemble_gain(np.repeat(one, 4, axis=0), lambda many: many.mean(axis=(1, 2)))
    assert found.b == 0
    assert found.more() == 0
