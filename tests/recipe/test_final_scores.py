"""Scores of finished predictions: some rows at a time as the engine's own, many models at once as one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.calibration.calibrate import Calibration
from trainwell.population.metrics import METRICS, metric_for
from trainwell.population.own_metric import own_metric
from trainwell.recipe.final_scores import final, resampled, score_of_some, scorer

ROWS = 40


def made(task: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    if task == "regression":
        return random.normal(size=(ROWS, 1)).astype(np.float32), random.normal(size=ROWS).astype(np.float32)
    classes = 2 if task == "binary" else 4
    probabilities = random.dirichlet(np.ones(classes), ROWS).round(1).astype(np.float32)
    target = np.concatenate([np.arange(classes), random.integers(0, classes, ROWS - classes)])
    return (probabilities[:, 1:] if classes == 2 else probabilities), target


every = [(task, name) for name, metric in METRICS.items() for task in metric.tasks]


@pytest.mark.parametrize(("task", "name"), [*every, ("regression", "pinball:0.9")])
@settings(max_examples=15)
@given(st.integers(0, 2**16))
def test_the_score_of_some_rows_is_the_engines(task, name, seed):
    metric, (predictions, target) = metric_for(task, name), made(task, seed)
    for weights in (None, np.random.default_rng(seed).uniform(0.1, 3, ROWS).astype(np.float32)):
        expected = float(metric.final(predictions, target, weights))
        assert score_of_some(metric, predictions, target, weights) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", ["auc", "f1"])
def test_many_models_are_scored_as_each_of_them_with_its_calibration(name):
    metric, calibration = METRICS[name], Calibration(temperature=1.5, threshold=0.4)
    both = [made("binary", seed)[0] for seed in (1, 2)]
    target = made("binary", 1)[1]
    weights = np.random.default_rng(3).uniform(0.1, 3, ROWS).astype(np.float32)
    for own in (None, weights):
        expected = [float(metric.final(final(metric, calibration, one), target, own)) for one in both]
        for compiled in (True, False):
            found = scorer(metric, calibration, target, own, compiled=compiled)(np.stack(both))
            np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_draw_of_all_rows_in_their_order_has_the_score_of_all():
    metric, (predictions, target) = METRICS["auc"], made("binary", 3)
    picks = np.stack([np.arange(ROWS), np.arange(ROWS)[::-1]])
    np.testing.assert_allclose(resampled(predictions, target, picks, metric), metric.final(predictions, target), rtol=1e-6)


@pytest.mark.parametrize(("task", "name"), every)
def test_a_function_of_ones_own_is_asked_itself_though_it_is_called_as_a_metric_that_there_is(task, name):
    predictions, target = made(task, 4)

    def function(truth, prediction):
        return 7.0 + 0.0 * prediction.sum()

    function.__name__ = name
    metric = own_metric(function, task, target, predictions.shape[1], mean=100.0, scale=10.0)
    assert score_of_some(metric, predictions, target) == 7.0
    assert metric.name == name
    assert metric.kind == "", "or a threshold would be chosen for it, or label smoothing left out"
