"""Temperature scaling: it mends what is too sure or too timid, changes no order, and does nothing where it does not help."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.metrics import log_loss as reference_log_loss
from sklearn.metrics import roc_auc_score

from trainwell.calibration.temperature import COLDEST, HOTTEST, fit_temperature, log_loss, scaled


def rows(seed: int, number: int, classes: int, sureness: float):
    """(probabilities of a model that is ``sureness`` times as sure as it should be, target)."""
    chance = np.random.default_rng(seed)
    if classes == 2:
        logits = chance.normal(0, 1.5, (number, 1))
        target = (chance.random(number) < expit(logits[:, 0])).astype(int)
        return expit(sureness * logits).astype(np.float32), target
    logits = chance.normal(0, 1.5, (number, classes))
    target = np.array([chance.choice(classes, p=one) for one in softmax(logits, axis=1)])
    return softmax(sureness * logits, axis=1).astype(np.float32), target


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("sureness", [0.5, 2.0, 4.0])
def test_the_temperature_of_a_model_that_is_so_many_times_too_sure_is_found(classes, sureness):
    probabilities, target = rows(0, 4000, classes, sureness)
    assert fit_temperature(probabilities, target) == pytest.approx(sureness, rel=0.1)


def test_the_log_loss_of_other_rows_falls_and_is_scikit_learns():
    probabilities, target = rows(1, 4000, 3, 3.0)
    temperature = fit_temperature(probabilities, target)
    other, truth = rows(2, 4000, 3, 3.0)
    assert log_loss(other, truth, temperature) < log_loss(other, truth) - 0.1
    assert log_loss(other, truth, temperature) == pytest.approx(reference_log_loss(truth, scaled(other, temperature)), rel=1e-6)
    two, truth = rows(2, 500, 2, 3.0)
    assert log_loss(two, truth) == pytest.approx(reference_log_loss(truth, two[:, 0].astype(float)), rel=1e-5)


def test_true_probabilities_and_few_rows_are_left_as_they_are():
    kept = [fit_temperature(*rows(seed, 60, 2, 1.0)) for seed in range(20)]
    assert kept.count(1.0) >= 10  # by chance some temperature helps on the rows left out; never on most tables
    assert fit_temperature(*rows(0, 9, 2, 4.0)) == 1.0
    probabilities, _ = rows(0, 50, 3, 1.0)
    assert scaled(probabilities, 1.0) is probabilities


def test_a_model_that_is_always_right_is_not_made_surer_than_allowed():
    target = np.arange(100) % 2
    assert fit_temperature(np.where(target == 1, 0.9, 0.1)[:, None], target) >= COLDEST
    assert fit_temperature(np.where(target == 1, 0.1, 0.9)[:, None], target) <= HOTTEST


sure = st.lists(st.floats(0, 1, width=32), min_size=3, max_size=20).map(lambda values: np.array(values, np.float32)[:, None])


@settings(max_examples=60)
@given(sure, st.floats(0.5, HOTTEST))
def test_two_rows_never_change_places_and_a_half_stays_a_half(probabilities, temperature):
    after = scaled(probabilities, temperature)
    assert np.isfinite(after).all()
    order = np.argsort(probabilities[:, 0], kind="stable")
    assert (np.diff(after[order, 0]) >= 0).all()
    np.testing.assert_array_equal(after > 0.5, probabilities > 0.5)
    target = np.arange(len(probabilities)) % 2
    assert roc_auc_score(target, after[:, 0]) == pytest.approx(roc_auc_score(target, probabilities[:, 0]), abs=1e-9)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(COLDEST, HOTTEST))
def test_the_likeliest_class_stays_the_likeliest(seed, temperature):
    probabilities, _ = rows(seed, 20, 5, 3.0)
    after = scaled(probabilities, temperature)
    np.testing.assert_array_equal(after.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(after.sum(axis=1), 1, rtol=1e-9)
