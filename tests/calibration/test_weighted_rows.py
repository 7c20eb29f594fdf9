"""What is told of weighted rows: a row of weight two counts as that row twice."""

import numpy as np
import pytest

from trainwell.calibration.calibrate import calibrate
from trainwell.calibration.intervals import coverage, fit_intervals
from trainwell.calibration.reliability import reliability
from trainwell.calibration.thresholds import Costs
from trainwell.explain.gains import cost_curve, cumulative_gain
from trainwell.explain.subgroups import subgroups

ROWS = 400
random = np.random.default_rng(0)
probability, target = random.random(ROWS), random.integers(0, 2, ROWS)
weights = random.integers(1, 4, ROWS)
twice = np.repeat(np.arange(ROWS), weights)


def test_the_shares_that_came_true_are_those_of_the_rows_repeated():
    edges = np.round(probability, 1)  # so that both have the same bins
    one = reliability(edges[:, None], target, weights)
    other = reliability(edges[twice][:, None], target[twice])
    np.testing.assert_allclose(one.true, other.true)
    np.testing.assert_allclose(one.rows, other.rows)
    assert one.error == pytest.approx(other.error)
    assert one.error != pytest.approx(reliability(edges[:, None], target).error)


def test_gain_and_cost_are_those_of_the_rows_repeated():
    one = cumulative_gain(probability, target == 1, weights)
    other = cumulative_gain(probability[twice], target[twice] == 1)
    np.testing.assert_allclose(one.gain, other.gain)
    np.testing.assert_allclose(one.share, other.share)
    thresholds, cost = cost_curve(probability, target == 1, Costs(1, 5), weights)
    falsely = np.array([((probability > one) & (target == 0)) @ weights for one in thresholds])
    missed = np.array([((probability <= one) & (target == 1)) @ weights for one in thresholds])
    np.testing.assert_allclose(cost, (falsely + 5 * missed) / weights.sum())


def test_an_interval_holds_the_truth_of_its_share_of_the_weight():
    """Every third row errs ten times as much and weighs ten times as much."""
    wide = np.arange(6000) % 3 == 0
    errors = np.where(wide, 10.0, 1.0) * np.random.default_rng(1).normal(size=6000)
    own = np.where(wide, 10.0, 1.0)
    known, new = slice(0, 3000), slice(3000, None)
    zeros = np.zeros(3000)
    weighted = fit_intervals(zeros, errors[known], own[known]).half_width(zeros, 0.8)
    assert coverage(errors[new], zeros, weighted, own[new]) == pytest.approx(0.8, abs=0.03)
    plain = fit_intervals(zeros, errors[known]).half_width(zeros, 0.8)
    assert coverage(errors[new], zeros, plain, own[new]) < 0.7
    assert coverage(errors[new], zeros, plain) == pytest.approx(0.8, abs=0.03)


def test_equal_weights_change_nothing_and_a_regression_is_calibrated_by_its_weights():
    truth = 5 * probability + random.normal(size=ROWS)
    even, plain = fit_intervals(probability, truth, np.full(ROWS, 0.7)), fit_intervals(probability, truth)
    np.testing.assert_allclose(even.half_widths, plain.half_widths, rtol=1e-12)
    heavy = np.where(np.abs(truth - probability) > 3, 20.0, 1.0)
    fitted = calibrate(probability[:, None], truth, "regression", weights=heavy).intervals
    assert fitted == fit_intervals(probability, truth, heavy) != plain


def test_the_means_of_a_subgroup_are_those_of_the_rows_repeated():
    feature = {"kind": random.integers(1, 3, ROWS)}

    def found(rows, own):
        return subgroups(
            {"kind": feature["kind"][rows]}, {"kind": ("a", "b")}, target[rows], probability[rows],
            target[rows].astype(float), lambda some: 0.5, lambda picks: np.linspace(0, 1, len(picks)), all_rows=0.5,
            classes=True, weights=own,
        )  # fmt: skip

    one, other = found(np.arange(ROWS), weights.astype(float)), found(twice, None)
    assert [each.predicted for each in one] == pytest.approx([each.predicted for each in other])
    assert [each.true for each in one] == pytest.approx([each.true for each in other])
