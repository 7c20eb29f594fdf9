"""The decision threshold: none is cheaper (or scores higher) on the rows it is chosen on; where many are as good, theory's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from trainwell.calibration.thresholds import HALF, Costs, above, cheapest, choose, confusion, costs_of, highest, recentred
from trainwell.errors import InputError

tenths = st.lists(st.integers(0, 10), min_size=4, max_size=40).map(lambda values: np.array(values, np.float32) / 10)
seeds = st.integers(0, 10_000)
some = settings(max_examples=60)


def labels(seed: int, number: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, number).astype(bool)


@some
@given(tenths, seeds, st.sampled_from([0.05, 0.15, 0.3, 0.5, 0.77, 0.95]))
def test_the_confusion_is_scikit_learns(probability, seed, threshold):
    positive = labels(seed, len(probability))
    found = confusion(probability, positive, threshold)
    (tn, fp), (fn, tp) = reference.confusion_matrix(positive, above(probability, threshold), labels=[False, True])
    assert (found.tp, found.fp, found.fn, found.tn) == (tp, fp, fn, tn)
    assert found.f1 == pytest.approx(reference.f1_score(positive, above(probability, threshold), zero_division=0))
    if 0 < positive.sum() < len(positive):
        expected = reference.balanced_accuracy_score(positive, above(probability, threshold))
        assert found.balanced_accuracy == pytest.approx(expected)


@some
@given(tenths, seeds, st.sampled_from([0.1, 0.5, 1.0, 3.0, 20.0]))
def test_no_threshold_is_cheaper_than_the_cheapest(probability, seed, fn):
    positive, costs = labels(seed, len(probability)), Costs(1.0, fn)
    found = confusion(probability, positive, cheapest(probability, positive, costs)).cost(costs)
    everywhere = np.linspace(0, 1, 201)
    assert found <= confusion(probability, positive, everywhere).cost(costs).min() + 1e-12


@some
@given(tenths, seeds, st.sampled_from(["f1", "balanced_accuracy"]))
def test_no_threshold_scores_higher_than_the_highest(probability, seed, metric):
    positive = labels(seed, len(probability))
    found = getattr(confusion(probability, positive, highest(probability, positive, metric)), metric)
    assert found >= getattr(confusion(probability, positive, np.linspace(0, 1, 201)), metric).max() - 1e-12


def test_where_probabilities_are_true_the_cheapest_threshold_is_that_of_theory():
    chance = np.random.default_rng(0)
    probability = chance.random(200_000)
    positive = chance.random(200_000) < probability
    for costs in (Costs(1, 1), Costs(1, 4), Costs(9, 1)):
        assert cheapest(probability, positive, costs) == pytest.approx(costs.fp / (costs.fp + costs.fn), abs=0.04)


def test_where_no_row_tells_thresholds_apart_theory_names_one():
    probability, positive = np.array([0.01, 0.99]), np.array([False, True])
    assert cheapest(probability, positive, Costs(1, 4)) == pytest.approx(0.2)
    assert highest(probability, positive, "f1") == HALF


def test_a_rare_class_that_is_costly_to_miss_lowers_the_threshold_and_the_cost():
    chance = np.random.default_rng(1)
    positive = chance.random(5000) < 0.05
    probability = 1 / (1 + np.exp(-(chance.normal(size=5000) + 2 * positive - 3.5)))
    costs = Costs(1, 20)
    chosen = cheapest(probability, positive, costs)
    assert chosen < 0.15
    assert confusion(probability, positive, chosen).cost(costs) < 0.7 * confusion(probability, positive, HALF).cost(costs)


def test_costs_come_first_then_the_metric_then_a_half():
    probability, positive = np.array([0.1, 0.3, 0.35, 0.9]), np.array([False, True, False, True])
    assert choose(probability, positive, "f1", Costs(1, 100)) < 0.3
    assert choose(probability, positive, "f1", None) == highest(probability, positive, "f1") < 0.3
    assert choose(probability, positive, "auc", None) == HALF


@some
@given(tenths, st.floats(0, 1))
def test_probabilities_moved_are_above_a_half_where_they_were_above_the_threshold(probability, threshold):
    moved = recentred(probability[:, None], threshold)[:, 0]
    np.testing.assert_array_equal(moved > HALF, probability.astype(float) > threshold)
    assert (np.diff(moved[np.argsort(probability)]) >= 0).all()
    assert ((moved >= 0) & (moved <= 1)).all()


def test_a_hair_above_the_threshold_is_still_above_it():
    just_above = np.nextafter(np.float32(0.3), np.float32(1))
    assert recentred(np.array([[just_above]], np.float32), float(np.float32(0.3)))[0, 0] > np.float32(0.5)


FREE = "allowed are numbers above 0 (a mistake that is free is none)."
BOTH = "it must name both mistakes, such as fp=1,fn=20."


@pytest.mark.parametrize(
    ("given_costs", "said"),
    [
        ({"fp": 1, "fn": -2}, f"cost fn is -2, {FREE}"),
        ({"fp": 0, "fn": 2}, f"cost fp is 0, {FREE}"),
        ({"fp": 1, "fn": float("nan")}, f"cost fn is nan, {FREE}"),
        ({"fp": 1, "fn": float("inf")}, f"cost fn is inf, {FREE}"),
        ({"fp": 1}, f"cost names 'fp'; {BOTH}"),
        ({}, f"cost names nothing; {BOTH}"),
        ({"fp": 1, "fn": 2, "tp": 0}, f"cost names 'fp', 'fn', 'tp'; {BOTH}"),
    ],
)
def test_costs_that_cannot_be_meant_get_one_sentence(given_costs, said):
    with pytest.raises(InputError) as refused:
        costs_of(given_costs, "binary")
    assert str(refused.value) == said


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_costs_of_two_mistakes_are_for_two_classes(task):
    with pytest.raises(InputError) as refused:
        costs_of({"fp": 1, "fn": 2}, task)
    assert str(refused.value) == f"cost is for a target of two classes (fp and fn, the two mistakes); this one is {task}."


def test_costs_that_can_be_meant_are_taken():
    assert costs_of({"fp": 1.0, "fn": 20.0}, "binary") == Costs(1.0, 20.0)
    assert costs_of(None, "regression") is None
