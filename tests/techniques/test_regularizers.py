"""Each regularizer does what its equation says, for each member by its own numbers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.optim import swa_utils

from trainwell.techniques.optimizers import adam, gradient_descent
from trainwell.techniques.regularizers import (
    adapters,
    early_stopping,
    label_smoothing,
    max_norm,
    mixup,
    noise,
    weight_averaging,
    weight_decay,
)

NUMBERS = np.random.default_rng(31)
WEIGHT, GRADIENT = NUMBERS.normal(size=(4, 3)), NUMBERS.normal(size=(4, 3))
RATES = [0.0, 0.01, 0.9]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_the_gradient_of_a_penalty_is_the_one_that_is_added(kind):
    penalty, gradient = getattr(weight_decay, f"{kind}_penalty"), getattr(weight_decay, f"{kind}_gradient")
    for_members = jax.vmap(gradient, in_axes=(None, None, 0))(jnp.asarray(GRADIENT), jnp.asarray(WEIGHT), jnp.array(RATES))
    for ours, rate in zip(for_members, RATES, strict=True):
        np.testing.assert_allclose(ours, GRADIENT + jax.grad(penalty)(jnp.asarray(WEIGHT), rate), rtol=1e-12)


@pytest.mark.usefixtures("float64")
def test_the_l2_penalty_equals_pytorchs_weight_decay():
    for rate in RATES:
        weight = torch.nn.Parameter(torch.tensor(WEIGHT))
        weight.grad = torch.tensor(GRADIENT)
        torch.optim.SGD([weight], lr=0.1, weight_decay=rate).step()
        decayed = weight_decay.l2_gradient(jnp.asarray(GRADIENT), jnp.asarray(WEIGHT), rate)
        np.testing.assert_allclose(WEIGHT - 0.1 * decayed, weight.detach(), rtol=1e-12)


def two_ways(update, state, **settings):
    """The weight after ten steps with L2 in the gradient, and with decoupled decay of the same strength."""
    coupled = decoupled = jnp.asarray(WEIGHT)
    coupled_state = decoupled_state = state
    for step in range(1, 11):
        gradient = weight_decay.l2_gradient(jnp.cos(step * coupled), coupled, 0.1)
        change, coupled_state = update(gradient, coupled_state, step, **settings)
        coupled = coupled + change
        change, decoupled_state = update(jnp.cos(step * decoupled), decoupled_state, step, **settings)
        decoupled = weight_decay.decoupled(decoupled, settings["learning_rate"], 0.1) + change
    return coupled, decoupled


@pytest.mark.usefixtures("float64")
def test_decoupled_decay_equals_l2_for_gradient_descent_but_not_for_adam():
    plain = two_ways(gradient_descent.update, gradient_descent.NoState(), learning_rate=0.1)
    np.testing.assert_allclose(*plain, rtol=1e-12)
    settings = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    coupled, decoupled = two_ways(adam.update, adam.init(jnp.asarray(WEIGHT)), **settings)
    assert float(jnp.abs(coupled - decoupled).max()) > 0.01


@pytest.mark.usefixtures("float64")
def test_decoupled_decay_before_adams_step_is_pytorchs_adamw():
    weight, moments = jnp.asarray(WEIGHT), adam.init(jnp.asarray(WEIGHT))
    reference = torch.nn.Parameter(torch.tensor(WEIGHT))
    optimizer = torch.optim.AdamW([reference], lr=0.05, weight_decay=0.3)
    for step in range(1, 51):
        gradient = np.cos(step * np.asarray(weight))
        reference.grad = torch.tensor(gradient)
        optimizer.step()
        change, moments = adam.update(
            jnp.asarray(gradient), moments, step, learning_rate=0.05, beta1=0.9, beta2=0.999, epsilon=1e-8
        )
        weight = weight_decay.decoupled(weight, 0.05, 0.3) + change
    np.testing.assert_allclose(weight, reference.detach(), rtol=1e-10)


def test_biases_normalizations_and_embeddings_are_exempt_from_decay():
    names = ["weight", "bias", "norm_scale", "shift", "category_embedding", "output_weight"]
    assert [name for name in names if weight_decay.decays(name)] == ["weight", "output_weight"]


@pytest.mark.usefixtures("float64")
def test_max_norm_caps_long_columns_as_pytorch_does_and_leaves_short_ones():
    limits = [0.5, 1.5, 1e6]
    capped = jax.vmap(max_norm.cap, in_axes=(None, 0))(jnp.asarray(WEIGHT), jnp.array(limits))
    for ours, limit in zip(capped, limits, strict=True):
        np.testing.assert_allclose(ours, torch.renorm(torch.tensor(WEIGHT), p=2, dim=1, maxnorm=limit), rtol=1e-6)
        np.testing.assert_array_less(np.linalg.norm(ours, axis=0), limit * (1 + 1e-12))
    np.testing.assert_allclose(capped[2], WEIGHT, rtol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("shared_inputs", [True, False])
def test_each_network_of_adapters_is_a_plain_layer_as_pytorch_has_it(shared_inputs):
    chance, networks, fan_in, fan_out, count = np.random.default_rng(0), 4, 5, 3, 7
    weight, bias = chance.normal(size=(fan_out, fan_in)), chance.normal(size=(fan_out, networks))
    r, s = chance.normal(size=(fan_in, networks)), chance.normal(size=(fan_out, networks))
    x = chance.normal(size=(fan_in, 1 if shared_inputs else networks, count))
    found = adapters.layer(*map(jnp.asarray, (weight, x, r, s, bias)))
    for a in range(networks):
        plain, own = torch.tensor(weight * r[:, a] * s[:, a, None]), torch.tensor(x[:, 0 if shared_inputs else a].T)
        expected = torch.nn.functional.linear(own, plain, torch.tensor(bias[:, a]))
        np.testing.assert_allclose(found[:, a].T, expected, rtol=1e-10)


@pytest.mark.usefixtures("float64")
def test_the_heads_of_adapters_are_plain_output_layers():
    chance = np.random.default_rng(1)
    weight, x, bias = chance.normal(size=(4, 2, 5)), chance.normal(size=(5, 4, 7)), chance.normal(size=(4, 2))
    found = adapters.heads(*map(jnp.asarray, (weight, x, bias)))
    for a in range(4):
        np.testing.assert_allclose(found[:, a], weight[a] @ x[:, a] + bias[a][:, None], rtol=1e-10)


def test_the_signs_that_tell_networks_apart_are_as_often_minus_as_plus():
    signs = np.asarray(adapters.draw_signs(jax.random.key(0), 500, 8))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 4 / 4000**0.5
    assert len(np.unique(signs, axis=1).T) == 8


@pytest.mark.parametrize("spread", [0.0, 0.1, 3.0])
def test_noise_has_its_moments_and_keeps_the_type(spread):
    count = 100_000
    noisy = noise.gaussian(jnp.full(count, 2.0), jnp.uint32(1), spread)
    assert noisy.dtype == jnp.float32
    assert abs(float(noisy.mean()) - 2) <= 4 * spread / count**0.5 + 1e-6
    assert abs(float(noisy.std()) - spread) <= 4 * spread / (2 * count) ** 0.5 + 1e-6


def stopped_at(scores, patience, min_delta):
    state = early_stopping.init()
    for epoch, score in enumerate(scores, start=1):
        state = early_stopping.update(state, score, patience=patience, min_delta=min_delta)
        if state.stopped:
            return epoch, float(state.best)
    return None, float(state.best)


@pytest.mark.parametrize(
    ("scores", "patience", "min_delta", "epoch", "best"),
    [
        ([0.1, 0.2, 0.3, 0.4], 1, 0.0, None, 0.4),
        ([0.5, 0.4, 0.4, 0.9], 2, 0.0, 3, 0.5),
        ([0.5, 0.4, 0.6, 0.5, 0.5], 2, 0.0, 5, 0.6),
        ([0.5, 0.55, 0.6, 0.65], 2, 0.2, 3, 0.5),  # rises too small to count
        ([0.5, 0.5, 0.5], 2, 0.0, 3, 0.5),  # as good is no better
        ([float("nan"), float("nan")], 2, 0.0, 2, -np.inf),
        ([-5.0, float("nan"), -4.0, -4.5], 2, 0.0, None, -4.0),
    ],
)
def test_a_member_stops_after_its_patience_without_improvement(scores, patience, min_delta, epoch, best):
    reached, kept = stopped_at(scores, patience, min_delta)
    assert reached == epoch
    assert kept == pytest.approx(best)


def test_each_member_stops_at_its_own_epoch_and_stays_as_it_was():
    scores = jnp.array([[0.5, 0.4, 0.3, 0.9, 0.9], [0.1, 0.2, 0.3, 0.4, 0.5]]).T
    state = jax.vmap(lambda _: early_stopping.init())(jnp.arange(2))
    update = jax.vmap(partial(early_stopping.update, patience=2, min_delta=0.0))
    for score in scores:
        state = update(state, score)
    assert state.stopped.tolist() == [True, False]
    assert state.waited.tolist() == [2, 0]
    np.testing.assert_allclose(state.best, [0.5, 0.5])


def test_smoothed_labels_are_probabilities_with_the_amount_spread_evenly():
    smoothed = jax.vmap(lambda amount: label_smoothing.smooth(jnp.array([0, 2]), 4, amount))(jnp.array([0.0, 0.4]))
    np.testing.assert_allclose(smoothed.sum(axis=2), 1, rtol=1e-6)
    np.testing.assert_allclose(smoothed[1], [[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1]], rtol=1e-6)
    np.testing.assert_array_equal(smoothed[0], [[1, 0, 0, 0], [0, 0, 1, 0]])


@pytest.mark.parametrize("strength", [0.2, 1.0, 4.0])
def test_the_share_of_mixup_is_beta_distributed(strength):
    draw = jax.jit(jax.vmap(mixup.share, in_axes=(0, None)))  # one program for all three strengths
    shares = np.asarray(draw(jnp.arange(4000, dtype=jnp.uint32), jnp.float32(strength)))
    variance = 1 / (4 * (2 * strength + 1))
    assert abs(shares.mean() - 0.5) < 4 * (variance / 4000) ** 0.5
    fourth = ((shares - 0.5) ** 4).mean()
    assert abs(shares.var() - variance) < 4 * ((fourth - variance**2) / 4000) ** 0.5


def test_mixup_mixes_each_row_with_another_and_its_loss_likewise():
    x = jnp.array([[0.0], [1.0], [10.0]])
    np.testing.assert_allclose(mixup.mix(x, mixup.partner(x), 0.9), [[0.1], [1.9], [9.0]], rtol=1e-5)
    np.testing.assert_array_equal(mixup.mix(x, mixup.partner(x), mixup.share(jnp.uint32(0), 0.0)), x)
    targets = jnp.array([0.0, 1.0, 0.0])  # a loss that is linear in its target is the loss of the mixed target
    outputs = jnp.array([0.3, 0.5, 0.9])
    shared = mixup.mix(outputs * targets, outputs * mixup.partner(targets), 0.7)
    np.testing.assert_allclose(shared, outputs * mixup.mix(targets, mixup.partner(targets), 0.7), rtol=1e-6)


def averages_of(path, beta):
    """The average after each epoch of a path through weights (epochs, ...)."""
    state, found = weight_averaging.init({"w": jnp.asarray(path[0]) + 7}), []
    for weights in path:
        state = weight_averaging.update(state, {"w": jnp.asarray(weights)}, beta=beta)
        found.append(np.asarray(state.average["w"]))
    assert int(state.epochs) == len(path)
    return found


PATH = np.random.default_rng(3).normal(size=(12, 4, 5)).cumsum(axis=0)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("beta", "torch_average"),
    [(1.0, None), (0.5, swa_utils.get_ema_avg_fn(0.5))],  # a half is kept from the second epoch on, so no epoch is a plain mean
)
def test_averaged_weights_are_pytorchs(beta, torch_average):
    model = torch.nn.Linear(5, 4, bias=False, dtype=torch.float64)
    averaged = swa_utils.AveragedModel(model, avg_fn=torch_average)
    for weights, ours in zip(PATH, averages_of(PATH, beta), strict=True):
        with torch.no_grad():
            model.weight.copy_(torch.tensor(weights))
        averaged.update_parameters(model)
        np.testing.assert_allclose(ours, averaged.module.weight.detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_an_average_forgets_its_first_epochs_and_0_is_none():
    found = averages_of(PATH, 0.8)
    expected = PATH[0]
    for epoch, weights in enumerate(PATH, start=1):
        kept = min(0.8, (epoch - 1) / epoch)
        expected = kept * expected + (1 - kept) * weights
        np.testing.assert_allclose(found[epoch - 1], expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(averages_of(PATH, 0.0), PATH, atol=1e-12)


def test_what_no_step_moves_is_its_own_average_to_the_last_bit():
    still = np.repeat(np.random.default_rng(1).normal(size=(1, 3)).astype(np.float32), 9, axis=0)
    (first, *_), last = still, averages_of(still, 0.7)[-1]
    state = weight_averaging.update(weight_averaging.init(jnp.asarray(first)), jnp.asarray(first), beta=0.7)
    np.testing.assert_array_equal(state.average, first)
    np.testing.assert_allclose(last, first, rtol=1e-6)
