"""Every choice of every option trains, and every number of a member acts on that member.

A network takes many choices at once, so a dozen mixed networks hold them all. The members of each start from the same weights
and differ in one number each.
"""

from functools import cache
from itertools import cycle, islice

import jax
import numpy as np
import optax
import pytest

from small_networks import TASKS, member, rows, structure, train
from trainwell.network.structure import CHOICES, NOISES, Structure, hyperparameters_of
from trainwell.population import epoch as programs
from trainwell.population.epoch import Data
from trainwell.population.metrics import metric_named
from trainwell.population.step import Rows, first_rows
from trainwell.techniques.losses import LOSSES

EPOCHS, STEPS = 16, 6
MEASURE = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}  # which improve by little and often
MIXED = 13
BASE = {  # where the middle of the searched range would leave a number without effect, or hinder the network from learning
    "max_norm.limit": (0.9, 0.6),
    "clip_by_global_norm.limit": (0.1, 0.01),
    "clip_by_value.limit": (0.02, 0.002),
    "early_stopping.patience": (100, 1),
    "early_stopping.min_delta": (1e3, 0.0),
    "reduce_on_plateau.patience": (0, 3),
    "reduce_on_plateau.min_delta": (1e3, 0.0),
    "reduce_on_plateau.floor": (0.1, 0.9),
    "weight_decay.rate": (0.0003, 0.1),
    "gradient_noise.scale": (1e-4, 1e-2),
    "mixup.strength": (0.2, 0.4),
    "lsuv.tolerance": (1.0, 1e-3),
}
RATE = dict.fromkeys(("gradient_descent", "momentum", "classical_momentum", "nesterov"), 0.5) | {"rmsprop": 0.01}


def two_values(name: str, declared) -> tuple[float, float]:
    """(value of every member, the other value of the one member that differs)."""
    if name in BASE:
        return BASE[name]
    if name.endswith(".learning_rate"):
        rate = RATE.get(name.split(".")[0], 0.02)
        return rate, rate / 2
    if name.endswith("epsilon"):
        return declared.default, declared.high
    if name.endswith("noise.standard_deviation"):
        return 0.05, 0.1
    return declared.at(0.4), declared.at(0.8)


