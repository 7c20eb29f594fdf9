"""Rates that follow a schedule, and batches whose classes are balanced: what a step really works with."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small_networks import member, population, rows, structure, train
from trainwell.network.forward import forward, mixed_share
from trainwell.network.structure import resolve
from trainwell.population.step import balance, loss_of, row_losses, scheduled, start
from trainwell.techniques.regularizers import mixup


def at_step(own, number, total, **chosen):
    settings = resolve(own, {name.replace("__", "."): value for name, value in chosen.items()})
    state = start(jnp.uint32(0), own, settings, np.zeros(1, np.float32))._replace(step=jnp.int32(number))
    return scheduled(state, own, settings, total)


@pytest.mark.parametrize(("number", "half_wave"), [(0, 1.0), (50, 0.5), (100, 0.0)])
def test_dropout_decay_and_rate_each_follow_their_own_schedule(number, half_wave):
    own = structure(schedule="step", dropout_schedule="cosine", decay_schedule="exponential")
    now, factor = at_step(own, number, 100, dropout__rate=0.4, weight_decay__rate=0.1, decay_schedule__final=0.01)
    assert float(now["dropout.rate"]) == pytest.approx(0.4 * half_wave, abs=1e-6)
    assert float(now["weight_decay.rate"]) == pytest.approx(0.1 * 0.01 ** (number / 100), rel=1e-4)
    assert float(factor) == pytest.approx(0.5 ** (number // 25))


def test_rates_without_a_schedule_stay_as_they_are_and_cost_nothing():
    now, _ = at_step(structure(), 70, 100, dropout__rate=0.4, weight_decay__rate=0.1)
    assert (now["dropout.rate"], now["weight_decay.rate"]) == (0.4, 0.1)  # plain numbers still: nothing was computed


def test_balanced_classes_weigh_the_same_however_rare_one_is():
    target = np.array([0] * 90 + [1] * 9 + [2], np.int32)
    own = structure("multiclass", class_weights="balanced")
    weights = np.asarray(balance(target, own))
    np.testing.assert_allclose(weights * np.bincount(target), 100 / 3, rtol=1e-6)
    np.testing.assert_allclose(balance(target[:90], own), [1 / 3, 0, 0], rtol=1e-6)  # where two classes are absent
    assert balance(target, structure("multiclass")) is None


def test_balancing_makes_a_rare_class_heard():
    chance = np.random.default_rng(0)
    data = rows()
    rare = np.where(chance.random(96) < 0.7, 0, data.target).astype(np.int32)
    plain, balanced = structure(), structure(class_weights="balanced")
    usual, shares = population(), []
    for own in (plain, balanced):
        of = replace(usual, data=usual.data._replace(train=data._replace(target=rare)))
        trainings = train([member(0, own, adam__learning_rate=0.02)], 6, of=of)
        shares.append(of.predict(trainings, data.numeric, data.categories).mean())
    assert shares[0] < rare.mean() + 0.1 < 0.35 < shares[1]


def test_mixup_shares_the_loss_between_two_rows_and_is_nothing_at_strength_0():
    own, data = structure(mixup=True, dropout="none"), rows(number=32)
    settings = resolve(own)
    state = start(jnp.uint32(0), own, settings, np.zeros(1, np.float32))
    weights = state.weights | {"output.weight": jnp.ones_like(state.weights["output.weight"])}
    losses = [
        float(loss_of(weights, {}, data, network, {**settings, "mixup.strength": strength}, jnp.uint32(3))[0])
        for network, strength in ((structure(dropout="none"), 0.0), (own, 0.0), (own, 1.0))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[2] != pytest.approx(losses[1], rel=1e-3)


def test_mixup_mixes_inputs_and_losses_with_the_same_share_and_the_same_partner():
    """Of a network without hidden units the outputs of mixed rows are mixed outputs."""
    plain, own = (structure(widths=(), dropout="none", mixup=mixed) for mixed in (False, True))
    settings, data, key = {**resolve(own), "mixup.strength": 1.0}, rows(number=32), jnp.uint32(3)
    weights = start(jnp.uint32(0), own, settings, np.zeros(1, np.float32)).weights
    weights = weights | {"output.weight": jax.random.normal(jax.random.key(1), weights["output.weight"].shape)}
    outputs = forward(weights, {}, data.numeric, data.categories, plain, settings)[0]
    share = float(mixed_share(key, settings))
    together = share * outputs + (1 - share) * mixup.partner(outputs)
    own_losses, others = (row_losses(together, y, plain, settings, None) for y in (data.target, mixup.partner(data.target)))
    expected = (share * own_losses + (1 - share) * others).mean()
    assert 0.05 < share < 0.95
    assert abs(share - 0.5) > 0.05
    assert float(loss_of(weights, {}, data, own, settings, key)[0]) == pytest.approx(float(expected), rel=1e-5)
