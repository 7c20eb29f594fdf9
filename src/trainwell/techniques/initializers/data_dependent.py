"""Data-based initialization: weights rescaled until a real batch looks right on its way through the network.

A network is a list of layers (weight (fan_in, fan_out), bias (fan_out,)) and a function `preactivations(layers, batch)`
that gives the (rows, units) of every layer in order; so these serve any network, not only this library's.

Source: Kraehenbuehl et al. (2015), "Data-dependent initializations of convolutional neural networks", algorithms 1 and 2.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

Layers = list[tuple[Float[Array, "fan_in fan_out"], Float[Array, " fan_out"]]]
Preactivations = Callable[[Layers, Array], list[Float[Array, "rows units"]]]

LSUV_HYPERPARAMETERS = (
    Hyperparameter(
        "tolerance",
        default=0.1,
        low=1e-4,
        high=1.0,
        scale="log",
        meaning="how far from 1 the variance of a layer's pre-activations may stay",
        source="Mishkin & Matas (2015)",
    ),
)
HYPERPARAMETERS = (
    Hyperparameter(
        "damping",
        default=0.25,
        low=0.01,
        high=1.0,
        meaning="share of the way to equal relative gradients gone in each round",
        source="Kraehenbuehl et al. (2015)",
    ),
)
ROUNDING = 1e-5  # chosen: a hundred times what a float32 resolves; what varies by less of its size is the same on every row


def lsuv(layers: Layers, batch: Array, preactivations: Preactivations, *, tolerance, attempts: int = 10) -> Layers:
    """LSUV (layer-sequential unit variance): orthogonal weights, each layer scaled until its output has variance 1.

        W_i <- W_i / sqrt(Var(z_i)), layer by layer, until |Var(z_i) - 1| < tolerance

    z_i are the pre-activations of layer i on the batch. The layers given should be orthogonal already. One whose
    pre-activations are all the same is left as it is: no factor makes them vary.

    Use: in deep networks where no rule fits the activation.

    Source: Mishkin & Matas (2015), "All you need is a good init".

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def preactivations(layers, batch):
    ...     return [batch @ weight + bias for weight, bias in layers]
    >>> batch = jax.random.normal(jax.random.key(0), (100, 3))
    >>> layers = lsuv([(5 * jnp.eye(3), jnp.zeros(3))], batch, preactivations, tolerance=0.01)
    >>> f"{preactivations(layers, batch)[0].var():.2f}"
    '1.00'
    """
    layers = list(layers)
    for place in range(len(layers)):
        layers[place] = _unit_variance(layers, place, batch, preactivations, tolerance, attempts)
    return layers


def unit_preactivations(layers: Layers, batch: Array, preactivations: Preactivations) -> Layers:
    """Unit pre-activations: each unit to mean 0 and variance 1 on the batch, layer by layer (the paper's first half).

        W_i[:, j] <- W_i[:, j] / s_j      b_i[j] <- (b_i[j] - m_j) / s_j      m_j, s_j mean and std of z_i[:, j]

    A unit that is the same on every row is left as it is.

    Use: where features are of uneven scale.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def preactivations(layers, batch):
    ...     return [batch @ weight + bias for weight, bias in layers]
    >>> batch = 7 + 3 * jax.random.normal(jax.random.key(0), (100, 2))
    >>> layers = unit_preactivations([(jnp.ones((2, 1)), jnp.zeros(1))], batch, preactivations)
    >>> z = preactivations(layers, batch)[0]
    >>> bool(abs(z.mean()) < 1e-5), f"{z.std():.3f}"
    (True, '1.000')
    """
    layers = list(layers)
    for place, (weight, bias) in enumerate(layers):
        z = preactivations(layers, batch)[place]
        varies = _varies(z.var(axis=0), jnp.square(z).mean(axis=0))
        spread = jnp.where(varies, z.std(axis=0), 1)
        layers[place] = (weight / spread, (bias - jnp.where(varies, z.mean(axis=0), 0)) / spread)
    return layers


def relative_gradients(layers: Layers, batch: Array, preactivations: Preactivations, key: jax.Array) -> Float[Array, " layers"]:
    """C_i of each layer: root mean square, over rows, of a row's gradient relative to the weights.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def preactivations(layers, batch):
    ...     return [batch @ layers[0][0], batch @ layers[0][0] @ layers[1][0]]
    >>> layers = [(jnp.eye(1), jnp.zeros(1)), (2 * jnp.eye(1), jnp.zeros(1))]
    >>> ratios = relative_gradients(layers, jnp.ones((4, 1)), preactivations, jax.random.key(0))
    >>> f"{ratios[0] / ratios[1]:.1f}"  # dl/dW is 2 and 1, W is 1 and 2
    '4.0'
    """
    outputs = preactivations(layers, batch)[-1]
    directions = jax.random.normal(key, outputs.shape, outputs.dtype)

    def squared_gradients(row_and_direction):
        row, direction = row_and_direction
        gradients = jax.grad(lambda layers: jnp.sum(direction * preactivations(layers, row[None])[-1]))(layers)
        return jnp.stack([jnp.sum(gradient**2) for gradient, _ in gradients])

    mean_squares = jax.lax.map(squared_gradients, (batch, directions)).mean(axis=0)
    return jnp.sqrt(mean_squares / jnp.stack([jnp.sum(weight**2) for weight, _ in layers]))


def balance_gradients(
    layers: Layers, batch: Array, preactivations: Preactivations, key: jax.Array, *, damping, rounds: int = 10
) -> Layers:
    """Balanced gradients: layers rescaled against each other until their relative gradients agree (the second half).

        W_i <- W_i (C_i / C)^(damping / 2)      C_i^2 = E|dl/dW_i|^2 / |W_i|^2,  C geometric mean of the C_i

    l is a random linear function of the outputs. The paper multiplies layer i by a factor and undoes it in the layer above;
    here both are one factor a layer. The factors multiply to 1, so a network of ReLU-like units keeps its outputs.

    Use: where some layers would learn much faster than others.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def preactivations(layers, batch):
    ...     return [batch @ layers[0][0], batch @ layers[0][0] @ layers[1][0]]
    >>> layers = [(jnp.eye(1), jnp.zeros(1)), (4 * jnp.eye(1), jnp.zeros(1))]
    >>> layers = balance_gradients(layers, jnp.ones((4, 1)), preactivations, jax.random.key(0), damping=1.0)
    >>> [f"{weight[0, 0]:.2f}" for weight, bias in layers]
    ['2.00', '2.00']
    """

    def one_round(_, layers):
        ratios = relative_gradients(layers, batch, preactivations, key)
        learns = (ratios > 0) & jnp.isfinite(ratios)  # one without weights, or that nothing comes back to, is left as it is
        logs = jnp.log(jnp.where(learns, ratios, 1))
        mean = logs.sum() / jnp.maximum(learns.sum(), 1)
        factors = jnp.exp(jnp.where(learns, damping / 2 * (logs - mean), 0))
        so_far = jnp.cumprod(factors)  # what reaches a layer's bias has passed all the layers below
        return [(weight * factors[i], bias * so_far[i]) for i, (weight, bias) in enumerate(layers)]

    return jax.lax.fori_loop(0, rounds, one_round, list(layers))


def data_dependent(
    layers: Layers, batch: Array, preactivations: Preactivations, key: jax.Array, *, damping, rounds: int = 10
) -> Layers:
    """Data-dependent: each unit's pre-activation to mean 0 and variance 1 on a batch, then layers balanced.

        W_i[:, j] <- W_i[:, j] / s_j      b_i[j] <- (b_i[j] - m_j) / s_j      m_j, s_j mean and std of z_i[:, j]
        W_i <- W_i (C_i / C)^(damping / 2)      C_i^2 = E|dl/dW_i|^2 / |W_i|^2,  C geometric mean of the C_i

    Use: where features are of uneven scale, or the layers would learn at very different speeds.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def preactivations(layers, batch):
    ...     return [batch @ weight + bias for weight, bias in layers]
    >>> batch = jax.random.normal(jax.random.key(0), (50, 2))
    >>> layers = data_dependent([(9 * jnp.eye(2), jnp.zeros(2))], batch, preactivations, jax.random.key(1), damping=0.25)
    >>> [f"{spread:.2f}" for spread in preactivations(layers, batch)[0].std(axis=0)]
    ['1.00', '1.00']
    """
    layers = unit_preactivations(layers, batch, preactivations)
    return balance_gradients(layers, batch, preactivations, key, damping=damping, rounds=rounds)


def _varies(variance: Array, mean_square: Array) -> Array:
    """Whether a variance is more than what rounding makes of numbers that are all the same."""
    return variance > ROUNDING**2 * mean_square


def _unit_variance(layers: Layers, place: int, batch, preactivations: Preactivations, tolerance, attempts: int):
    """One layer of LSUV: a loop on the device, so that each member of a population stops at its own attempt."""
    weight, bias = layers[place]

    def variance(weight):
        """Of all pre-activations; 0 where they are the same but for rounding."""
        z = preactivations([*layers[:place], (weight, bias), *layers[place + 1 :]], batch)[place]
        return jnp.where(_varies(z.var(), jnp.square(z).mean()), z.var(), 0)

    def unfinished(carry):
        _, measured, attempt = carry
        return (measured > 0) & (jnp.abs(measured - 1) >= tolerance) & (attempt < attempts)

    def attempt_once(carry):
        weight, measured, attempt = carry
        weight = weight / jnp.sqrt(jnp.where(measured > 0, measured, 1))
        return weight, variance(weight), attempt + 1

    weight, _, _ = jax.lax.while_loop(unfinished, attempt_once, (weight, variance(weight), 0))
    return weight, bias