def network(place: int) -> tuple[str, Structure]:
    """(task, the network that takes each choice's option of that place, beginning again where it has fewer)."""
    task = list(TASKS)[place % 3]
    losses = [name for name, loss in LOSSES.items() if task in loss.tasks]
    chosen: dict = {name: choice.options[place % len(choice.options)] for name, choice in CHOICES.items()}
    chosen |= {"loss": losses[place // 3 % len(losses)], "noises": tuple(islice(cycle(NOISES), place, place + place % 2 + 1))}
    chosen |= {"mixup": place == 5, "max_norm": place % 4 == 2}
    chosen["batch_norm"] = ("none", "before", "after")[(place + 1) % 3]  # not together with a first pass row by row
    chosen["batch_norm_test"] = ("population", "moving_average", "population_with_dropout")[place // 3 % 3]
    if chosen["batch_norm"] != "none" and chosen["batch_norm_test"] == "moving_average":
        chosen["weight_averaging"] = "none"
    chosen["class_weights"] = "balanced" if task == "binary" else "none"
    chosen["decay"] = "none" if place == 9 else ("decoupled", "l2", "l1")[place % 3]
    if chosen["optimizer"] == "adamw":
        chosen["decay"] = "decoupled"
    chosen["dropout"] = {10: "none", 12: "course"}.get(place, "inverted")
    if chosen["dropout"] == "course":
        chosen["dropout_schedule"] = "constant"
    if chosen["initializer"] in ("zeros", "constant"):
        chosen["weight_norm"] = "none"
    if chosen["first_pass"] != "none":
        chosen["widths"] = (8, 8)  # two layers to be balanced
    return task, structure(task, **chosen)


NETWORKS = [network(place) for place in range(MIXED)]


@cache
def trained(place: int):
    """(names of the settings, states (K, ...), record (epochs, K)): the first two alike, each other with one number changed."""
    task, own = NETWORKS[place]
    declared = hyperparameters_of(own)
    values = {name: two_values(name, hyperparameter) for name, hyperparameter in declared.items()}
    number = len(values) + 2
    settings = {name: np.full(number, base, np.float32) for name, (base, _) in values.items()}
    for place_of, (name, (_, other)) in enumerate(values.items(), start=2):
        settings[name][place_of] = other
    data = Data(rows(task), rows(task, 64, seed=1))
    prior = np.zeros(own.outputs, np.float32)
    batch = Rows(*(x[:64] for x in data.train[:3])) if first_rows(own) else None
    states = programs.starter(own)(np.full(number, 7, np.uint32), settings, prior, batch)
    orders = np.stack([np.random.default_rng(e).permutation(96).reshape(STEPS, 16) for e in range(EPOCHS)]).astype(np.int32)
    trainer, numbers = programs.trainer(own, metric_named(MEASURE[task]), task), (np.int32(EPOCHS), np.float32(EPOCHS * STEPS))
    states, call = trainer(states, settings, data, orders, *numbers)
    return list(values), jax.tree.map(np.asarray, states), jax.tree.map(np.asarray, call.record)


def of_member(tree, place: int):
    return [leaf[place] for leaf in jax.tree.leaves(tree)]


def test_the_mixed_networks_hold_every_choice():
    held = {(name, getattr(own, name)) for _, own in NETWORKS for name in CHOICES}
    wanted = {(name, option) for name, choice in CHOICES.items() for option in choice.options}
    assert wanted - held == {("optimizer", "adamw")}  # which is adam with decoupled decay
    assert {own.loss for _, own in NETWORKS} == set(LOSSES)
    assert {noise for _, own in NETWORKS for noise in own.noises} == set(NOISES)
    assert {(own.mixup, own.max_norm) for _, own in NETWORKS} >= {(True, False), (False, True), (False, False)}


@pytest.mark.parametrize("place", range(MIXED))
def test_a_mixed_network_learns(place):
    _, states, record = trained(place)
    losses = record.validation_loss[:, 0]
    assert not states.failed[:2].any()
    if NETWORKS[place][1].initializer == "zeros":  # all units stay alike but for the noise: little more than the bias learns
        assert losses.min() > 0.9 * losses[0]
    else:
        assert losses.min() < 0.95 * losses[0]


@pytest.mark.parametrize("place", range(MIXED))
def test_members_alike_in_every_number_come_out_alike(place):
    _, states, record = trained(place)
    for tree in (states, [np.swapaxes(x, 0, 1) for x in record]):
        for one, other in zip(of_member(tree, 0), of_member(tree, 1), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("place", range(MIXED))
def test_each_number_of_a_member_acts(place):
    names, states, _ = trained(place)
    first = of_member(states, 0)

    def acts(place_of: int) -> bool:
        return not all(np.array_equal(a, b) for a, b in zip(first, of_member(states, place_of), strict=True))

    without_effect = [name for place_of, name in enumerate(names, start=2) if not acts(place_of)]
    if NETWORKS[place][1].initializer == "zeros":
        assert set(without_effect) <= {"lsuv.tolerance", "early_stopping.min_delta", "max_norm.limit"}
    else:
        assert without_effect == []


def test_any_optax_transformation_trains_a_network():
    own = structure(optimizer=optax.chain(optax.clip(1.0), optax.lion(3e-3)), max_norm=True)
    assert own.decay == "none"  # it brings its own
    first, second = train([member(0, own), member(1, own, max_norm__limit=0.3)], 12)
    assert first.curves.training_loss[-1] < 0.8 * first.curves.training_loss[0]
    assert max(np.linalg.norm(second.state.weights["layer1.weight"], axis=1)) < 0.3001


def test_a_network_trains_on_all_rows_at_once_and_on_one_row_at_a_time():
    everything = train([member(0, structure(batch_size=10_000), adam__learning_rate=0.05, early_stopping__patience=99)], 20)[0]
    assert int(everything.state.step) == everything.epochs
    one_row = train(
        [member(0, structure(batch_size=1, optimizer="gradient_descent"), gradient_descent__learning_rate=0.05)], 3
    )[0]
    assert int(one_row.state.step) == 96 * 3
    for training in (everything, one_row):
        assert training.curves.training_loss[-1] < 0.9 * training.curves.training_loss[0]


def test_a_population_rescales_first_weights_on_its_own_training_rows():
    own = structure(first_pass="lsuv", dropout="none")
    rates = {"adam__learning_rate": 1e-6, "lsuv__tolerance": 0.01}
    data = rows()
    for training in train([member(number, own, **rates) for number in range(3)], 1):
        weights = training.state.weights
        x = np.hstack([data.numeric, weights["category0.embedding"][data.categories[:, 0]]])
        assert (x @ weights["layer1.weight"].T + weights["layer1.bias"]).var() == pytest.approx(1, abs=0.02)
