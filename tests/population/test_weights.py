"""A row counts as much as its weight: in metrics, losses, the ensemble and the calibration, as repeated rows would."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as reference

from trainwell.calibration.temperature import fit_temperature, log_loss
from trainwell.calibration.thresholds import Costs, confusion, highest
from trainwell.network.structure import Structure, resolve
from trainwell.population.epoch import Data
from trainwell.population.metrics import METRICS, metric_named
from trainwell.population.own_metric import own_metric
from trainwell.population.step import Rows, balance, loss_of, start
from trainwell.search.ensemble import greedy

ROWS = 60
chance = np.random.default_rng(0)
WEIGHTS = chance.integers(0, 4, ROWS).astype(np.float32)
SCORES = chance.integers(1, 9, ROWS) / 10 + 0.01
LABELS = chance.integers(0, 2, ROWS)
NUMBERS = chance.normal(size=(2, ROWS)).astype(np.float32)
PROBABILITIES = chance.dirichlet(np.ones(3), ROWS)
CLASSES = chance.integers(0, 3, ROWS)
CALLED = (SCORES > 0.5).astype(int)

TWO = SCORES[:, None].astype(np.float32)
EXPECTED = [
    ("auc", TWO, LABELS, reference.roc_auc_score(LABELS, SCORES, sample_weight=WEIGHTS)),
    ("average_precision", TWO, LABELS, reference.average_precision_score(LABELS, SCORES, sample_weight=WEIGHTS)),
    ("accuracy", TWO, LABELS, reference.accuracy_score(LABELS, CALLED, sample_weight=WEIGHTS)),
    ("balanced_accuracy", TWO, LABELS, reference.balanced_accuracy_score(LABELS, CALLED, sample_weight=WEIGHTS)),
    ("f1", TWO, LABELS, reference.f1_score(LABELS, CALLED, sample_weight=WEIGHTS)),
    ("log_loss", TWO, LABELS, -reference.log_loss(LABELS, SCORES, sample_weight=WEIGHTS)),
    (
        "f1", PROBABILITIES, CLASSES,
        reference.f1_score(CLASSES, PROBABILITIES.argmax(axis=1), average="macro", sample_weight=WEIGHTS),
    ),
    ("log_loss", PROBABILITIES, CLASSES, -reference.log_loss(CLASSES, PROBABILITIES, sample_weight=WEIGHTS)),
    ("r2", NUMBERS[:1].T, NUMBERS[1], reference.r2_score(NUMBERS[1], NUMBERS[0], sample_weight=WEIGHTS)),
    ("rmse", NUMBERS[:1].T, NUMBERS[1], -reference.root_mean_squared_error(NUMBERS[1], NUMBERS[0], sample_weight=WEIGHTS)),
    ("mae", NUMBERS[:1].T, NUMBERS[1], -reference.mean_absolute_error(NUMBERS[1], NUMBERS[0], sample_weight=WEIGHTS)),
    (
        "pinball:0.9", NUMBERS[:1].T, NUMBERS[1],
        -reference.mean_pinball_loss(NUMBERS[1], NUMBERS[0], alpha=0.9, sample_weight=WEIGHTS),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "predictions", "target", "expected"), EXPECTED)
def test_a_weighted_metric_is_scikit_learns(name, predictions, target, expected):
    assert float(metric_named(name).final(predictions, target, WEIGHTS)) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "auc", "average_precision"])
def test_whole_weights_are_repetitions_at_the_best_threshold(name):
    repeated = np.repeat(np.arange(ROWS), WEIGHTS.astype(int))
    metric = METRICS[name]
    own, other = metric.criterion(TWO, LABELS, WEIGHTS), metric.criterion(TWO[repeated], LABELS[repeated])
    assert float(own) == pytest.approx(float(other), abs=2e-5)


def network(loss: str) -> tuple[Structure, dict]:
    structure = Structure(
        numeric=2, continuous=2, cardinalities=(), outputs=1, loss=loss, widths=(8,), numeric_embedding="none", batch_size=32
    )
    return structure, {**resolve(structure), "dropout.rate": 0.0}


def test_the_loss_of_a_batch_is_that_of_repeated_rows():
    structure, settings = network("squared_error")
    state = start(jnp.uint32(0), structure, settings, jnp.zeros(1))
    numeric, none = chance.normal(size=(ROWS, 2)).astype(np.float32), np.zeros((ROWS, 0), np.int32)
    repeated = np.repeat(np.arange(ROWS), WEIGHTS.astype(int))
    weighted = Rows(numeric, none, NUMBERS[0], WEIGHTS / WEIGHTS.mean())
    copies = Rows(numeric[repeated], none[repeated], NUMBERS[0][repeated])
    own, other = (
        loss_of(state.weights, state.statistics, rows, structure, settings, state.key)[0] for rows in (weighted, copies)
    )
    assert float(own) == pytest.approx(float(other), rel=1e-5)


def test_balanced_classes_weigh_the_same_with_the_rows_weights():
    structure, _ = network("binary_cross_entropy")
    classes = balance(jnp.asarray(LABELS), Structure(**{**vars(structure), "class_weights": "balanced"}), jnp.asarray(WEIGHTS))
    both = [float(classes[label]) * WEIGHTS[label == LABELS].sum() for label in (0, 1)]
    assert both[0] == pytest.approx(both[1], rel=1e-5)


def test_a_network_is_stopped_by_the_weighted_score(train_one):
    """Of validation rows that contradict each other those count that weigh: the score is 1 for one half and 0 for the other."""
    scores = [train_one(heavy) for heavy in (0, 1)]
    assert scores[0] > 0.9
    assert scores[1] < 0.1


@pytest.fixture(scope="module")
def train_one():
    from trainwell.population.budget import Budget
    from trainwell.population.cohort import Population
    from trainwell.population.devices import pool
    from trainwell.population.member import Member, Training

    structure, settings = network("binary_cross_entropy")
    numeric = chance.normal(size=(64, 2)).astype(np.float32)
    truth, none = (numeric[:, 0] > 0).astype(np.int32), np.zeros((64, 0), np.int32)
    train = Rows(numeric, none, truth, np.ones(64, np.float32))
    settings = {**settings, "adam.learning_rate": 0.02, "early_stopping.patience": 100.0}

    def trained(heavy: int) -> float:
        weights = np.where(np.arange(64) % 2 == heavy, 1.99, 0.01).astype(np.float32)
        validation = Rows(numeric, none, np.where(np.arange(64) % 2 == 0, truth, 1 - truth), weights)
        population = Population(Data(train, validation), "binary", "accuracy", np.zeros(1, np.float32), 0, pool(1), 1, False)
        (one,) = population.train([Training(Member(0, structure, settings, "tune"))], 30, 30, Budget())
        return one.curves.validation_score[-1]

    return trained


def test_the_ensemble_is_chosen_by_what_rows_weigh():
    target = np.arange(40) % 2
    right, wrong = (np.where(target == side, 0.9, 0.1) for side in (1, 0))
    first = np.arange(40) < 20
    predictions = np.stack([np.where(first, right, wrong), np.where(first, wrong, right)])[:, :, None].astype(np.float32)
    for best in (0, 1):
        weights = np.where(first == (best == 0), 1.9, 0.1).astype(np.float32)
        ranks = np.array([float(METRICS["accuracy"].criterion(one, target, weights)) for one in predictions])
        assert greedy(predictions, target, ranks, "accuracy", weights) == {best: 1.0}


def test_temperature_and_threshold_of_weighted_rows_are_those_of_repeated_ones():
    repeated = np.repeat(np.arange(ROWS), WEIGHTS.astype(int))
    probability, target = SCORES[repeated], LABELS[repeated] == 1
    assert highest(SCORES, LABELS == 1, "f1", WEIGHTS) == highest(probability, target, "f1")
    own, other = confusion(SCORES, LABELS == 1, 0.5, WEIGHTS), confusion(probability, target, 0.5)
    assert [float(one) for one in own] == [float(one) for one in other]
    assert own.cost(Costs(1, 5)) == other.cost(Costs(1, 5))
    weighted = log_loss(PROBABILITIES, CLASSES, 2.0, WEIGHTS)
    assert weighted == pytest.approx(log_loss(PROBABILITIES[repeated], CLASSES[repeated], 2.0))
    sure = np.where(
        np.arange(ROWS)[:, None] % 2 == 0, np.eye(3)[CLASSES] * 0.4 + 0.2, np.eye(3)[(CLASSES + 1) % 3] * 0.97 + 0.01
    )
    believed, doubted = (fit_temperature(sure, CLASSES, np.where(np.arange(ROWS) % 2 == heavy, 2.0, 0.01)) for heavy in (0, 1))
    assert believed < 1 < doubted


def test_an_own_metric_is_given_the_weights_it_asks_for():
    def traceable(truth, guess, sample_weight=None):
        right = (guess > 0.5) == truth
        return right.mean() if sample_weight is None else (right * sample_weight).sum() / sample_weight.sum()

    def called_back(truth, guess, sample_weight=None):
        return reference.accuracy_score(truth, guess > 0.5, sample_weight=sample_weight)

    def without(truth, guess):
        return reference.accuracy_score(truth, guess > 0.5)

    plain, weighted = (float(METRICS["accuracy"].score(TWO, LABELS, weights)) for weights in (None, WEIGHTS))
    for function, expected in ((traceable, weighted), (called_back, weighted), (without, plain)):
        metric = own_metric(function, "binary", LABELS, 1)
        assert float(jax.jit(metric.score)(TWO, LABELS, WEIGHTS)) == pytest.approx(expected)
        assert float(metric.score(TWO, LABELS, WEIGHTS)) == pytest.approx(expected)
