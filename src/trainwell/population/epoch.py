"""Epochs of a cohort as one compiled program: a scan of steps, then validation and early stopping, for every member at once.

Written for one member and mapped over all. Rows and their order are the same for every member, so that a batch is gathered
once; weights, settings and randomness are each member's own.
"""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from trainwell import random_bits
from trainwell.network.dense import MEASURE, Mode
from trainwell.network.forward import forward
from trainwell.network.structure import PLATEAU, Structure, of
from trainwell.population.metrics import Metric, predictions_of
from trainwell.population.programs import Programs
from trainwell.population.scores import mean
from trainwell.population.signals import Signals
from trainwell.population.step import MemberState, Rows, balance, row_losses, signals_of, start, step
from trainwell.techniques import schedules
from trainwell.techniques.regularizers import early_stopping, weight_averaging

ROWS_AT_ONCE = 1024  # chosen: rows passed forward at a time without training, so that activations stay in the cache
MOST_MEASURED = 32_768  # chosen: rows from which population statistics are known to half a percent of a spread
BLOCKS = (16, 512, 4096)  # chosen: rows of one call when predicting: a few rows at once, some, or many


class Data(NamedTuple):
    """The rows that train and the rows that say when to stop."""

    train: Rows
    validation: Rows


class Record(NamedTuple):
    """What one epoch of one member came to; the training loss is the mean over its steps, the weights of improved epochs are
    kept."""

    training_loss: Float[Array, "..."]
    validation_loss: Float[Array, "..."]
    validation_score: Float[Array, "..."]
    improved: Array
    stopped: Array


