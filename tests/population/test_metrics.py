"""The measures inside the program are scikit-learn's, also with ties and with classes of which no row is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from trainwell.errors import InputError
from trainwell.population.metrics import DEFAULT, METRICS, at_half, metric_for, metric_named, predictions_of
from trainwell.population.scores import _sortable

CLASSES, ROWS = 4, 30  # of one size, so that each measure is compiled once
quick = settings(max_examples=40)
tied = st.lists(st.integers(1, 9), min_size=ROWS, max_size=ROWS).map(lambda tenths: np.array(tenths, np.float32) / 10)
labels = st.lists(st.integers(0, 1), min_size=ROWS, max_size=ROWS).map(np.array)
many = st.lists(st.integers(0, CLASSES - 1), min_size=ROWS, max_size=ROWS).map(np.array)
numbers = st.lists(st.floats(-5, 5, width=16), min_size=ROWS, max_size=ROWS).map(lambda values: np.array(values, np.float32))
seeds = st.integers(0, 10_000)


def measured(name, predictions, target) -> float:
    return float(metric_named(name).score(np.asarray(predictions, np.float32), target))


def decided(name, predictions, target) -> float:
    """At a threshold of 1/2, as scikit-learn measures decisions."""
    return float(METRICS[name].final(np.asarray(predictions, np.float32), target))


def at_any_threshold(measure, scores, target) -> float:
    return max(measure(target, (scores > threshold).astype(int)) for threshold in [-1, *sorted(set(scores.tolist()))])


@given(st.lists(st.floats(width=32, allow_subnormal=False), min_size=ROWS, max_size=ROWS))
def test_what_is_sorted_for_the_scores_has_their_order(values):
    scores = np.array([0.0, -0.0, np.nan, -np.inf, *values], np.float32)
    keys = np.asarray(_sortable(scores))
    sound = ~np.isnan(scores)
    for one, key in zip(scores[sound], keys[sound], strict=True):
        np.testing.assert_array_equal(key < keys[sound], one < scores[sound])
        np.testing.assert_array_equal(key == keys[sound], one == scores[sound])
    assert (keys[np.isnan(scores)] == keys.max()).all()


@quick
@given(tied, labels)
def test_auc_with_ties(scores, target):
    if len(set(target)) < 2:
        assert 0 <= measured("auc", scores[:, None], target) <= 1
    else:
        assert measured("auc", scores[:, None], target) == pytest.approx(reference.roc_auc_score(target, scores), abs=1e-5)


@quick
@given(tied, labels)
def test_two_classes_from_the_one_column(scores, target):
    scores = np.where(scores == 0.5, 0.51, scores).astype(np.float32)  # at exactly a half either class is right
    predicted = (scores > 0.5).astype(int)
    assert measured("accuracy", scores[:, None], target) == pytest.approx(reference.accuracy_score(target, predicted))
    expected = -reference.log_loss(target, scores.astype(float), labels=[0, 1])
    assert measured("log_loss", scores[:, None], target) == pytest.approx(expected, rel=1e-4)
    assert decided("f1", scores[:, None], target) == pytest.approx(reference.f1_score(target, predicted, zero_division=0))
    if len(set(target)) == 2:
        expected = np.mean([reference.recall_score(target, predicted, pos_label=label) for label in set(target)])
        assert decided("balanced_accuracy", scores[:, None], target) == pytest.approx(expected, rel=1e-5)


@quick
@given(tied, labels)
def test_average_precision_with_ties_and_without_a_positive_row(scores, target):
    found = measured("average_precision", scores[:, None], target)
    expected = reference.average_precision_score(target, scores) if target.any() else 0.0
    assert found == pytest.approx(expected, abs=1e-5)


@quick
@given(tied, labels)
def test_f1_and_balanced_accuracy_compare_networks_at_their_best_threshold(scores, target):
    expected = at_any_threshold(lambda *both: reference.f1_score(*both, zero_division=0), scores, target)
    assert measured("f1", scores[:, None], target) == pytest.approx(expected, abs=1e-5)
    if len(set(target)) == 2:
        expected = at_any_threshold(reference.balanced_accuracy_score, scores, target)
        assert measured("balanced_accuracy", scores[:, None], target) == pytest.approx(expected, abs=1e-5)


@quick
@given(seeds, many)
def test_many_classes_some_of_them_absent(seed, target):
    logits = np.random.default_rng(seed).normal(size=(ROWS, CLASSES)).astype(np.float32)
    probabilities = np.asarray(predictions_of(logits, "multiclass"))
    predicted = probabilities.argmax(axis=1)
    assert measured("accuracy", probabilities, target) == pytest.approx(reference.accuracy_score(target, predicted))
    exact = probabilities.astype(float) / probabilities.sum(axis=1, keepdims=True, dtype=float)
    expected = -reference.log_loss(target, exact, labels=range(CLASSES))
    assert measured("log_loss", probabilities, target) == pytest.approx(expected, rel=1e-4)
    shares = [(predicted[target == label] == label).mean() for label in set(target)]
    for measure in (measured, decided):  # the likeliest class is predicted: there is no threshold
        assert measure("balanced_accuracy", probabilities, target) == pytest.approx(np.mean(shares), rel=1e-5)
        expected = reference.f1_score(target, predicted, average="macro", zero_division=0)
        assert measure("f1", probabilities, target) == pytest.approx(expected, rel=1e-5, abs=1e-7)


@quick
@given(numbers, seeds)
def test_regression(target, seed):
    predicted = (target + np.random.default_rng(seed).normal(size=ROWS)).astype(np.float32)
    assert measured("rmse", predicted[:, None], target) == pytest.approx(
        -reference.root_mean_squared_error(target, predicted), rel=1e-4
    )
    assert measured("mae", predicted[:, None], target) == pytest.approx(
        -reference.mean_absolute_error(target, predicted), rel=1e-4
    )
    for quantile in (0.1, 0.5, 0.9):
        expected = -reference.mean_pinball_loss(target, predicted, alpha=quantile)
        assert measured(f"pinball:{quantile}", predicted[:, None], target) == pytest.approx(expected, rel=1e-4)
    if np.var(target) > 1e-3:
        assert measured("r2", predicted[:, None], target) == pytest.approx(
            reference.r2_score(target, predicted), rel=1e-3, abs=1e-3
        )


def test_a_sure_mistake_costs_much_but_not_infinitely():
    assert measured("log_loss", [[1.0], [0.0]], np.array([0, 1])) == pytest.approx(np.log(1e-7), rel=1e-4)


def test_larger_is_better_for_every_measure_and_people_see_losses_positive():
    target = np.array([0, 1, 1, 0])
    for name, metric in METRICS.items():
        right = np.array([[0.1], [0.9], [0.8], [0.2]])
        assert measured(name, right, target) > measured(name, 1 - right, target)
        assert metric.shown(metric.sign * 0.5) == 0.5
    assert METRICS["rmse"].shown(-0.5, target_scale=20) == 10
    assert METRICS["r2"].shown(0.5, target_scale=20) == 0.5


def test_each_task_has_its_measure_and_others_are_refused_with_the_nearest_name():
    assert {task: metric_for(task).name for task in DEFAULT} == {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}
    assert metric_for("multiclass", "log_loss").name == "log_loss"
    with pytest.raises(InputError) as refused:
        metric_for("regression", "rsme")
    assert str(refused.value) == (
        "metric is 'rsme', did you mean 'rmse'? allowed for a regression target is 'r2', 'rmse', 'mae', 'pinball'."
    )
    with pytest.raises(InputError, match=r"^metric is 'auc', allowed for a multiclass target is "):
        metric_for("multiclass", "auc")


@pytest.mark.parametrize("metric", ["auc", "accuracy", "balanced_accuracy", "average_precision", "f1"])
def test_of_two_equal_scores_the_surer_one_ranks_higher(metric):
    target = np.array([0, 0, 1, 1])
    sure, unsure = np.array([[0.1], [0.2], [0.8], [0.9]]), np.array([[0.4], [0.45], [0.55], [0.6]])
    measure = METRICS[metric]
    assert measure.score(sure, target) == measure.score(unsure, target) == 1
    assert measure.criterion(sure, target) > measure.criterion(unsure, target)


def test_an_error_of_a_number_has_no_ties_to_break():
    target = np.array([0.0, 1.0])
    predictions = np.array([[0.1], [0.7]])
    assert METRICS["r2"].criterion(predictions, target) == METRICS["r2"].score(predictions, target)


def test_pinball_has_the_quantile_after_its_name_and_the_median_without_one_and_trains_with_its_own_loss():
    assert metric_for("regression", "pinball").loss_settings == (("quantile.quantile", 0.5),)
    ninth = metric_for("regression", "pinball:0.9")
    assert (ninth.loss, ninth.loss_settings) == ("quantile", (("quantile.quantile", 0.9),))
    assert ninth.label == "pinball loss (0.9)"
    assert ninth.shown(-0.5, target_scale=20) == 10
    assert metric_named("pinball:0.9") == ninth
    for name, said in {
        "pinball:90": "the quantile of metric 'pinball:90' is 90, allowed is 0.001 to 0.999.",
        "pinball:x": "the quantile of metric 'pinball:x' is 'x', which is not a number from 0.001 to 0.999.",
    }.items():
        with pytest.raises(InputError) as refused:
            metric_for("regression", name)
        assert str(refused.value) == said
    with pytest.raises(InputError, match=r"^metric is 'pinball:0.9', allowed for a binary target is "):
        metric_for("binary", "pinball:0.9")


def test_a_metric_of_decisions_is_final_at_a_half_and_one_of_probabilities_is_the_same_always():
    target = np.array([0, 0, 0, 1])
    predictions = np.array([[0.1], [0.2], [0.25], [0.4]], np.float32)
    assert measured("f1", predictions, target) == 1
    assert decided("f1", predictions, target) == 0
    assert decided("auc", predictions, target) == measured("auc", predictions, target) == 1
    assert float(at_half(METRICS["f1"]).score(predictions, target)) == 0
    assert at_half(METRICS["auc"]) == METRICS["auc"]
