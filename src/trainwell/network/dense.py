"""One dense layer: its first weights, and its way forward through norm, activation, noise and dropout.

Between the layers units come first and rows second, (units, rows), and a layer's weights are (fan_out, fan_in): then no
activation is ever turned in memory, and of the three products of a step only one turns a matrix, the smallest: the weights.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell import random_bits
from trainwell.network.structure import Structure, of
from trainwell.techniques.activations import ACTIVATIONS
from trainwell.techniques.initializers import INITIALIZERS
from trainwell.techniques.normalizers import batch_norm, weight_norm
from trainwell.techniques.regularizers import adapters, dropout, noise

Weights = dict[str, Array]
Settings = Mapping[str, Any]  # numbers, traced or not


class Mode(NamedTuple):
    """How a network is passed through.

    Parameters
    ----------
    training : with dropout and noise, whose randomness comes from ``key``.
    measuring : batch normalization takes the statistics of these very rows and keeps them; with or without ``training``.
    """

    training: bool = False
    key: Any = None  # uint32 scalar, or None outside training
    measuring: bool = False


FIRST = "layer1"
TEST = Mode()
MEASURE = Mode(measuring=True)


def init(key: jax.Array, name: str, fan_in: int, fan_out: int, structure: Structure, settings: Settings) -> Weights:
    """The layer's first weights; with weight normalization the direction and the scale are two weights, with adapters each
    network has biases and factors, and an output layer of its own."""
    chosen = of(structure.drawn_by, settings)
    if structure.drawn_by == "dropout_adjusted":
        activation = ACTIVATIONS[structure.activation].function
        chosen = {
            "activation": partial(activation, **of(structure.activation, settings)),
            "rate": settings.get("dropout.rate", 0),
        }
    if "slope" in chosen and structure.activation == "leaky_relu":
        chosen["slope"] = settings["leaky_relu.slope"]
    drawn = INITIALIZERS[structure.drawn_by].draw(key, (fan_in, fan_out), **chosen)
    weights = {f"{name}.weight": drawn.T, f"{name}.bias": jnp.zeros(fan_out)}
    if structure.adapters:
        return weights | _of_adapters(key, name, drawn.T, structure.adapters)
    if structure.weight_norm != "none":
        centred = drawn - drawn.mean(axis=0) if structure.weight_norm == "centered" else drawn
        weights[f"{name}.gain"] = jnp.linalg.norm(centred, axis=0)
    return weights


def _of_adapters(key: jax.Array, name: str, drawn: Float[Array, "fan_out fan_in"], networks: int) -> Weights:
    """What is each network's own."""
    fan_out, fan_in = drawn.shape
    if name == "output":
        return {f"{name}.weight": jnp.tile(drawn, (networks, 1, 1)), f"{name}.bias": jnp.zeros((networks, fan_out))}
    entering = jnp.ones((fan_in, networks))
    if name == FIRST:
        entering = adapters.draw_signs(jax.random.fold_in(key, 1), fan_in, networks)  # apart from what drew the weights
    leaving = jnp.ones((fan_out, networks))
    biases = jnp.zeros((fan_out, networks))
    return {f"{name}.entering_scale": entering, f"{name}.leaving_scale": leaving, f"{name}.bias": biases}


def init_batch_norm(name: str, width: int) -> tuple[Weights, Weights]:
    """(weights, statistics) of a batch normalization that changes nothing yet."""
    return (
        {f"{name}.scale": jnp.ones(width), f"{name}.shift": jnp.zeros(width)},
        {f"{name}.mean": jnp.zeros(width), f"{name}.variance": jnp.ones(width)},
    )


def matrix(weights: Weights, name: str, structure: Structure) -> Float[Array, "fan_out fan_in"]:
    """The weight matrix that the layer multiplies with."""
    weight = weights[f"{name}.weight"]
    if structure.weight_norm == "plain":
        return weight_norm.plain(weight.T, weights[f"{name}.gain"]).T
    if structure.weight_norm == "centered":
        return weight_norm.centered(weight.T, weights[f"{name}.gain"]).T
    return weight


@jax.custom_vjp
def product(weight: Float[Array, "fan_out fan_in"], x: Float[Array, "fan_in rows"]) -> Float[Array, "fan_out rows"]:
    """The matrix product, with a backward pass in which XLA turns the weights in memory rather than reads them across: measured
    a tenth of a step."""
    return weight @ x