def outputs_of(weights, statistics, numeric, categories, structure: Structure, settings) -> Float[Array, "rows ..."]:
    """Outputs at test time for any number of rows, a thousand at a time; as `forward` gives them."""
    rows = len(numeric)
    chunks = -(-rows // ROWS_AT_ONCE)
    size = -(-rows // chunks)

    def padded(x: Array) -> Array:
        return jnp.pad(x, ((0, chunks * size - rows), (0, 0))).reshape(chunks, size, x.shape[1])

    def one(chunk):
        return forward(weights, statistics, chunk[0], chunk[1], structure, settings)[0]

    found = jax.lax.map(one, (padded(numeric), padded(categories)))
    return found.reshape(chunks * size, *found.shape[2:])[:rows]


def _drawn(rows: int, count: int) -> np.ndarray:
    """Positions of ``count`` of the rows, in order: the same ones every time for as many rows."""
    return np.sort(np.random.default_rng(rows).choice(rows, count, replace=False)).astype(np.int32)


def _averaged(state: MemberState, settings) -> MemberState:
    """With the epoch's weights in the average, where one is kept."""
    if state.averaged is None:
        return state
    return state._replace(averaged=weight_averaging.update(state.averaged, state.weights, **of("weight_averaging", settings)))


def _presented(state: MemberState):
    """The weights that are measured, and kept where they are the best: those that train, or their average."""
    return state.weights if state.averaged is None else state.averaged.average


def _measured(state: MemberState, rows: Rows, structure: Structure, settings) -> MemberState:
    """With exact population statistics where the structure asks for them: one pass over the training rows, without dropout
    (which is what test time meets: Hendrycks & Gimpel, 2016) or with it.

    It is made before every validation, not only at the end, so that the score which stops a member and picks its best weights
    is that of the network which is kept. All rows at once: the statistics of every layer then are those which test time meets.
    Of many rows these are as many as fit into memory for all members, drawn at random, since the order of a table may be one of
    hours, places or devices that take turns; of a stream, rows of its chunk.
    """
    if structure.batch_norm == "none" or structure.batch_norm_test == "moving_average":
        return state
    dropping = structure.batch_norm_test == "population_with_dropout"
    mode = Mode(training=True, key=random_bits.fold(state.key, 0), measuring=True) if dropping else MEASURE
    numeric, categories = rows.numeric, rows.categories
    if len(numeric) > MOST_MEASURED:
        numeric, categories = (x[_drawn(len(numeric), MOST_MEASURED)] for x in (numeric, categories))
    _, statistics, _ = forward(_presented(state), state.statistics, numeric, categories, structure, settings, mode)
    return state._replace(statistics=statistics)


def _validate(state: MemberState, losses, data: Data, structure: Structure, settings, metric: Metric, task: str, class_weights):
    """(state with its best weights brought up to date, record of the epoch)."""
    state, rows = _measured(_averaged(state, settings), data.train, structure, settings), data.validation
    outputs = outputs_of(_presented(state), state.statistics, rows.numeric, rows.categories, structure, settings)
    loss = mean(row_losses(outputs, rows.target, structure, settings, class_weights), rows.weights)
    predictions = predictions_of(outputs, task, structure.logarithm)
    score, criterion = metric.both(predictions, rows.target, rows.weights)
    training_loss = losses.mean()
    before = state.stopping
    finite = jnp.isfinite(training_loss) & jnp.isfinite(loss)
    failed = state.failed | ~(finite | before.stopped)  # one that has stopped goes on with its cohort, and it matters to nobody
    stopping = early_stopping.update(before, jnp.where(failed, -jnp.inf, criterion), **of("early_stopping", settings))
    stopping = stopping._replace(stopped=stopping.stopped | failed)
    if state.plateau is not None:
        state = state._replace(plateau=schedules.reduce_on_plateau(state.plateau, criterion, **of(PLATEAU, settings)))
    better = (stopping.best > before.best) & ~before.stopped & ~failed

    def keep(new, old):
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)

    state = state._replace(
        best_weights=keep(_presented(state), state.best_weights),
        best_statistics=keep(state.statistics, state.best_statistics),
        stopping=stopping,
        failed=failed,
    )
    return state, Record(training_loss, loss, score, better, stopping.stopped)


@cache
def starter(structure: Structure):
    """Compiled: (keys (K,), settings of (K,), prior (outputs,), rows of the first pass or None) -> states (K, ...)."""

    def many(keys, settings, prior, batch=None):
        return jax.vmap(lambda key, own: start(key, structure, own, prior, batch))(keys, settings)

    return jax.jit(many)


class Progress(NamedTuple):
    """What one call of the program came to: its first ``epochs`` rows count.

    Parameters
    ----------
    epochs : how many epochs were made; fewer than asked where every member had stopped.
    record : of (epochs asked at most, K).
    signals : of each member at the end, of (K, layers), or None where they are off.
    """

    epochs: Int[Array, ""]
    record: Record
    signals: Signals | None


@cache
def trainer(structure: Structure, metric: Metric, task: str, with_signals: bool = False):
    """Compiled: (states, settings, data, orders (most, steps, batch), epochs, total_steps) -> (states, `Progress`).

    ``epochs`` of the orders are used, so that one program serves any number of them.
    """

    def batch_of(data: Data, rows) -> Rows:
        return jax.tree.map(lambda x: x[rows], data.train)

    def one_epoch(states, settings, data: Data, order: Int[Array, "steps batch"], total_steps, class_weights):
        def one_step(states, rows):
            batch = batch_of(data, rows)
            return jax.vmap(lambda state, own: step(state, batch, structure, own, total_steps, class_weights))(states, settings)

        def validate(state, losses, own):
            return _validate(state, losses, data, structure, own, metric, task, class_weights)

        states, losses = jax.lax.scan(one_step, states, order)
        return jax.vmap(validate)(states, losses.T, settings)

    def measured(states, settings, data, rows, total_steps, class_weights):
        batch = batch_of(data, rows)
        return jax.vmap(lambda state, own: signals_of(state, batch, structure, own, total_steps, class_weights))(
            states, settings
        )

    def epochs(states, settings, data, orders, wanted, total_steps):
        class_weights = balance(data.train.target, structure, data.train.weights)

        def going(now):
            done, states, _ = now
            return (done < wanted) & ~states.stopping.stopped.all()

        def advance(now):
            done, states, records = now
            states, record = one_epoch(states, settings, data, orders[done], total_steps, class_weights)
            return done + 1, states, jax.tree.map(lambda all_, own: all_.at[done].set(own), records, record)

        members = states.step.shape[0]
        empty = Record(*(jnp.zeros((len(orders), members), kind) for kind in (jnp.float32,) * 3 + (bool,) * 2))
        done, states, records = jax.lax.while_loop(going, advance, (jnp.int32(0), states, empty))
        last = orders[jnp.maximum(done - 1, 0), -1]
        found = measured(states, settings, data, last, total_steps, class_weights) if with_signals else None
        return states, Progress(done, records, found)

    return jax.jit(epochs, donate_argnums=0)


@cache
def predictor(structure: Structure, task: str):
    """Compiled: (weights, statistics, settings, all of (K, ...), numeric, categories) -> predictions (K, rows, outputs)."""

    def many(weights, statistics, settings, numeric, categories):
        def one(own_weights, own_statistics, own):
            outputs = outputs_of(own_weights, own_statistics, numeric, categories, structure, own)
            return predictions_of(outputs, task, structure.logarithm)

        return jax.vmap(one)(weights, statistics, settings)

    return jax.jit(many)


def predict(
    programs: Programs,
    structure: Structure,
    task: str,
    networks: tuple,
    numeric: np.ndarray,
    categories: np.ndarray,
    device: jax.Device,
) -> np.ndarray:
    """Predictions (K, rows, outputs) of K networks for any number of rows, block by block: few sizes of block, few programs.

    ``networks`` is (weights, statistics, settings), each of (K, ...).
    """
    networks = jax.device_put(networks, device)
    size = next((size for size in BLOCKS if len(numeric) <= size), BLOCKS[-1])
    parts = []
    for first in range(0, len(numeric), size):
        block = [x[first : first + size] for x in (numeric, categories)]
        padded = jax.device_put([np.pad(x, ((0, size - len(x)), (0, 0))) for x in block], device)
        predictions = programs.run(structure, predictor(structure, task), device, *networks, *padded)
        parts.append(np.asarray(predictions)[:, : len(block[0])])
    return np.concatenate(parts, axis=1)
