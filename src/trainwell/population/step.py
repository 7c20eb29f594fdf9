"""One step of one network: forward, loss, backward, update. A pure function; every number in ``settings`` may be traced."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from trainwell import random_bits
from trainwell.network import first_pass
from trainwell.network.dense import Mode, Settings, Weights
from trainwell.network.embeddings import FITTED_ROWS, fits_table, fitted
from trainwell.network.forward import forward, init, mixed_share
from trainwell.network.structure import PLATEAU, Structure, of
from trainwell.network.target_log import learned
from trainwell.population import signals, update
from trainwell.techniques import schedules
from trainwell.techniques.losses import LOSSES
from trainwell.techniques.regularizers import early_stopping, mixup, weight_averaging


class Rows(NamedTuple):
    """Rows as a network takes them, NumPy's arrays or JAX's."""

    numeric: Any  # float32 (rows, columns)
    categories: Any  # int32 (rows, columns)
    target: Any  # int32 class numbers or float32 scaled values (rows,)
    weights: Any = None  # float32 (rows,), how much each row counts, 1 on average; None where all count the same


class MemberState(NamedTuple):
    """All that one member carries from step to step and from epoch to epoch; ``plateau`` is None where no schedule needs it,
    ``averaged`` where no average is kept."""

    weights: Weights
    statistics: Weights
    moments: Any
    step: Int[Array, ""]
    key: UInt32[Array, ""]
    best_weights: Weights
    best_statistics: Weights
    stopping: early_stopping.State
    failed: Bool[Array, ""]
    plateau: schedules.Plateau | None = None
    averaged: weight_averaging.State | None = None


def start(
    key: UInt32[Array, ""],
    structure: Structure,
    settings: Settings,
    prior: Float[Array, " outputs"],
    batch: Rows | None = None,
) -> MemberState:
    """A member before its first step; its randomness comes from its own key alone.

    ``batch`` holds the training rows that the structure's first weights hang on, see `first_rows`; None if on none.
    """
    weights, statistics = init(key, structure, settings, prior)
    if batch is not None and fits_table(structure):
        weights = weights | fitted(jax.random.fold_in(random_bits.jax_key(key), 997), batch.numeric, structure)
    if structure.first_pass != "none" and batch is not None:
        batch = jax.tree.map(lambda part: part[: first_pass.ROWS], batch)
        own = jax.random.fold_in(random_bits.jax_key(key), 998)
        weights = first_pass.rescaled(own, weights, statistics, batch.numeric, batch.categories, structure, settings)
    return MemberState(
        weights,
        statistics,
        update.moments_of(weights, structure),
        jnp.int32(0),
        key,
        weights,
        statistics,
        early_stopping.init(),
        jnp.bool_(False),
        schedules.plateau_init() if structure.schedule == PLATEAU else None,
        weight_averaging.init(weights) if structure.weight_averaging != "none" else None,
    )


def first_rows(structure: Structure) -> int:
    """How many training rows the first weights hang on: for the first pass over the weights, and for quantiles."""
    return FITTED_ROWS if fits_table(structure) else 0 if structure.first_pass == "none" else first_pass.ROWS


def balance(target: Int[Array, " rows"], structure: Structure, weights=None) -> Float[Array, " classes"] | None:
    """Balanced class weights, rows / (classes x rows of the class): every class weighs the same, and one without rows, as there
    may be in a streamed chunk, nothing. None where not chosen."""
    if structure.class_weights == "none":
        return None
    classes = max(2, structure.outputs)
    counts = jnp.zeros(classes).at[target].add(1.0 if weights is None else weights)
    total = len(target) if weights is None else weights.sum()
    return jnp.where(counts > 0, total / (classes * jnp.where(counts > 0, counts, 1.0)), 0.0)


def row_losses(outputs, target, structure: Structure, settings: Settings, class_weights) -> Float[Array, " rows"]:
    """The loss of each row, of logarithms where the structure learns them; of outputs (rows, networks, outputs) the mean over
    the networks."""
    chosen = of(structure.loss, settings)
    if class_weights is not None:
        chosen["class_weights"] = class_weights
    target = learned(target, structure.logarithm)

    def of_one(outputs):
        return LOSSES[structure.loss].per_row(outputs, target, **chosen)

    return of_one(outputs) if outputs.ndim < 3 else jax.vmap(of_one, in_axes=1)(outputs).mean(axis=0)


def weighted(losses: Float[Array, " rows"], weights: Float[Array, " rows"] | None) -> Float[Array, " rows"]:
    """The loss of each row times its weight. Weights are 1 on average over the table, not over a batch, so that the mean over
    batches drawn at random is the weighted mean over the table."""
    return losses if weights is None else losses * weights


def loss_of(
    weights: Weights, statistics: Weights, batch: Rows, structure: Structure, settings: Settings, key, class_weights=None
):
    """(mean loss over the batch, new statistics), in training mode."""
    outputs, statistics, _ = forward(
        weights, statistics, batch.numeric, batch.categories, structure, settings, Mode(training=True, key=key)
    )
    rows = weighted(row_losses(outputs, batch.target, structure, settings, class_weights), batch.weights)
    if structure.mixup:
        others = row_losses(outputs, mixup.partner(batch.target), structure, settings, class_weights)
        others = weighted(others, None if batch.weights is None else mixup.partner(batch.weights))
        rows = mixup.mix(rows, others, mixed_share(key, settings))
    return rows.mean(), statistics


def scheduled(state: MemberState, structure: Structure, settings: Settings, total_steps) -> tuple[Settings, Float[Array, ""]]:
    """(settings with the rates of dropout and decay as they are at this step, factor on the learning rate)."""
    progress = state.step / total_steps

    def factor(schedule: str, technique: str):
        return schedules.SCHEDULES[schedule].multiplier(progress, **of(technique, settings))

    now = dict(settings)
    for rate, schedule, technique in (
        ("dropout.rate", structure.dropout_schedule, "dropout_schedule"),
        ("weight_decay.rate", structure.decay_schedule, "decay_schedule"),
    ):
        if rate in now and schedule != "constant":
            now[rate] = now[rate] * factor(schedule, technique)
    if state.plateau is not None:
        return now, state.plateau.multiplier
    return now, factor(structure.schedule, structure.schedule)


def step(
    state: MemberState, batch: Rows, structure: Structure, settings: Settings, total_steps, class_weights=None
) -> tuple[MemberState, Array]:
    """(state after one update, loss of the batch before it)."""
    after, loss, _ = _stepped(state, batch, structure, settings, total_steps, class_weights)
    return after, loss


def signals_of(
    state: MemberState, batch: Rows, structure: Structure, settings: Settings, total_steps, class_weights=None
) -> signals.Signals:
    """What goes on in each layer in a step on this batch, with the rates of the last one; the step itself is not taken."""
    state = state._replace(step=state.step - 1)
    after, _, gradient = _stepped(state, batch, structure, settings, total_steps, class_weights)
    return signals.measured(state, after, gradient, batch, structure, settings)


def _stepped(state: MemberState, batch: Rows, structure: Structure, settings: Settings, total_steps, class_weights):
    """(state after one update, loss of the batch before it, gradient)."""
    number = state.step + 1
    key = random_bits.fold(state.key, number)
    settings, factor = scheduled(state, structure, settings, total_steps)
    (loss, statistics), gradient = jax.value_and_grad(loss_of, has_aux=True)(
        state.weights, state.statistics, batch, structure, settings, key, class_weights
    )
    change = update.shaped(gradient, state.weights, number, key, structure, settings)
    weights, moments = update.updated(state.weights, change, state.moments, number, factor, structure, settings)
    return state._replace(weights=weights, statistics=statistics, moments=moments, step=number), loss, gradient
