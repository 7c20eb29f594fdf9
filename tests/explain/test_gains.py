"""What an order of rows is worth, held against counting by hand and scikit-learn's curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, roc_auc_score

from trainwell.calibration.thresholds import Costs
from trainwell.explain.gains import cost_curve, cumulative_gain, thinned

rows = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=40).filter(
    lambda some: 0 < sum(positive for _, positive in some) < len(some)
)


def both(some) -> tuple[np.ndarray, np.ndarray]:
    return np.array([value / 8 for value, _ in some]), np.array([positive for _, positive in some])


def test_the_gain_is_the_share_of_the_positives_found_so_far():
    found = cumulative_gain(np.array([0.9, 0.7, 0.6, 0.2, 0.1]), np.array([True, False, True, False, False]))
    assert found.share.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert found.gain.tolist() == pytest.approx([0, 0.5, 0.5, 1, 1, 1])
    assert found.lift[1:].tolist() == pytest.approx([2.5, 1.25, 1 / 0.6, 1.25, 1])


def test_rows_that_are_equally_likely_come_in_evenly():
    found = cumulative_gain(np.array([0.5, 0.5, 0.5, 0.5]), np.array([True, False, False, True]))
    assert [found.at(share) for share in (0.25, 0.5, 0.9)] == pytest.approx([0.25, 0.5, 0.9])


@settings(max_examples=50)
@given(rows)
def test_the_area_under_the_gain_is_that_under_the_roc_curve_in_other_units(some):
    probability, positive = both(some)
    base = positive.mean()
    area = auc(*cumulative_gain(probability, positive))
    assert area == pytest.approx(base / 2 + (1 - base) * roc_auc_score(positive, probability))


@settings(max_examples=50)
@given(rows)
def test_gains_rise_from_nothing_to_all_and_keep_their_ends_when_thinned(some):
    for found in (cumulative_gain(*both(some)), thinned(cumulative_gain(*both(some)))):
        assert (np.diff(found.gain) >= -1e-12).all()
        assert [found.gain[0], found.gain[-1], found.share[0], found.share[-1]] == pytest.approx([0, 1, 0, 1])


def test_the_cost_of_a_threshold_is_that_of_its_mistakes():
    thresholds, cost = cost_curve(np.array([0.2, 0.6, 0.9, 0.4]), np.array([False, False, True, True]), Costs(1.0, 5.0))
    assert (thresholds[0], thresholds[-1]) == (0, 1)
    assert cost[0] == pytest.approx(2 / 4)  # both negative rows are called positive
    assert cost[-1] == pytest.approx(10 / 4)  # both positive ones are missed
    between = cost[(thresholds > 0.4) & (thresholds < 0.59)], cost[(thresholds > 0.61) & (thresholds < 0.89)]
    assert [np.unique(one).tolist() for one in between] == [[6 / 4], [5 / 4]]  # one mistake of either kind, then one miss
