"""Batch normalization equals PyTorch's forward and backward; its statistics are exact, and the shift by dropout is removed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from trainwell.errors import InputError
from trainwell.techniques.normalizers import batch_norm, weight_norm
from trainwell.techniques.regularizers import dropout

NUMBERS = np.random.default_rng(21)
X = NUMBERS.normal(size=(16, 5)) * [1, 10, 0.1, 3, 1] + [0, 5, -3, 100, 0]
SCALE, SHIFT = NUMBERS.normal(size=5), NUMBERS.normal(size=5)
WEIGHTS = NUMBERS.normal(size=(16, 5))  # of the outputs in the loss
EPSILONS = [1e-5, 1e-3, 0.1]


@pytest.mark.usefixtures("float64")
def test_outputs_and_all_gradients_of_three_unlike_members_equal_pytorch():
    def loss(x, scale, shift, epsilon):
        y, mean, variance = batch_norm.train(x, scale, shift, epsilon=epsilon)
        return jnp.sum(jnp.sin(y) * WEIGHTS), (y, mean, variance)

    member = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)
    arguments = [jnp.asarray(array) for array in (X, SCALE, SHIFT)]
    (_, (y, mean, variance)), gradients = jax.vmap(member, in_axes=(None, None, None, 0))(*arguments, jnp.array(EPSILONS))
    for number, epsilon in enumerate(EPSILONS):
        inputs = [torch.tensor(array, requires_grad=True) for array in (X, SCALE, SHIFT)]
        expected = torch.nn.functional.batch_norm(inputs[0], None, None, inputs[1], inputs[2], training=True, eps=epsilon)
        (torch.sin(expected) * torch.tensor(WEIGHTS)).sum().backward()
        np.testing.assert_allclose(y[number], expected.detach(), rtol=1e-10, atol=1e-10)
        for ours, theirs in zip(gradients, inputs, strict=True):
            np.testing.assert_allclose(ours[number], theirs.grad, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(mean[number], X.mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(variance[number], X.var(axis=0), rtol=1e-10)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("axis", [-1, 0])
def test_the_gradient_in_closed_form_is_that_of_the_equation_through_output_mean_variance_and_epsilon(axis):
    def plain(x, scale, shift, epsilon):
        mean, variance = x.mean(axis=0), x.var(axis=0)
        return (x - mean) / jnp.sqrt(variance + epsilon) * scale + shift, mean, variance

    def ours(x, scale, shift, epsilon):
        y, mean, variance = batch_norm.train(x.T if axis == 0 else x, scale, shift, epsilon=epsilon, axis=axis)
        return (y.T if axis == 0 else y), mean, variance

    def loss(normalize, *arguments):
        y, mean, variance = normalize(*arguments)
        return jnp.sum(jnp.sin(y) * WEIGHTS) + jnp.sum(jnp.cos(mean) * SCALE) + jnp.sum(jnp.sqrt(variance) * SHIFT)

    arguments = [*(jnp.asarray(array) for array in (X, SCALE, SHIFT)), jnp.asarray(0.1)]
    expected, found = (jax.grad(lambda *a, f=f: loss(f, *a), argnums=(0, 1, 2, 3))(*arguments) for f in (plain, ours))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
    at_test = [batch_norm.test(x, *arguments[1:3], *arguments[1:3], epsilon=0.1, axis=k) for x, k in ((X, -1), (X.T, 0))]
    np.testing.assert_allclose(at_test[0] if axis else at_test[1].T, at_test[0], rtol=1e-12)


@pytest.mark.usefixtures("float64")
def test_moving_averages_and_outputs_at_test_equal_pytorch():
    layer = torch.nn.BatchNorm1d(5, eps=1e-5, momentum=0.1, dtype=torch.float64)
    mean, variance = jnp.zeros(5), jnp.ones(5)
    for start in range(0, 16, 4):
        layer(torch.tensor(X[start : start + 4]))
        batch_mean, batch_variance = batch_norm.statistics(jnp.asarray(X[start : start + 4]))
        mean = batch_norm.moving_average(mean, batch_mean, momentum=0.9)
        variance = batch_norm.moving_average(variance, batch_norm.unbiased(batch_variance, 4), momentum=0.9)
    np.testing.assert_allclose(mean, layer.running_mean, rtol=1e-10)
    np.testing.assert_allclose(variance, layer.running_var, rtol=1e-10)
    y = batch_norm.test(jnp.asarray(X), mean, variance, jnp.ones(5), jnp.zeros(5), epsilon=1e-5)
    np.testing.assert_allclose(y, layer.eval()(torch.tensor(X)).detach(), rtol=1e-10)


def test_the_learned_scale_and_shift_can_undo_it():
    x = jnp.asarray(X, jnp.float32)
    y, _, _ = batch_norm.train(x, jnp.sqrt(x.var(axis=0) + 1e-5), x.mean(axis=0), epsilon=1e-5)
    np.testing.assert_allclose(y, x, rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("float64")
def test_population_statistics_of_uneven_batches_equal_one_full_pass():
    batches = [X[:7], X[7:8], X[8:12], X[12:]]
    parts = [(batch.mean(axis=0), batch.var(axis=0), len(batch)) for batch in batches]
    mean, variance = batch_norm.population_statistics(parts)
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(variance, X.var(axis=0), rtol=1e-12)


def test_further_axes_are_pooled_with_the_rows():
    images = jnp.asarray(NUMBERS.normal(size=(2, 3, 4, 5)), jnp.float32)
    y, mean, _ = batch_norm.train(images, jnp.ones(5), jnp.zeros(5), epsilon=1e-5)
    flat, flat_mean, _ = batch_norm.train(images.reshape(-1, 5), jnp.ones(5), jnp.zeros(5), epsilon=1e-5)
    np.testing.assert_allclose(y.reshape(-1, 5), flat, atol=1e-5)
    np.testing.assert_allclose(mean, flat_mean, atol=1e-6)


def test_a_batch_of_one_row_is_refused_in_one_sentence_also_while_compiling():
    train = jax.jit(lambda x: batch_norm.train(x, jnp.ones(5), jnp.zeros(5), epsilon=1e-5))
    with pytest.raises(InputError) as refusal:
        train(jnp.ones((1, 5)))
    assert str(refusal.value) == (
        "Batch normalization got a training batch of 1 row; it needs 2 rows or more to measure a variance."
    )


def test_dropout_before_it_shifts_the_variance_and_a_pass_with_dropout_off_removes_the_shift():
    rate, rows, width = 0.5, 4000, 64
    x = jax.nn.relu(jax.random.normal(jax.random.key(1), (rows, width)))
    weight = jax.random.normal(jax.random.key(2), (width, width)) / width**0.5
    dropped = dropout.inverted(x, jnp.uint32(3), rate) @ weight
    clean = x @ weight

    def spread_at_test(source):
        """Variance of the normalized values at test time, which should be 1, with statistics from some values."""
        mean, variance = batch_norm.statistics(source)
        y = batch_norm.test(clean, mean, variance, jnp.ones(width), jnp.zeros(width), epsilon=0.0)
        return float(y.var(axis=0).mean())

    # by theory the variance in training is that of x plus E[x^2] rate / keep, per unit of weight: 0.34 + 0.5 against 0.34
    variance, square = 0.5 - 1 / (2 * np.pi), 0.5
    assert spread_at_test(dropped) == pytest.approx(variance / (variance + square * rate / (1 - rate)), rel=0.05)
    assert spread_at_test(clean) == pytest.approx(1, rel=1e-4)


@pytest.mark.usefixtures("float64")
def test_weight_normalization_equals_pytorch_in_value_and_gradients():
    v, scale = NUMBERS.normal(size=(6, 5)), NUMBERS.uniform(0.5, 2, size=5)
    gradients = jax.grad(lambda v, s: jnp.sum(jnp.sin(weight_norm.plain(v, s)) * WEIGHTS[:6]), argnums=(0, 1))(v, scale)
    v_torch, scale_torch = torch.tensor(v, requires_grad=True), torch.tensor(scale[None], requires_grad=True)
    expected = torch._weight_norm(v_torch, scale_torch, dim=1)
    (torch.sin(expected) * torch.tensor(WEIGHTS[:6])).sum().backward()
    np.testing.assert_allclose(weight_norm.plain(v, scale), expected.detach(), rtol=1e-12)
    np.testing.assert_allclose(gradients[0], v_torch.grad, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gradients[1], scale_torch.grad[0], rtol=1e-10)


def test_centered_weights_stay_centered_and_of_their_scale_while_v_and_scale_are_trained():
    v, scale = jnp.asarray(NUMBERS.normal(size=(6, 5)) + 3, jnp.float32), jnp.ones(5)
    x = jax.random.normal(jax.random.key(5), (32, 6))

    def loss(v, scale):
        return jnp.mean((x @ weight_norm.centered(v, scale) - x[:, :5]) ** 2)

    start, gradients = loss(v, scale), jax.jit(jax.grad(loss, argnums=(0, 1)))
    for _ in range(200):
        v_gradient, scale_gradient = gradients(v, scale)
        v, scale = v - 0.5 * v_gradient, scale - 0.5 * scale_gradient
    weight = weight_norm.centered(v, scale)
    assert float(loss(v, scale)) < 0.5 * float(start)
    np.testing.assert_allclose(weight.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(jnp.linalg.norm(weight, axis=0), jnp.abs(scale), rtol=1e-5)
    np.testing.assert_allclose(x @ weight, (x + 7) @ weight, atol=1e-4)  # a shift of all inputs does not pass
