"""The calibration error: zero where probabilities come true, the distance where they do not, whatever the bins hold."""

import numpy as np
import pytest

from trainwell.calibration.reliability import BINS, reliability


def test_probabilities_that_come_true_have_almost_no_error_and_others_their_distance():
    chance = np.random.default_rng(0)
    probability = chance.random(60_000)
    target = (chance.random(60_000) < probability).astype(int)
    assert reliability(probability[:, None], target).error < 0.008
    too_high = np.clip(probability + 0.1, 0, 1)
    assert reliability(too_high[:, None], target).error == pytest.approx((too_high - probability).mean(), abs=0.008)


def test_bins_have_equally_many_rows_and_rise():
    probability = np.random.default_rng(1).random(1500) ** 3
    found = reliability(probability[:, None], np.ones(1500, int))
    assert len(found.rows) == BINS
    assert found.rows.sum() == 1500
    assert found.rows.max() - found.rows.min() <= 2
    assert (np.diff(found.predicted) > 0).all()
    assert (found.true == 1).all()


def test_equal_predictions_share_a_bin_and_few_rows_make_few_bins():
    found = reliability(np.array([[0.2], [0.2], [0.2], [0.2], [0.7]]), np.array([0, 0, 0, 1, 1]))
    np.testing.assert_allclose(found.predicted, [0.2, 0.7])
    np.testing.assert_allclose(found.true, [0.25, 1.0])
    assert found.rows.tolist() == [4, 1]
    assert found.error == pytest.approx((4 * 0.05 + 0.3) / 5)


def test_of_more_classes_the_likeliest_counts():
    found = reliability(np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]), np.array([0, 0]))
    assert found.error == pytest.approx(0.1)
    assert found.true.tolist() == [0.5]
