"""Networks that share their matrices: each is a plain network, each learns, and nobody's numbers hang on who trains beside."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from small_networks import TASKS, bits, member, numbered, population, rows, structure, train
from trainwell.inference.architecture import Architecture
from trainwell.inference.ensemble import average
from trainwell.inference.folded import apart
from trainwell.network.dense import Mode
from trainwell.network.forward import decays, forward
from trainwell.population import memory
from trainwell.population.cohort import together
from trainwell.population.step import loss_of, row_losses

NETWORKS = 3
FAST = {"adam__learning_rate": 0.05, "early_stopping__patience": 100}


def plain(trained):
    own = trained.member
    return apart(Architecture.of(own.structure.to_json(), own.settings), trained.state.best_weights, {})


@pytest.mark.parametrize("task", TASKS)
def test_it_learns_and_predicts_the_mean_of_its_plain_networks(task):
    of = population(task)
    (one,) = train([member(0, structure(task, adapters=NETWORKS), **FAST)], 24, of=of)
    held = rows(task, 64, seed=1)
    predicted = of.predict([one], held.numeric, held.categories)[0]
    networks = plain(one)
    each = [average([own], [1.0], task, held.numeric, held.categories) for own in networks]
    assert len(each) == NETWORKS
    np.testing.assert_allclose(predicted, np.mean(each, axis=0), rtol=2e-4, atol=2e-5)
    assert np.std(each, axis=0).mean() > 1e-3, "networks that are all the same are one"
    assert one.score > 0.8


def test_the_loss_is_the_mean_of_the_networks_losses():
    own, table = structure(adapters=NETWORKS, dropout="none"), rows()
    one = train([member(0, own)], 2)[0]
    whole, _ = loss_of(one.state.best_weights, {}, table, own, one.member.settings, jnp.uint32(0))
    alone, losses = replace(own, adapters=0), []
    for network in plain(one):
        weights = dict(network.entering)
        for name, layer in zip(("layer1", "output"), network.layers, strict=True):
            weights |= {f"{name}.weight": layer.matrix, f"{name}.bias": layer.bias[:, 0]}
        outputs, _, _ = forward(weights, {}, table.numeric, table.categories, alone, one.member.settings)
        losses.append(row_losses(outputs, table.target, alone, one.member.settings, None).mean())
    assert float(whole) == pytest.approx(float(np.mean(losses)), rel=1e-5)


def test_factors_and_biases_are_each_networks_own_and_do_not_decay():
    own = structure(adapters=NETWORKS)
    (one,) = train([member(0, own, **FAST)], 4)
    weights = one.state.weights
    assert weights["layer1.weight"].shape == (8, own.entering)
    assert weights["layer1.bias"].shape == weights["layer1.leaving_scale"].shape == (8, NETWORKS)
    assert weights["output.weight"].shape == (NETWORKS, 1, 8)
    decaying = {name for name in weights if decays(name, weights)}
    assert decaying == {"layer1.weight", "output.weight"}
    assert (np.ptp(weights["layer1.leaving_scale"], axis=1) > 0).any()


def test_noise_in_the_weights_reaches_both_layers():
    own = structure(adapters=NETWORKS, noises=("weight",), dropout="none")
    one = train([member(0, own, **FAST)], 4)[0]
    table, settings = rows(), one.member.settings
    loud = {**settings, "weight_noise.standard_deviation": 0.5}
    for silent in ("layer1.weight", "output.weight"):
        weights = one.state.best_weights | {silent: jnp.zeros_like(one.state.best_weights[silent])}
        quiet, noisy = (
            forward(weights, {}, table.numeric, table.categories, own, settings, mode)[0]
            for settings, mode in ((settings, Mode()), (loud, Mode(training=True, key=jnp.uint32(1))))
        )
        assert float(jnp.abs(quiet - noisy).max()) > 0.05


def test_a_member_s_bits_do_not_depend_on_its_neighbours():
    own = structure(adapters=NETWORKS, mixup=True, noises=("input", "gradient"), max_norm=True, clip="global_norm")
    of = population()
    alone = train([member(5, own, adam__learning_rate=0.02)], 6, of=of)[0]
    beside = train([member(4, own), member(5, own, adam__learning_rate=0.02), member(6, own)], 6, of=of)[1]
    assert bits(numbered(alone, 5)) == bits(beside)


def test_what_it_costs_counts_every_network():
    one, several = (structure(widths=(64, 64), batch_size=256, adapters=number) for number in (0, 8))
    rows_of_one = 8 * one.batch_size * (one.entering + 128 + 1)
    difference = memory.step_bytes(several) - memory.step_bytes(one)
    assert difference == pytest.approx(7 * rows_of_one, rel=0.05)
    assert together(several) < together(one)
