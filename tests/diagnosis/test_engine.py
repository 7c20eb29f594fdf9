"""The same rules on our own engine: what a training tells, which faults are found, and that a healthy one is left alone."""

import dataclasses

import numpy as np
import pytest

from small_networks import METRICS, member, population, structure, train
from trainwell.diagnosis.engine.adaptor import diagnosed, signals_of
from trainwell.diagnosis.engine.known import WORST, Known
from trainwell.diagnosis.engine.reruns import CHANGES, examined
from trainwell.population.history import Curves
from trainwell.population.member import Training

EPOCHS = 12


def known(task: str = "regression", simple: float = 0.95) -> Known:
    target = np.asarray(population(task).data.train.target)
    return Known(task, METRICS[task], len(target), float(target.var()), 0.0, {"mean": 0.0, "linear": simple})


def trained(network=None, **settings) -> Training:
    network = network or structure("regression")
    return train([member(1, network, **settings)], EPOCHS, of=population("regression"))[0]


def problems(findings) -> list[str]:
    return [finding.cause for finding in findings if finding.severity == "problem"]


@pytest.fixture(scope="module")
def healthy() -> Training:
    return trained(adam__learning_rate=0.03)


@pytest.fixture(scope="module")
def diverged() -> Training:
    network = structure("regression", optimizer="gradient_descent", decay="none", activation="relu")
    return trained(network, gradient_descent__learning_rate=10.0)


def test_a_training_is_read_layer_by_layer_and_against_simple_models(healthy):
    signals = signals_of(healthy, known())
    assert list(signals.layers) == ["layer1", "output"]
    assert len(signals.layers["layer1"].gradient_norm) == len(healthy.curves.signals) > 0
    assert signals.curves.train == list(healthy.curves.training_loss)
    assert signals.number("score") == pytest.approx(healthy.score)
    assert signals.number("simple_score") == 0.95
    assert signals.facts["learning_rates"] == [pytest.approx(0.03)]
    assert signals.number("steps") == EPOCHS * 6
    sizes = signals.layers["layer1"].weight_norm
    assert len(sizes) == len(healthy.curves.signals) + 1  # the first is that of the weights as they are drawn
    assert sizes[0] != sizes[1]


def test_a_healthy_training_has_no_problem(healthy):
    found = diagnosed(healthy, known(simple=healthy.score))
    assert [finding for finding in found if finding.severity != "note"] == []


def test_one_that_was_left_behind_on_its_way_is_not_held_against_simple_models(healthy):
    worse = dataclasses.replace(healthy, curves=dataclasses.replace(healthy.curves, validation_score=(0.1,) * EPOCHS))
    signals = signals_of(worse, known(), whole=False)
    assert "simple_score" not in signals.facts
    assert signals.not_run["comparison with simple models"] == "the search left it behind on its way"
    assert problems(diagnosed(worse, known(), whole=False)) == []


def test_a_training_that_left_the_finite_numbers_had_too_high_a_rate(diverged):
    assert diverged.failed
    first = diagnosed(diverged, known(), whole=False)[0]
    assert (first.cause, first.severity) == ("lr-too-high", "problem")
    assert first.says.startswith("the loss was no longer a finite number in epoch 1, at a learning rate of 10")
    assert first.remedies[0].times == 0.1


@pytest.mark.parametrize("widths", [(16,), (16, 16, 16)])
def test_a_network_that_stands_still_needs_a_higher_rate(widths):
    assert (
        problems(diagnosed(trained(structure("regression", widths=widths), adam__learning_rate=1e-6), known()))[0]
        == "lr-too-low"
    )


def test_weights_that_begin_the_same_are_told_by_drawing_them_again():
    fault = trained(structure("regression", initializer="zeros"), adam__learning_rate=0.03)
    first = diagnosed(fault, known())[0]
    assert (first.cause, first.layer, first.measured) == ("zero-or-constant-init", "layer1", 1.0)


def test_clipping_is_held_against_the_gradient_that_was_measured():
    network = structure("regression", clip="global_norm", optimizer="momentum", decay="none")
    fault = trained(network, clip_by_global_norm__limit=1e-5)
    assert problems(diagnosed(fault, known()))[0] == "gradient-clip-too-tight"


@pytest.mark.parametrize(
    ("network", "settings", "cause"),
    [
        ({"initializer": "zeros"}, {"adam__learning_rate": 0.03}, "zero-or-constant-init"),
        ({}, {"dropout__rate": 0.9, "adam__learning_rate": 0.03}, "dropout-too-high"),
    ],
)
def test_a_fault_that_costs_no_score_is_a_warning(network, settings, cause):
    fault = trained(structure("regression", **network), **settings)
    found = diagnosed(fault, known(simple=0.0))
    assert problems(found) == []
    assert cause in [finding.cause for finding in found if finding.severity == "warning"]


def test_a_re_run_proves_the_cause_and_says_by_how_much():
    fault = trained(adam__learning_rate=3e-4)
    findings, signals = examined(fault, population("regression"), known(), epochs=EPOCHS)
    assert problems(findings)[0] == "lr-too-low"
    assert findings[0].remedies[0].proven
    assert {"control", "rate_tenfold", "rate_hundredfold"} <= set(signals.trials)
    assert signals.trials["rate_hundredfold"].score > signals.number("score")


def test_a_re_run_that_does_not_apply_is_named_and_not_made():
    highest = member(1, structure(), adam__learning_rate=1.0).member
    assert CHANGES["rate_tenfold"](highest) is None
    assert CHANGES["adam"](highest) is None
    assert CHANGES["no_dropout"](highest) is None
    assert CHANGES["rate_tenth"](highest).settings["adam.learning_rate"] == pytest.approx(0.1)


def test_what_never_trained_tells_nothing():
    never = Training(member(1, structure()).member, curves=Curves())
    assert signals_of(never, known()).not_run == {"everything": "the network never began to train"}
    assert diagnosed(never, known()) == []


@pytest.mark.parametrize(
    ("metric", "constant", "value", "expected"),
    [("auc", 0.5, 0.75, 0.5), ("accuracy", 0.6, 0.8, 0.5), ("rmse", -2.0, -1.0, 0.5), ("r2", 0.0, -np.inf, WORST)],
)
def test_every_metric_is_read_from_what_ignores_the_inputs_to_what_is_perfect(metric, constant, value, expected):
    assert Known("binary", metric, 10, 0.7, constant).score(value) == pytest.approx(expected)
