"""First weights rescaled on a batch of training rows, on their way through the real network: LSUV or data-dependent.

The hidden layers take part. The last layer does not: it starts at zero, so that the loss at the start is that of the prior.
With weight normalization the direction and the length of what comes out are what is learned on; with batch normalization the
layers after it see normalized units here too.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from trainwell.network import dense
from trainwell.network.dense import MEASURE, Settings, Weights
from trainwell.network.forward import embed, layer_names
from trainwell.network.structure import Structure, of
from trainwell.techniques.initializers import data_dependent

ROWS = 256  # chosen: enough for the variance of a unit to about a tenth


def rescaled(
    key: jax.Array,
    weights: Weights,
    statistics: Weights,
    numeric: Float[Array, "rows numeric"],
    categories: Int[Array, "rows columns"],
    structure: Structure,
    settings: Settings,
) -> Weights:
    """The weights after the first pass that the structure asks for; dropout and noise are off in it."""
    names = layer_names(structure)
    plain = replace(structure, weight_norm="none")

    def preactivations(layers, x):
        found, x = [], x.T
        for name, (weight, bias) in zip(names, layers, strict=True):
            own = {**weights, f"{name}.weight": weight.T, f"{name}.bias": bias}
            before = dense.preactivation(own, name, x, plain, settings, MEASURE)
            x, _ = dense.units(own, statistics, name, before, plain, settings, MEASURE)
            found.append(before.T)
        return found

    inputs = embed(weights, numeric, categories, structure, settings, MEASURE).T
    layers = [(dense.matrix(weights, name, structure).T, weights[f"{name}.bias"]) for name in names]
    chosen = of(structure.first_pass, settings)
    if structure.first_pass == "lsuv":
        layers = data_dependent.lsuv(layers, inputs, preactivations, **chosen)
    elif names:
        layers = data_dependent.data_dependent(layers, inputs, preactivations, key, **chosen)
    weights = dict(weights)
    for name, (weight, bias) in zip(names, layers, strict=True):
        weights |= {f"{name}.weight": weight.T, f"{name}.bias": bias}
        if structure.weight_norm != "none":
            weights[f"{name}.gain"] = jnp.linalg.norm(weight, axis=0)
    return weights
