"""From a gradient to new weights: clipping and noise, penalties, the optimizer, decoupled decay, the cap on norms."""

from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, UInt32

from trainwell import random_bits
from trainwell.network.dense import Settings, Weights
from trainwell.network.embeddings import learned
from trainwell.network.forward import decays
from trainwell.network.structure import Structure, of
from trainwell.techniques import gradients
from trainwell.techniques.optimizers import OPTIMIZERS
from trainwell.techniques.regularizers import max_norm, weight_decay


def moments_of(weights: Weights, structure: Structure) -> Any:
    """What the optimizer remembers before the first step."""
    if not isinstance(structure.optimizer, str):
        return structure.optimizer.init(weights)
    return OPTIMIZERS[structure.optimizer].init(flat(weights))


def flat(weights: Weights) -> Float[Array, " numbers"]:
    """All weights in one row, by name: one update of them all compiles and runs faster than one for each."""
    return jnp.concatenate([weights[name].ravel() for name in sorted(weights)])


def unflat(row: Float[Array, " numbers"], like: Weights) -> Weights:
    """What `flat` made, with the names and shapes of ``like``."""
    names = sorted(like)
    ends = list(accumulate(like[name].size for name in names))
    parts = jnp.split(row, ends[:-1])
    return {name: part.reshape(like[name].shape) for name, part in zip(names, parts, strict=True)}


def shaped(
    gradient: Weights,
    weights: Weights,
    number: Int[Array, ""],
    key: UInt32[Array, ""],
    structure: Structure,
    settings: Settings,
) -> Weights:
    """The gradient after clipping and noise, with the L2 or L1 penalty's own in it. The penalty is not clipped."""
    if structure.clip == "global_norm":
        gradient = gradients.clip_by_global_norm(gradient, **of("clip_by_global_norm", settings))
    if structure.clip == "value":
        gradient = gradients.clip_by_value(gradient, **of("clip_by_value", settings))
    if "gradient" in structure.noises:
        gradient = gradients.add_noise(gradient, random_bits.fold(key, 6), number, **of("gradient_noise", settings))
    if structure.decay not in ("l2", "l1"):
        return gradient
    penalty = weight_decay.l2_gradient if structure.decay == "l2" else weight_decay.l1_gradient
    rate = of("weight_decay", settings)
    return {name: penalty(g, weights[name], **rate) if decays(name, weights) else g for name, g in gradient.items()}


def updated(
    weights: Weights,
    gradient: Weights,
    moments: Any,
    number: Int[Array, ""],
    factor: Float[Array, ""],
    structure: Structure,
    settings: Settings,
) -> tuple[Weights, Any]:
    """(weights, moments) after step ``number``; ``factor`` is what the schedule multiplies the learning rate by.

    What is not learned stays as it is, whatever noise, or decay of a given optax transformation, would move it by.
    """
    before = weights
    if isinstance(structure.optimizer, str):
        weights, moments = _by_rule(weights, gradient, moments, number, factor, structure, settings)
    else:
        change, moments = structure.optimizer.update(gradient, moments, weights)
        weights = optax.apply_updates(weights, jax.tree.map(lambda x: factor * x, change))
    weights = _capped(weights, structure, settings)
    return {name: weight if learned(name) else before[name] for name, weight in weights.items()}, moments


def _by_rule(weights: Weights, gradient: Weights, moments: Any, number, factor, structure: Structure, settings: Settings):
    rule, chosen = OPTIMIZERS[structure.optimizer], of(structure.optimizer, settings)
    chosen["learning_rate"] = chosen["learning_rate"] * factor
    row, moments = rule.update(flat(gradient), moments, number, **chosen)
    change = unflat(row, weights)
    if structure.decay == "decoupled":
        rate = of("weight_decay", settings)
        weights = {
            name: weight_decay.decoupled(weight, chosen["learning_rate"], **rate) if decays(name, weights) else weight
            for name, weight in weights.items()
        }
    return {name: weight + change[name] for name, weight in weights.items()}, moments


def _capped(weights: Weights, structure: Structure, settings: Settings) -> Weights:
    """Max-norm, where chosen; with weight normalization the length of a unit's incoming weights is its gain."""
    if not structure.max_norm:
        return weights
    limit = settings["max_norm.limit"]
    if structure.weight_norm != "none":
        return {name: jnp.clip(w, -limit, limit) if name.endswith(".gain") else w for name, w in weights.items()}
    return {name: max_norm.cap(w.T, limit).T if name.endswith(".weight") else w for name, w in weights.items()}