def _product_forward(weight, x):
    return weight @ x, (weight, x)


def _product_backward(factors, gradient):
    weight, x = factors
    along_rows = (((1,), (1,)), ((), ()))
    return jax.lax.dot_general(gradient, x, along_rows), jax.lax.optimization_barrier(weight.T) @ gradient


product.defvjp(_product_forward, _product_backward)


def preactivation(weights: Weights, name: str, x: Float[Array, "fan_in rows"], structure: Structure, settings, mode: Mode):
    """(fan_out, rows); with adapters the rows of one network after those of another, from the first layer on."""
    weight = matrix(weights, name, structure)
    if mode.training and "weight" in structure.noises:
        key = random_bits.fold(mode.key, _stream(name, 0))
        weight = noise.gaussian(weight, key, **of("weight_noise", settings))
    if structure.adapters:
        return _of_each(weights, name, weight, x, structure.adapters)
    return product(weight, x) + weights[f"{name}.bias"][:, None]


def _of_each(
    weights: Weights, name: str, weight: Array, x: Float[Array, "fan_in _"], networks: int
) -> Float[Array, "fan_out _"]:
    """The pre-activations of every network that shares the weights."""
    x = x.reshape(len(x), 1 if name == FIRST else networks, -1)
    bias = weights[f"{name}.bias"]
    if name == "output":
        found = adapters.heads(weight, x, bias)
    else:
        r, s = (weights[f"{name}.{part}_scale"] for part in ("entering", "leaving"))
        found = adapters.layer(weight, x, r, s, bias, product)
    return found.reshape(len(found), -1)


def hidden(weights: Weights, statistics: Weights, name: str, x: Float[Array, "fan_in rows"], structure, settings, mode: Mode):
    """A hidden layer's (units (fan_out, rows), statistics with this layer's brought up to date)."""
    return units(
        weights, statistics, name, preactivation(weights, name, x, structure, settings, mode), structure, settings, mode
    )


def units(weights: Weights, statistics: Weights, name: str, x: Float[Array, "fan_out rows"], structure, settings, mode: Mode):
    """What becomes of the pre-activations of a hidden layer; the same pair as `hidden`."""
    if structure.batch_norm == "before":
        x, statistics = _normalize(weights, statistics, name, x, settings, mode)
    x = ACTIVATIONS[structure.activation].function(x, **of(structure.activation, settings))
    if structure.batch_norm == "after":
        x, statistics = _normalize(weights, statistics, name, x, settings, mode)
    if mode.training and "activation" in structure.noises:
        x = noise.gaussian(x, random_bits.fold(mode.key, _stream(name, 1)), **of("activation_noise", settings))
    if structure.dropout == "inverted" and mode.training:
        x = dropout.inverted(x, random_bits.fold(mode.key, _stream(name, 2)), **of("dropout", settings))
    if structure.dropout == "course":
        key: Any = random_bits.fold(mode.key, _stream(name, 2)) if mode.training else None
        x = dropout.course(x, key, **of("dropout", settings), training=mode.training)
    return x, statistics


def _normalize(weights: Weights, statistics: Weights, name: str, x, settings: Settings, mode: Mode):
    """Batch statistics in training (and the moving ones brought up to date), the kept ones at test time."""
    chosen = of("batch_norm", settings)
    scale, shift = weights[f"{name}.scale"], weights[f"{name}.shift"]
    names = f"{name}.mean", f"{name}.variance"
    if not (mode.training or mode.measuring):
        mean, variance = (statistics[key] for key in names)
        return batch_norm.test(x, mean, variance, scale, shift, epsilon=chosen["epsilon"], axis=0), statistics
    y, *seen = batch_norm.train(x, scale, shift, epsilon=chosen["epsilon"], axis=0)
    new = dict(zip(names, seen, strict=True))
    if not mode.measuring and "momentum" in chosen:  # without it the population's statistics are measured at every epoch's end
        new[names[1]] = batch_norm.unbiased(new[names[1]], x.shape[-1])
        new = {
            key: batch_norm.moving_average(statistics[key], value, momentum=chosen["momentum"]) for key, value in new.items()
        }
    return y, {**statistics, **new}


def _stream(name: str, use: int) -> int:
    """A number for each place in the network that draws random bits."""
    layer = 0 if name == "output" else int(name.removeprefix("layer"))
    return 8 * layer + use
