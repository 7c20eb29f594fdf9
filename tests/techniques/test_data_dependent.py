"""The initializers that look at a batch reach on a real one what they promise."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from trainwell.techniques.initializers import data_dependent as dd
from trainwell.techniques.initializers import orthogonal

WIDTHS = (30, 48, 32, 2)
BATCH = jnp.asarray(load_breast_cancer().data[:256], jnp.float32) / 100  # of scales from 1e-5 to 40: left as they are


def network(activation):
    def preactivations(layers, batch):
        found, x = [], batch
        for weight, bias in layers:
            found.append(x @ weight + bias)
            x = activation(found[-1])
        return found

    return preactivations


def orthogonal_layers(seed=0):
    keys = jax.random.split(jax.random.key(seed), len(WIDTHS) - 1)
    shapes = list(pairwise(WIDTHS))
    return [(orthogonal.draw(key, shape, gain=1.0), jnp.zeros(shape[1])) for key, shape in zip(keys, shapes, strict=True)]


@pytest.mark.parametrize("activation", [jax.nn.relu, jnp.tanh, jax.nn.gelu])
def test_lsuv_brings_every_layer_to_unit_variance_and_only_scales_it(activation):
    before, preactivations = orthogonal_layers(), network(activation)
    after = jax.jit(lambda layers: dd.lsuv(layers, BATCH, preactivations, tolerance=0.01))(before)
    for z in preactivations(after, BATCH):
        assert float(z.var()) == pytest.approx(1, abs=0.01)
    for (old, _), (new, _) in zip(before, after, strict=True):
        ratio = new / old
        np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)


def test_lsuv_gives_up_after_its_attempts_on_a_layer_that_is_the_same_for_every_row():
    after = dd.lsuv([(jnp.zeros((30, 3)), jnp.zeros(3))], BATCH, network(jnp.tanh), tolerance=0.1)
    assert bool(jnp.isfinite(after[0][0]).all())


def test_lsuv_stops_for_each_member_at_its_own_tolerance():
    scales = jnp.array([1.0, 1.2, 9.0])  # of a layer whose variance is 1, 1.44, 81
    batch = BATCH[:, :1] / BATCH[:, :1].std()

    def scaled(scale, tolerance):
        layers = [(scale.reshape(1, 1), jnp.zeros(1))]
        return dd.lsuv(layers, batch, network(jnp.tanh), tolerance=tolerance)[0][0][0, 0]

    result = jax.vmap(scaled)(scales, jnp.array([0.1, 0.5, 0.1]))
    np.testing.assert_allclose(result, [1.0, 1.2, 1.0], rtol=1e-4)  # the second was near enough for its own tolerance


@pytest.mark.parametrize("activation", [jax.nn.relu, jnp.tanh])
def test_every_unit_gets_mean_0_and_variance_1_on_the_batch(activation):
    preactivations = network(activation)
    layers = dd.unit_preactivations(orthogonal_layers(), BATCH, preactivations)
    for z in preactivations(layers, BATCH):
        np.testing.assert_allclose(z.mean(axis=0), 0, atol=2e-3)
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=2e-3)


def test_the_relative_gradients_of_a_relu_network_agree_after_balancing_and_its_outputs_stay():
    preactivations, key = network(jax.nn.relu), jax.random.key(1)
    layers = dd.unit_preactivations(orthogonal_layers(), BATCH, preactivations)
    layers[1] = (10 * layers[1][0], layers[1][1])  # one layer far too large
    balanced = dd.balance_gradients(layers, BATCH, preactivations, key, damping=1.0, rounds=5)
    before = dd.relative_gradients(layers, BATCH, preactivations, key)
    after = dd.relative_gradients(balanced, BATCH, preactivations, key)
    assert float(before.max() / before.min()) > 3
    np.testing.assert_allclose(after, after.mean(), rtol=1e-3)
    np.testing.assert_allclose(preactivations(balanced, BATCH)[-1], preactivations(layers, BATCH)[-1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("activation", [jax.nn.relu, jnp.tanh])
def test_the_whole_brings_relative_gradients_together_with_the_papers_damping(activation):
    preactivations, key = network(activation), jax.random.key(1)
    draw = jax.jit(lambda layers: dd.data_dependent(layers, BATCH, preactivations, key, damping=0.25, rounds=20))
    layers = draw(orthogonal_layers())
    ratios = dd.relative_gradients(layers, BATCH, preactivations, key)
    assert float(ratios.max() / ratios.min()) < 1.1


def test_relative_gradients_equal_the_definition_row_by_row():
    preactivations, key = network(jnp.tanh), jax.random.key(2)
    layers, rows = orthogonal_layers(), BATCH[:5]
    directions = jax.random.normal(key, (5, WIDTHS[-1]))
    squares = np.zeros(len(layers))
    for row, direction in zip(rows, directions, strict=True):
        loss = lambda layers, row=row, direction=direction: preactivations(layers, row[None])[-1][0] @ direction  # noqa: E731
        squares += [float((gradient**2).sum()) / 5 for gradient, _ in jax.grad(loss)(layers)]
    expected = np.sqrt(squares / [float((weight**2).sum()) for weight, _ in layers])
    np.testing.assert_allclose(dd.relative_gradients(layers, rows, preactivations, key), expected, rtol=1e-4)


def with_constant_units(seed=0):
    """Layers of which two units of the first see nothing: one is always 0, one always 0.7."""
    (weight, bias), *others = orthogonal_layers(seed)
    return [(weight.at[:, :2].set(0), bias.at[1].set(0.7)), *others]


def test_units_that_are_the_same_on_every_row_are_left_alone_and_the_others_are_not():
    preactivations = network(jnp.tanh)
    before = with_constant_units()
    after = dd.unit_preactivations(before, BATCH, preactivations)
    for new, old in zip(after[0], before[0], strict=True):
        np.testing.assert_array_equal(new[..., :2], old[..., :2])
    np.testing.assert_allclose(preactivations(after, BATCH)[0].std(axis=0)[2:], 1, rtol=2e-3)


def test_a_unit_that_only_rounding_moves_is_left_alone():
    rows = jnp.stack([jnp.full(256, 1e4), jnp.linspace(-1, 1, 256)], axis=1)
    layers = [(jnp.array([[1.0], [1e-4]]), jnp.zeros(1))]
    ((weight, bias),) = dd.unit_preactivations(layers, rows, network(jnp.tanh))
    np.testing.assert_array_equal(weight, layers[0][0])
    np.testing.assert_array_equal(bias, layers[0][1])


def test_lsuv_leaves_a_layer_alone_of_which_every_row_is_the_same():
    alike = jnp.full((256, 30), 1 / 3)
    layer = (orthogonal_layers()[0][0][:, :1], jnp.zeros(1))
    ((weight, _),) = dd.lsuv([layer], alike, network(jnp.tanh), tolerance=0.1)
    np.testing.assert_array_equal(weight, layer[0])


def test_layers_that_cannot_learn_are_left_out_of_the_balance():
    preactivations, key = network(jnp.tanh), jax.random.key(1)
    first, _, last = orthogonal_layers()
    layers = [first, (jnp.zeros((48, 32)), jnp.zeros(32)), last]
    after = dd.balance_gradients(layers, BATCH, preactivations, key, damping=0.25)
    for (new, _), (old, _) in zip(after, layers, strict=True):
        assert np.isfinite(new).all()
        np.testing.assert_allclose(new, old, rtol=1e-5)
