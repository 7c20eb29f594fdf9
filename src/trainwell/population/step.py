"""One step of one network: forward, loss, backward, update. A pure function; every number in ``settings`` may be traced."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, UInt32

from trainwell import random_bits
from trainwell.network.dense import Mode, Settings, Weights
from trainwell.network.forward import decays, forward, init, mixed_share
from trainwell.network.structure import Structure, of
from trainwell.techniques import gradients
from trainwell.techniques.losses import LOSSES
from trainwell.techniques.optimizers import OPTIMIZERS
from trainwell.techniques.regularizers import early_stopping, max_norm, mixup, weight_decay
from trainwell.techniques.schedules import SCHEDULES


class Rows(NamedTuple):
    """Rows as a network takes them: numbers, category levels, targets."""

    numeric: Float[Array, "rows numeric"]
    categories: Int[Array, "rows columns"]
    target: Array


class MemberState(NamedTuple):
    """All that one member carries from step to step and from epoch to epoch."""

    weights: Weights
    statistics: Weights
    moments: Any
    step: Int[Array, ""]
    key: UInt32[Array, ""]
    best_weights: Weights
    best_statistics: Weights
    stopping: early_stopping.State
    failed: Bool[Array, ""]


def start(key: UInt32[Array, ""], structure: Structure, settings: Settings, prior: Float[Array, "outputs"]) -> MemberState:
    """A member before its first step; its randomness comes from its own key alone."""
    weights, statistics = init(key, structure, settings, prior)
    if isinstance(structure.optimizer, str):
        rule = OPTIMIZERS[structure.optimizer]
        moments: Any = {name: rule.init(weight) for name, weight in weights.items()}
    else:
        moments = structure.optimizer.init(weights)
    return MemberState(
        weights, statistics, moments, jnp.int32(0), key, weights, statistics, early_stopping.init(), jnp.bool_(False)
    )


def loss_of(weights: Weights, statistics: Weights, batch: Rows, structure: Structure, settings: Settings, key):
    """(mean loss over the batch, new statistics), in training mode."""
    outputs, statistics, _ = forward(
        weights, statistics, batch.numeric, batch.categories, structure, settings, Mode(training=True, key=key)
    )
    per_row = LOSSES[structure.loss].per_row
    chosen = of(structure.loss, settings)
    rows = per_row(outputs, batch.target, **chosen)
    if structure.mixup:
        others = per_row(outputs, mixup.partner(batch.target), **chosen)
        rows = mixup.mix(rows, others, mixed_share(key, settings))
    return rows.mean(), statistics


def step(state: MemberState, batch: Rows, structure: Structure, settings: Settings, total_steps) -> tuple[MemberState, Array]:
    """(state after one update, loss of the batch before it)."""
    number = state.step + 1
    key = random_bits.fold(state.key, number)
    (loss, statistics), gradient = jax.value_and_grad(loss_of, has_aux=True)(
        state.weights, state.statistics, batch, structure, settings, key
    )
    gradient = _held_back(_shaped(gradient, number, structure, settings, key), state.weights, structure, settings)
    factor = SCHEDULES[structure.schedule].multiplier(state.step / total_steps, **of(structure.schedule, settings))
    weights, moments = _updated(state, gradient, number, factor, structure, settings)
    return state._replace(weights=weights, statistics=statistics, moments=moments, step=number), loss


def _shaped(gradient: Weights, number, structure: Structure, settings: Settings, key) -> Weights:
    """The gradient after clipping and noise."""
    if structure.clip == "global_norm":
        gradient = gradients.clip_by_global_norm(gradient, **of("clip_by_global_norm", settings))
    if structure.clip == "value":
        gradient = gradients.clip_by_value(gradient, **of("clip_by_value", settings))
    if "gradient" in structure.noises:
        gradient = gradients.add_noise(gradient, random_bits.fold(key, 6), number, **of("gradient_noise", settings))
    return gradient


def _held_back(gradient: Weights, weights: Weights, structure: Structure, settings: Settings) -> Weights:
    """The gradient with the L2 or L1 penalty's own in it."""
    if structure.decay not in ("l2", "l1"):
        return gradient
    penalty = weight_decay.l2_gradient if structure.decay == "l2" else weight_decay.l1_gradient
    chosen = of("weight_decay", settings)
    return {name: penalty(g, weights[name], **chosen) if decays(name) else g for name, g in gradient.items()}


def _updated(state: MemberState, gradient: Weights, number, factor, structure: Structure, settings: Settings):
    """(weights, moments) after the optimizer, decoupled decay and the cap on norms."""
    if not isinstance(structure.optimizer, str):
        change, moments = structure.optimizer.update(gradient, state.moments, state.weights)
        return optax.apply_updates(state.weights, jax.tree.map(lambda x: factor * x, change)), moments
    rule, chosen = OPTIMIZERS[structure.optimizer], of(structure.optimizer, settings)
    chosen["learning_rate"] = chosen["learning_rate"] * factor
    weights, moments = {}, {}
    for name, weight in state.weights.items():
        change, moments[name] = rule.update(gradient[name], state.moments[name], number, **chosen)
        if structure.decay == "decoupled" and decays(name):
            weight = weight_decay.decoupled(weight, chosen["learning_rate"], **of("weight_decay", settings))
        weights[name] = weight + change
        if structure.max_norm and name.endswith(".weight"):
            weights[name] = max_norm.cap(weights[name], **of("max_norm", settings))
    return weights, moments
