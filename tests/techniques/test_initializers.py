"""Every initializer has the moments that theory gives, and the right one keeps the signal alive through fifty layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainwell.errors import InputError
from trainwell.hyperparameter import defaults
from trainwell.techniques.activations import ACTIVATIONS
from trainwell.techniques.initializers import INITIALIZERS, default_for, dropout_adjusted, output_bias

FAN_IN, FAN_OUT = 600, 400
COUNT = FAN_IN * FAN_OUT
NORMAL = {  # standard deviation by theory, for three members at once
    "normal": ({"standard_deviation": [0.01, 1.0, 5.0]}, [0.01, 1.0, 5.0]),
    "xavier_normal": ({}, [(2 / 1000) ** 0.5] * 3),
    "he_normal": ({"slope": [0.0, 0.5, 1.0]}, [(2 / 600) ** 0.5, (1.6 / 600) ** 0.5, (1 / 600) ** 0.5]),
    "lecun_normal": ({}, [(1 / 600) ** 0.5] * 3),
}
UNIFORM = {  # bound by theory
    "uniform": ({}, [600**-0.5] * 3),
    "xavier_uniform": ({}, [(6 / 1000) ** 0.5] * 3),
    "he_uniform": ({"slope": [0.0, 0.5, 1.0]}, [(6 / 600) ** 0.5, (4.8 / 600) ** 0.5, (3 / 600) ** 0.5]),
}


def drawn(name, settings, shape=(FAN_IN, FAN_OUT)):
    """Weights of three members, each from its own key."""
    keys = jax.random.split(jax.random.key(11), 3)
    draw = INITIALIZERS[name].draw
    traced = {key: jnp.array(value) for key, value in settings.items()}
    return np.asarray(jax.vmap(lambda key, settings: draw(key, shape, **settings))(keys, traced), np.float64)


def assert_moments(weights, variance, fourth_over_square):
    """Mean and variance within four standard errors; the latter's comes from the fourth moment."""
    assert abs(weights.mean()) < 4 * (variance / COUNT) ** 0.5
    assert abs(weights.var() - variance) < 4 * variance * ((fourth_over_square - 1) / COUNT) ** 0.5


@pytest.mark.parametrize("name", NORMAL)
def test_normal_weights_have_the_moments_of_theory(name):
    settings, deviations = NORMAL[name]
    for weights, deviation in zip(drawn(name, settings), deviations, strict=True):
        assert_moments(weights, deviation**2, 3)
        within = np.mean(np.abs(weights) < deviation)  # 68.27% for a normal
        assert abs(within - 0.6827) < 4 * (0.6827 * 0.3173 / COUNT) ** 0.5


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_weights_have_the_moments_and_bounds_of_theory(name):
    settings, bounds = UNIFORM[name]
    for weights, bound in zip(drawn(name, settings), bounds, strict=True):
        assert_moments(weights, bound**2 / 3, 1.8)
        assert np.abs(weights).max() <= bound * (1 + 1e-6)
        assert np.abs(weights).max() > bound * (1 - 20 / COUNT)  # passed by chance once in e^20 / 2 draws


@pytest.mark.parametrize(("name", "settings", "value"), [("zeros", {}, 0.0), ("constant", {"value": [10.0] * 3}, 10.0)])
def test_constant_weights_are_all_the_same(name, settings, value):
    assert set(drawn(name, settings, (5, 4)).ravel()) == {value}


@pytest.mark.parametrize("shape", [(40, 25), (25, 40), (30, 30)])
def test_orthogonal_weights_are_orthogonal_to_six_figures(shape):
    for weights, gain in zip(drawn("orthogonal", {"gain": [0.5, 1.0, 2.0]}, shape), [0.5, 1.0, 2.0], strict=True):
        tall = weights / gain if shape[0] >= shape[1] else weights.T / gain
        np.testing.assert_allclose(tall.T @ tall, np.eye(min(shape)), atol=1e-6)


def test_orthogonal_weights_are_uniform_over_the_rotations():
    keys = jax.random.split(jax.random.key(12), 4000)
    rotations = np.asarray(jax.vmap(lambda key: INITIALIZERS["orthogonal"].draw(key, (3, 3), gain=1.0))(keys))
    assert np.abs(rotations.mean(axis=0)).max() < 4 * (1 / 3 / 4000) ** 0.5  # each entry: mean 0, variance 1/3
    traces = np.trace(rotations, axis1=1, axis2=2)
    assert abs(traces.mean()) < 4 / 4000**0.5  # Haar measure on O(n): mean 0, variance 1
    assert abs(traces.var() - 1) < 4 * (2 / 4000) ** 0.5


def test_every_initializer_repeats_for_the_same_key_and_differs_for_another():
    for name, initializer in INITIALIZERS.items():
        settings = defaults(initializer.hyperparameters)
        one, again, other = (initializer.draw(jax.random.key(seed), (6, 5), **settings) for seed in (1, 1, 2))
        assert one.shape == (6, 5)
        assert one.dtype == jnp.float32
        np.testing.assert_array_equal(one, again)
        assert bool(jnp.any(one != other)) == (name not in {"zeros", "constant"})


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("name", ["relu", "tanh", "gelu"])
def test_dropout_adjusted_weights_have_the_length_of_the_equation(name, rate):
    activation = ACTIVATIONS[name].function
    z = np.random.default_rng(13).normal(size=200_000)
    values = np.asarray(activation(jnp.asarray(z)), np.float64)
    slopes = np.asarray(jax.vmap(jax.grad(activation))(jnp.asarray(z)), np.float64)
    expected = 1 / np.sqrt(np.mean(values**2) / (1 - rate) + (1 - rate) * np.mean(slopes**2))
    weights = dropout_adjusted.draw(jax.random.key(14), (50, 20), rate=rate, activation=activation)
    np.testing.assert_allclose(np.linalg.norm(weights, axis=0), expected, rtol=0.01)


