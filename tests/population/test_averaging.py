"""A member whose kept weights are a mean of its last epochs trains as ever, and is measured and kept as that mean."""

import jax
import numpy as np
import pytest

from small_networks import VALIDATION, member, population, rows, structure, train
from trainwell.population.metrics import metric_named

EPOCHS, BETA = 8, 0.6
AVERAGED = {"weight_averaging": "exponential"}
BATCH_NORM = {"batch_norm": "before", "batch_norm_test": "population", "weight_norm": "plain"}
PATIENT = {"early_stopping__patience": 100, "adam__learning_rate": 0.05}


@pytest.fixture(scope="module", params=[{}, BATCH_NORM], ids=["plain", "batch norm"])
def path(request):
    """(training after each epoch of an averaged member, the same of one whose weights are not averaged)."""
    of, found = population(metric="log_loss"), ([], [])
    for own, trained, more in zip((AVERAGED, {}), found, ({"weight_averaging__beta": BETA}, {}), strict=True):
        one = member(3, structure(**request.param, **own), **PATIENT, **more)
        for epoch in range(1, EPOCHS + 1):
            (one,) = train([one], epoch, of=of, total=EPOCHS)
            trained.append(one)
    return found


def test_the_average_is_the_mean_of_the_epochs_so_far(path):
    averaged, _ = path
    expected = averaged[0].state.weights
    for epoch, training in enumerate(averaged, start=1):
        kept = min(BETA, (epoch - 1) / epoch)
        expected = {name: kept * expected[name] + (1 - kept) * new for name, new in training.state.weights.items()}
        for name, value in training.state.averaged.average.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_the_weights_train_as_if_there_were_no_average(path):
    for averaged, alone in zip(*path, strict=True):
        for name, value in averaged.state.weights.items():
            np.testing.assert_allclose(value, alone.state.weights[name], rtol=1e-4, atol=1e-5, err_msg=name)
        assert averaged.curves.training_loss == pytest.approx(alone.curves.training_loss, rel=1e-4)
    assert averaged.curves.validation_loss != pytest.approx(alone.curves.validation_loss, rel=1e-3)


def test_what_is_measured_kept_and_predicted_with_is_the_average(path):
    averaged, _ = path
    last = averaged[-1]
    best = int(np.argmax(last.curves.validation_score))
    jax.tree.map(np.testing.assert_array_equal, last.state.best_weights, averaged[best].state.averaged.average)
    validation = rows("binary", VALIDATION, seed=1)
    predictions = population(metric="log_loss").predict([last], validation.numeric, validation.categories)[0]
    score = metric_named("log_loss").score(predictions, validation.target)
    assert float(score) == pytest.approx(last.score, rel=1e-4)


def test_a_member_that_is_let_go_keeps_no_average_beside_its_best_weights(path):
    assert path[0][-1].let_go().state.averaged is None


def test_an_average_steadies_a_member_that_jumps():
    of, jumping = population(metric="log_loss", number=48), {"adam__learning_rate": 0.3, "early_stopping__patience": 100}
    alone = train([member(number, structure(schedule="constant"), **jumping) for number in range(4)], 30, of=of)
    averaged = train([member(number, structure(schedule="constant", **AVERAGED), **jumping) for number in range(4)], 30, of=of)

    def jumps(trainings):
        return np.mean([np.abs(np.diff(one.curves.validation_loss[10:])).mean() for one in trainings])

    assert jumps(averaged) < 0.6 * jumps(alone)
