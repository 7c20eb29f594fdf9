"""Scores of finished predictions: some rows at a time as the engine's own, many models at once as one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.calibration.calibrate import Calibration
from trainwell.population.budget import Budget
from trainwell.population.metrics import METRICS, metric_for
from trainwell.population.own_metric import own_metric
from trainwell.recipe.final_scores import doubt, drawn, final, resampled, score_of_some, scorer
from trainwell.recipe.options import Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.squeeze.stage import interval

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


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 40), st.integers(0, 2**16))
def test_groups_are_drawn_whole_but_for_the_last(groups, size, seed):
    groups = np.array(groups)
    for pick in drawn(len(groups), 3, size, groups, np.random.default_rng(seed)):
        assert pick.shape == (size,)
        while len(pick):
            whole = np.flatnonzero(groups == groups[pick[0]])
            np.testing.assert_array_equal(pick[: len(whole)], whole[: len(pick)])
            pick = pick[len(whole) :]


def test_copies_of_rows_make_a_score_no_surer_where_they_are_drawn_as_groups():
    """Five copies of each row: drawn as groups the score scatters as the rows' own does, else by a root of five less."""
    chance = np.random.default_rng(2)
    target = chance.integers(0, 2, 400)
    predictions = np.clip(0.5 + 0.1 * (target - 0.5) + 0.2 * chance.normal(size=400), 0, 1).astype(np.float32)[:, None]
    copied, groups = np.repeat(np.arange(400), 5), np.repeat(np.arange(400), 5)

    def scatter(rows, groups=None):
        picks = drawn(len(rows), 400, len(rows), groups, np.random.default_rng(0))
        return float(resampled(predictions[rows], target[rows], picks, METRICS["auc"]).std())

    alone = scatter(np.arange(400))
    assert scatter(copied, groups) == pytest.approx(alone, rel=0.15)
    assert scatter(copied) == pytest.approx(alone / 5**0.5, rel=0.15)


def test_the_interval_of_the_test_score_is_of_groups_where_there_are_any(tmp_path):
    chance = np.random.default_rng(4)
    x, y = (np.repeat(one, 5) for one in (chance.normal(size=200), chance.integers(0, 2, 200)))
    table = {"x": x.tolist(), "person": np.repeat(np.arange(200), 5).tolist(), "y": y.tolist()}
    widths = []
    for more in ({"group": "person"}, {"ignore": ("person",)}):
        options = Options.checked(target="y", out=tmp_path / str(len(widths)), trials=1, **more)
        context = prepare(table, options, Budget(), None, ())[0]
        guess = np.clip(0.5 + 0.1 * (context.test.target - 0.5) + 0.2 * context.test.numeric[:, 0], 0, 1)
        low, high = interval(context, guess.astype(np.float32)[:, None])
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1]


def test_a_difference_is_doubted_by_groups_too():
    target, chance = np.arange(200) % 2, np.random.default_rng(3)
    both = [np.clip(0.5 + 0.3 * chance.normal(size=200), 0, 1).astype(np.float32)[:, None] for _ in range(2)]
    alone = doubt(both, target, METRICS["auc"], None, seed=1)
    five = [np.repeat(one, 5, axis=0) for one in both]
    grouped = doubt(five, np.repeat(target, 5), METRICS["auc"], None, np.repeat(np.arange(200), 5), seed=1)
    assert grouped == pytest.approx(alone, rel=0.2)


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
