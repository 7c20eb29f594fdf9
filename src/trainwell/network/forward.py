"""One network: its first weights and its way from a batch of rows to outputs. Pure functions; `vmap` makes it many.

Weights and statistics are flat dicts by name (``layer1.weight``, ``output.bias``, ``category0.embedding``), so that a signal, a
saved file and an error all speak of a layer by the same word.
"""

from collections.abc import Collection

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from trainwell import random_bits
from trainwell.network import dense, embeddings
from trainwell.network.dense import TEST, Mode, Settings, Weights
from trainwell.network.structure import Structure, hyperparameters_of, of
from trainwell.techniques.regularizers import mixup, noise, weight_decay


def decays(name: str, weights: Collection[str] = ()) -> bool:
    """Whether weight decay acts on a weight: not on biases, norm parameters, embeddings of categories, nor on the frequencies
    and phases of periodic ones, whose matrix decays like any other.

    Of a layer with weight normalization the length of a unit's incoming weights is its gain, among all ``weights``; that one
    decays, and the direction, whose length does not matter, is left alone.
    """
    layer, own = name.rsplit(".", 1)
    if own == "weight" and f"{layer}.gain" in weights:
        return False
    return weight_decay.decays(name) and embeddings.learned(name) and own not in ("frequency", "phase")


def mixed_share(key: UInt32[Array, ""], settings: Settings) -> Float[Array, ""]:
    """Mixup's share of the own row: the same for the inputs and for the loss of one step."""
    return mixup.share(random_bits.fold(key, 5), **of("mixup", settings))


def layer_names(structure: Structure) -> list[str]:
    return [f"layer{i}" for i in range(1, len(structure.widths) + 1)]


def init(seed: UInt32[Array, ""], structure: Structure, settings: Settings, prior: Float[Array, " outputs"]):
    """First (weights, statistics); the output bias is the prior, so that the untrained network predicts the base rate."""
    key = random_bits.jax_key(seed)
    sizes = (structure.entering, *structure.widths)
    weights: Weights = embeddings.init(key, structure, settings)
    statistics: Weights = {}
    for i, name in enumerate(layer_names(structure)):
        weights |= dense.init(jax.random.fold_in(key, i), name, sizes[i], sizes[i + 1], structure, settings)
        if structure.batch_norm != "none":
            scale_and_shift, kept = dense.init_batch_norm(name, sizes[i + 1])
            weights, statistics = weights | scale_and_shift, statistics | kept
    weights |= dense.init(jax.random.fold_in(key, 999), "output", sizes[-1], structure.outputs, structure, settings)
    for name in ("output.weight", "output.gain"):  # zero: the loss at the start is the prior's entropy, whatever the inputs
        if name in weights and not (name == "output.weight" and "output.gain" in weights):
            weights[name] = jnp.zeros_like(weights[name])
    weights["output.bias"] = weights["output.bias"] + prior
    return weights, statistics


def shapes(structure: Structure) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Names and shapes of the (weights, statistics), without computing one."""
    settings = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in hyperparameters_of(structure)}
    arguments = (jax.ShapeDtypeStruct((), jnp.uint32), settings, jax.ShapeDtypeStruct((structure.outputs,), jnp.float32))
    made = jax.eval_shape(lambda seed, own, prior: init(seed, structure, own, prior), *arguments)
    weights, statistics = ({name: leaf.shape for name, leaf in part.items()} for part in made)
    return weights, statistics


def embed(weights: Weights, numeric, categories, structure: Structure, settings: Settings, mode: Mode = TEST):
    """What the first dense layer sees, (entering, rows): numbers, scaled and embedded, then the vectors of the categories."""
    numeric = jax.lax.optimization_barrier(numeric.T)  # turned once, for all members of a cohort
    measured, others = numeric[: structure.continuous], numeric[structure.continuous :]
    measured = embeddings.scaled(weights, measured, structure)
    if mode.training and "input" in structure.noises:
        measured = noise.gaussian(measured, random_bits.fold(mode.key, 4), **of("input_noise", settings))
    measured = embeddings.embedded(weights, measured, structure)
    parts = [part for part in (measured, others, *embeddings.categories(weights, categories)) if len(part)]
    return embeddings.weighed(weights, parts[0] if len(parts) == 1 else jnp.concatenate(parts), structure)


def forward(
    weights: Weights,
    statistics: Weights,
    numeric: Float[Array, "rows numeric"],
    categories: Int[Array, "rows columns"],
    structure: Structure,
    settings: Settings,
    mode: Mode = TEST,
) -> tuple[Float[Array, "rows outputs"], Weights, list[Float[Array, "width rows"]]]:
    """(outputs, new statistics, units of every hidden layer). Outputs are logits, or scaled target values; with adapters
    those of every network, (rows, networks, outputs)."""
    x = embed(weights, numeric, categories, structure, settings, mode)
    if mode.training and structure.mixup:
        x = mixup.mix(x, mixup.partner(x.T).T, mixed_share(mode.key, settings))
    hidden = []
    for name in layer_names(structure):
        x, statistics = dense.hidden(weights, statistics, name, x, structure, settings, mode)
        hidden.append(x)
    outputs = jax.lax.optimization_barrier(dense.preactivation(weights, "output", x, structure, settings, mode))
    if structure.adapters:
        outputs = outputs.reshape(len(outputs), structure.adapters, -1)
    return outputs.T, statistics, hidden
