"""A user's own metric: what it is given, that it drives the training whether JAX can trace it or not, and what is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as reference

from small_networks import member, population, structure, train
from trainwell.errors import InputError
from trainwell.population.metrics import METRICS, Metric
from trainwell.population.own_metric import calls_back, own_metric, seconds_of
from trainwell.search.ensemble import PICKS, greedy

HALVES = np.array([0, 1] * 20)


def brier(truth, prediction):
    return ((truth - prediction) ** 2).mean()


def brier_of_numpy(truth, prediction):
    assert prediction.dtype == np.float64
    return float(np.mean((np.asarray(truth) - np.asarray(prediction)) ** 2))


def of_scikit_learn(truth, prediction):
    return reference.roc_auc_score(truth, prediction)


def made(function, task="binary", target=HALVES, outputs=1, **more) -> Metric:
    return own_metric(function, task, target, outputs, **more)


def test_what_jax_can_trace_is_traced_and_anything_else_is_called_back():
    assert not calls_back(made(brier))
    assert calls_back(made(brier_of_numpy))
    assert calls_back(made(of_scikit_learn))
    assert not calls_back(METRICS["auc"])


@pytest.mark.parametrize("function", [brier, brier_of_numpy])
def test_less_is_better_where_it_is_said_so_and_people_see_the_function_s_own_number(function):
    metric = made(function, smaller_is_better=True)
    predictions = np.full((40, 1), 0.5, np.float32)
    assert float(metric.score(predictions, HALVES)) == pytest.approx(-0.25)
    assert metric.shown(metric.score(predictions, HALVES)) == pytest.approx(0.25)
    assert metric.label == function.__name__.replace("_", " ") + " (less is better)"
    assert float(made(function).score(predictions, HALVES)) == pytest.approx(0.25)


def test_the_function_is_given_what_scikit_learn_s_metrics_take():
    seen = {}

    def look(truth, prediction):
        seen["shapes"] = truth.shape, prediction.shape
        return float(np.max(prediction))

    made(look)
    assert seen["shapes"] == ((40,), (40,))
    made(look, "multiclass", np.arange(40) % 3, 3)
    assert seen["shapes"] == ((40,), (40, 3))
    scaled = np.linspace(-1, 1, 40).astype(np.float32)
    metric = made(look, "regression", scaled, mean=100.0, scale=20.0)
    assert seen["shapes"] == ((40,), (40,))
    assert float(metric.score(scaled[:, None], scaled)) == pytest.approx(120)  # in the target's own unit


def test_in_a_compiled_program_both_kinds_give_what_they_give_outside():
    chance = np.random.default_rng(0)
    networks = chance.random((3, 40, 1)).astype(np.float32)
    for function in (brier, brier_of_numpy):
        metric = made(function)
        inside = jax.jit(jax.vmap(lambda one, metric=metric: metric.criterion(one, jnp.asarray(HALVES))))(networks)
        np.testing.assert_allclose(inside, [brier(HALVES, one[:, 0]) for one in networks], rtol=1e-5)


@pytest.mark.parametrize("cores", [1, 2])
def test_a_population_trains_on_any_number_of_cores_by_a_function_of_scikit_learn_as_by_the_metric_itself(cores):
    members = [member(number, structure(widths=(8,) if number % 2 else (4,))) for number in range(6)]
    own = train(members, of=population(metric=made(of_scikit_learn), cores=cores))
    named = train(members, of=population(metric="auc", cores=cores))
    for one, other in zip(own, named, strict=True):
        np.testing.assert_allclose(one.curves.validation_score, other.curves.validation_score, atol=1e-5)


def test_an_error_in_the_function_while_networks_train_is_one_sentence():
    calls = []

    def breaks_later(truth, prediction):
        calls.append(1)
        return 1 / (4 - len(calls)) + float(prediction[0])

    metric = made(breaks_later)
    with pytest.raises(InputError) as refused:
        train([member(0, structure())], of=population(metric=metric))
    assert str(refused.value) == "The metric 'breaks_later' failed with ZeroDivisionError: division by zero."


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda truth, prediction: truth[100], "failed with IndexError: index 100 is out of bounds for axis 0 with size 40."),
        (lambda truth: 1.0, "failed with TypeError: "),
        (lambda truth, prediction: prediction, "gave a value of type ndarray; it must give one number."),
        (lambda truth, prediction: "good", "gave a value of type str; it must give one number."),
        (lambda truth, prediction: None, "gave a value of type NoneType; it must give one number."),
        (lambda truth, prediction: float("nan"), "gave nan for made-up predictions; it must give a number."),
    ],
)
def test_a_function_that_cannot_measure_is_refused_before_anything_trains(function, said):
    with pytest.raises(InputError) as refused:
        made(function)
    assert str(refused.value).startswith(f"The metric '<lambda>' {said}")
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_a_slow_function_makes_calls_of_the_program_short_so_that_the_clock_is_looked_at():
    network, own = structure(), made(brier_of_numpy)
    quick, slow = (own._replace(score=dataclasses.replace(own.score, seconds_per_row=seconds)) for seconds in (1e-6, 0.01))
    assert seconds_of(own, 40) > 0
    assert seconds_of(slow, 100) == pytest.approx(1.0)
    assert seconds_of(METRICS["auc"], 100) == seconds_of(made(brier), 100) == 0.0
    usual = population().epochs_per_call(network)
    assert population(metric=quick).epochs_per_call(network) == usual > 1
    assert population(metric=slow).epochs_per_call(network) == 1


def test_of_a_network_that_diverged_the_function_is_not_asked_and_the_others_go_on():
    metric = made(of_scikit_learn)
    assert np.isnan(metric.score(np.full((40, 1), np.nan, np.float32), HALVES))
    own = structure(optimizer="gradient_descent")
    tame, wild = (member(number, own, gradient_descent__learning_rate=0.1) for number in (0, 1))
    wild.member.settings["gradient_descent.learning_rate"] = 1e30
    sound, broken = train([tame, wild], 3, of=population(metric=metric))
    assert (sound.failed, broken.failed) == (False, True)
    assert 0 < sound.score < 1


def test_a_second_fit_hears_of_its_own_failure_though_it_shares_the_program():
    fails = []

    def breaks_in_the_second(truth, prediction):
        if fails:
            raise ZeroDivisionError("division by zero")
        return float(np.mean(prediction))

    network = structure()
    train([member(0, network)], 2, of=population(metric=made(breaks_in_the_second)))
    second = population(metric=made(breaks_in_the_second))
    fails.append(True)
    with pytest.raises(InputError, match="'breaks_in_the_second' failed with ZeroDivisionError: division by zero"):
        train([member(0, network)], 2, of=second)


def test_an_ensemble_asks_the_function_no_more_often_than_it_looks_at_members():
    asked = []

    def counting(truth, prediction):
        asked.append(1)
        return -float(np.mean((truth - prediction) ** 2))

    metric, chance = made(counting), np.random.default_rng(3)
    predictions = chance.uniform(size=(20, 40, 1)).astype(np.float32)
    ranks = np.array([float(metric.score(one, HALVES)) for one in predictions])
    asked.clear()
    greedy(predictions, HALVES, ranks, metric, most=4)
    assert len(asked) <= PICKS * (4 + 1)


def test_the_function_is_asked_once_for_each_network_and_epoch():
    asked = []

    def counting(truth, prediction):
        asked.append(len(truth))
        return float(np.mean((truth - prediction) ** 2))

    metric = made(counting)
    asked.clear()
    train([member(0, structure())], 3, of=dataclasses.replace(population(metric=metric), members=1))
    assert len(asked) == 3


def test_the_ensemble_is_chosen_by_the_function():
    chance = np.random.default_rng(3)
    predictions = np.clip(HALVES + chance.normal(0, 0.4, (6, 40)), 0.01, 0.99)[:, :, None].astype(np.float32)
    for function in (brier, brier_of_numpy):
        metric = made(function, smaller_is_better=True)
        scores = np.array([float(metric.score(one, HALVES)) for one in predictions])
        shares = greedy(predictions, HALVES, scores, metric)
        average = sum(share * predictions[place] for place, share in shares.items())
        assert float(metric.score(average, HALVES)) >= scores.max()


def test_a_function_named_like_a_loss_of_which_more_is_better_is_not_taken_for_the_loss():
    def mae(truth, prediction):
        return -np.abs(truth - prediction).mean()

    assert made(mae).label == "own mae"
    assert made(mae, smaller_is_better=True).label == "mae (less is better)"


def test_the_same_function_makes_the_same_metric_so_that_nothing_is_compiled_twice():
    assert made(brier) == made(brier)
    assert hash(made(brier)) == hash(made(brier))
    assert made(brier) != made(brier, smaller_is_better=True)
