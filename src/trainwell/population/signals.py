"""Signals: what goes on in each layer of one network, measured inside the compiled program.

They are taken on one batch at the end of a call of the program, which is `cohort.STEPS_PER_CALL` steps or more, so that they
cost a small share of the training: one more step's forward and backward pass, whose update is thrown away, and one pass forward
as at test time, in which units are seen without dropout and noise.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from trainwell.network.dense import TEST, Settings, Weights
from trainwell.network.forward import forward, layer_names
from trainwell.network.structure import Structure

ENDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # between which the activation's units lie
AT_AN_END = (
    0.01  # chosen: a unit nearer to an end than this share of its range is saturated; its slope is below 4% of the largest
)


class Signals(NamedTuple):
    """One number for each layer, the hidden ones from the input on and then the output: (layers,) each.

    Parameters
    ----------
    gradient_norm : Euclidean norm of the gradient of the layer's weights and biases, before clipping.
    weight_norm : Euclidean norm of its weights.
    update_ratio : norm of one step's change of its weights, divided by the norm of the weights; 0 where both are 0.
    silent_share : share of its units that give exactly 0 for every row of the batch, dead ReLUs; 0 for the output.
    saturated_share : share of its units' values within 1% of an end of a sigmoid or tanh; 0 for other activations, and where
        batch normalization after the activation hides them.
    activation_mean, activation_spread : mean and standard deviation of its units' values over units and rows.
    non_finite : how many of its units' values, weights and gradients are NaN or infinite.
    """

    gradient_norm: Float[Array, "..."]
    weight_norm: Float[Array, "..."]
    update_ratio: Float[Array, "..."]
    silent_share: Float[Array, "..."]
    saturated_share: Float[Array, "..."]
    activation_mean: Float[Array, "..."]
    activation_spread: Float[Array, "..."]
    non_finite: Float[Array, "..."]


def layers_of(structure: Structure) -> tuple[str, ...]:
    """The names of the layers that signals speak of, in their order."""
    return (*layer_names(structure), "output")


def measured(state, after, gradient: Weights, batch, structure: Structure, settings: Settings) -> Signals:
    """The signals of one network.

    Parameters
    ----------
    state, after : the member before and after a step on the batch.
    gradient : of that step.
    batch : its rows.
    """
    outputs, _, hidden = forward(state.weights, state.statistics, batch.numeric, batch.categories, structure, settings, TEST)
    units = [*hidden, outputs.T]
    found = [
        _of_layer(name, values, state.weights, after.weights, gradient, structure)
        for name, values in zip(layers_of(structure), units, strict=True)
    ]
    return Signals(*(jnp.stack(column) for column in zip(*found, strict=True)))


def _of_layer(name: str, units: Float[Array, "width rows"], weights: Weights, after: Weights, gradient: Weights, structure):
    own = [part for part in weights if part.startswith(f"{name}.")]
    weight, change = weights[f"{name}.weight"], after[f"{name}.weight"] - weights[f"{name}.weight"]
    norm = jnp.linalg.norm(weight)
    silent = jnp.float32(0.0) if name == "output" else (units == 0).all(axis=1).mean()
    return (
        jnp.sqrt(sum(jnp.square(gradient[part]).sum() for part in own)),
        norm,
        jnp.linalg.norm(change) / jnp.maximum(norm, jnp.finfo(jnp.float32).tiny),
        silent,
        _saturated(name, units, structure),
        units.mean(),
        units.std(),
        _broken(units) + sum(_broken(weights[part]) + _broken(gradient[part]) for part in own),
    )


def _broken(values: Array) -> Float[Array, ""]:
    return (~jnp.isfinite(values)).sum().astype(jnp.float32)


def _saturated(name: str, units: Float[Array, "width rows"], structure: Structure) -> Float[Array, ""]:
    if name == "output" or structure.activation not in ENDS or structure.batch_norm == "after":
        return jnp.float32(0.0)
    low, high = ENDS[structure.activation]
    edge = AT_AN_END * (high - low)
    return ((units < low + edge) | (units > high - edge)).mean()


def taken(signals: Signals, place: int) -> dict[str, tuple[float, ...]]:
    """The signals of the member in one place of a cohort as plain numbers."""
    return {name: tuple(np.asarray(values[place], float).tolist()) for name, values in signals._asdict().items()}