def variance_through(depth, initializer, activation, width=256, **settings):
    """Mean square of the last layer over the first's, forward; and of the gradient at the first over the last's."""
    function = ACTIVATIONS[activation].function
    keys = jax.random.split(jax.random.key(15), depth)
    weights = jnp.stack([INITIALIZERS[initializer].draw(key, (width, width), **settings) for key in keys])
    x = jax.random.normal(jax.random.key(16), (64, width))
    x = function(x) if activation == "relu" else x

    def forward(x):
        return jax.lax.scan(lambda x, weight: (function(x @ weight), None), x, weights)[0]

    y, pull = jax.vjp(forward, x)
    gradient = jax.random.normal(jax.random.key(17), y.shape)
    return float(jnp.mean(y**2) / jnp.mean(x**2)), float(jnp.mean(pull(gradient)[0] ** 2) / jnp.mean(gradient**2))


@pytest.mark.parametrize("initializer", ["he_normal", "he_uniform"])
def test_he_keeps_the_variance_through_fifty_relu_layers_both_ways(initializer):
    forward, backward = variance_through(50, initializer, "relu", slope=0.0)
    assert 0.1 < forward < 10
    assert 0.1 < backward < 10


def test_lecun_keeps_the_variance_through_fifty_selu_layers_and_lets_the_gradient_grow_as_theory_says():
    forward, backward = variance_through(50, "lecun_normal", "selu")
    square, slope_square = dropout_adjusted.mean_squares(ACTIVATIONS["selu"].function)
    assert float(square) == pytest.approx(1, abs=1e-3)
    assert 0.5 < forward < 2
    assert 0.4 < backward / float(slope_square) ** 50 < 2.5  # 1.07^50: thirty times


@pytest.mark.parametrize(("initializer", "settings"), [("xavier_normal", {}), ("orthogonal", {"gain": 1.0})])
def test_a_linear_network_keeps_its_variance_with_xavier_and_to_the_letter_with_orthogonal_weights(initializer, settings):
    forward, backward = variance_through(50, initializer, "identity", **settings)
    tolerance = 1e-3 if initializer == "orthogonal" else 0.7
    assert np.log(forward) == pytest.approx(0, abs=tolerance)
    assert np.log(backward) == pytest.approx(0, abs=tolerance)


@pytest.mark.parametrize(
    ("initializer", "activation", "settings", "direction"),
    [
        ("xavier_normal", "relu", {}, -1),  # half of the variance lost in each layer
        ("uniform", "relu", {}, -1),
        ("normal", "relu", {"standard_deviation": 0.05}, -1),
        ("normal", "relu", {"standard_deviation": 0.15}, 1),
        ("uniform", "tanh", {}, -1),
    ],
)
def test_the_wrong_pairing_loses_the_signal_or_lets_it_explode(initializer, activation, settings, direction):
    forward, backward = variance_through(50, initializer, activation, **settings)
    for ratio in (forward, backward):
        assert ratio > 1e6 if direction == 1 else ratio < 1e-6


def test_tanh_with_xavier_keeps_far_more_of_the_gradient_than_with_the_uniform_rule():
    _, kept = variance_through(50, "xavier_normal", "tanh")
    _, lost = variance_through(50, "uniform", "tanh")
    assert kept > 1e-3
    assert lost < 1e-15


@pytest.mark.parametrize("name", ["zeros", "constant"])
def test_units_that_start_the_same_stay_the_same_whatever_the_constant(name):
    settings = {"value": 10.0} if name == "constant" else {}
    weights = [INITIALIZERS[name].draw(jax.random.key(0), shape, **settings) for shape in ((3, 4), (4, 1))]
    x = jax.random.normal(jax.random.key(18), (20, 3))

    def loss(weights):
        return jnp.mean((jax.nn.sigmoid(x @ weights[0] / 10) @ weights[1] - x[:, :1]) ** 2)

    for _ in range(20):
        weights = jax.tree.map(lambda weight, gradient: weight - 0.1 * gradient, weights, jax.grad(loss)(weights))
    np.testing.assert_allclose(weights[0], np.broadcast_to(weights[0][:, :1], (3, 4)), rtol=1e-5)


def test_the_default_follows_the_activation_and_a_misspelt_one_gets_the_nearest():
    assert {name: default_for(name) for name in ("relu", "gelu", "silu", "sigmoid", "tanh", "selu")} == {
        **dict.fromkeys(("relu", "gelu", "silu"), "he_normal"),
        **dict.fromkeys(("sigmoid", "tanh"), "xavier_normal"),
        "selu": "lecun_normal",
    }
    with pytest.raises(InputError, match="There is no activation 'gleu', did you mean 'gelu'"):
        default_for("gleu")


def test_the_output_bias_makes_the_loss_at_the_start_the_entropy_of_the_classes():
    counts = np.array([700, 250, 50])
    shares = counts / counts.sum()
    start = jax.nn.log_softmax(output_bias.log_prior(jnp.asarray(counts)))
    assert float(-(shares * start).sum()) == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-5)
    odds = output_bias.log_odds(jnp.array([265, 735]))
    assert odds.shape == (1,)
    assert float(jax.nn.sigmoid(odds)[0]) == pytest.approx(0.735, rel=1e-5)
    assert bool(jnp.isfinite(output_bias.log_prior(jnp.array([3, 0]))).all())
    assert output_bias.target_mean(jnp.array([1.0, 5.0])).tolist() == [3.0]
