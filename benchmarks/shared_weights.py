"""Members that share one trunk and differ by adapters, beside as many independent ones: scores of their mean, and seconds.

    python -m benchmarks.shared_weights [--members 16] [--epochs 24] [--seeds 0 1 2] [table ...]

Layer i of member m is ``s_im * ((r_im * h) W_i) + b_im``, with W_i of all members in common, as in TabM (Gorishniy, Kotelnikov
and Babenko, 2025, "TabM: advancing tabular deep learning with parameter-efficient ensembling"): r of the first layer begins as
-1 or 1, the others and s as 1, and each member has an output layer of its own. Independent members have W_im. Both kinds have
the same inputs (numbers piecewise linear, categories one-hot), batches, AdamW, dropout, schedule and epochs; the rate is the
better of three on the validation rows, and so is the epoch. Both do the same multiplications.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.tabular import FOLDER, TABLES
from trainwell.data.encode import Arrays, fit_encoder
from trainwell.data.schema import infer_schema
from trainwell.data.split import split_table
from trainwell.data.tables import read_table
from trainwell.techniques import inputs

WIDTHS, BATCH, DROPOUT, DECAY = (256, 256), 256, 0.1, 3e-4  # near TabM's own defaults
RATES = (1e-3, 3e-3, 1e-2)
KINDS = ("independent", "shared")


class Rows(NamedTuple):
    """What a network reads of some rows, and what it should say."""

    x: np.ndarray
    y: np.ndarray


class Prepared(NamedTuple):
    """A table's rows by what they are for, and its task."""

    train: Rows
    validation: Rows
    test: Rows
    outputs: int
    task: str


def prepared(name: str, seed: int) -> Prepared:
    """The peers' split of the table, a fifth of its training rows for validation, encoded as `trainwell.fit` does."""
    sys.path.insert(0, str(FOLDER))
    import tables  # of that folder

    train, test, target, task = tables.load(name, seed)
    table, others = read_table(train), read_table(test)
    schema, _ = infer_schema(table, target, task=task)
    split = split_table(table, schema, seed=seed)
    fitting = np.concatenate([split.train, split.test])
    encoder = fit_encoder(table, schema, fitting)
    arrays, tested = encoder.transform(table), encoder.transform(others)
    edges = np.asarray(inputs.quantiles(arrays.numeric[fitting, : encoder.continuous].T, jnp.linspace(0, 1, inputs.BINS + 1)))
    shape = partial(_inputs, edges=edges, continuous=encoder.continuous, cardinalities=encoder.cardinalities)
    parts = [Rows(shape(part), part.target) for part in (arrays.take(fitting), arrays.take(split.validation), tested)]
    return Prepared(*parts, len(schema.classes) if task == "multiclass" else 1, task)


def _inputs(arrays: Arrays, edges: np.ndarray, continuous: int, cardinalities: Sequence[int]) -> np.ndarray:
    binned = np.asarray(inputs.piecewise_linear(jnp.asarray(arrays.numeric[:, :continuous].T), jnp.asarray(edges))).T
    levels = [np.eye(size, dtype=np.float32)[arrays.categories[:, i]] for i, size in enumerate(cardinalities)]
    return np.concatenate([arrays.numeric, binned, *levels], axis=1).astype(np.float32)


def drawn(key: jax.Array, kind: str, members: int, sizes: Sequence[int]) -> list[dict[str, jax.Array]]:
    """First weights, layer by layer."""
    layers = []
    for place, (before, after) in enumerate(pairwise(sizes)):
        own, signs = jax.random.split(jax.random.fold_in(key, place))
        last = place + 2 == len(sizes)
        shape = (1 if kind == "shared" and not last else members, before, after)
        layer = {
            "w": jax.random.normal(own, shape) * jnp.sqrt((1 if last else 2) / before),
            "b": jnp.zeros((members, 1, after)),
        }
        if kind == "shared" and not last:
            ones = jnp.ones((members, 1, before))
            layer["r"] = jax.random.rademacher(signs, ones.shape, jnp.float32) if place == 0 else ones
            layer["s"] = jnp.ones((members, 1, after))
        layers.append(layer)
    return layers


def forward(layers: list[dict[str, jax.Array]], x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """(members, rows, outputs) of inputs (members, rows, columns) or (1, rows, columns)."""
    for place, layer in enumerate(layers):
        last = place + 1 == len(layers)
        x = (x * layer["r"] if "r" in layer else x) @ layer["w"]
        x = (x * layer["s"] if "s" in layer else x) + layer["b"]
        if not last:
            x = jax.nn.relu(x)
            if key is not None:
                x = x * jax.random.bernoulli(jax.random.fold_in(key, place), 1 - DROPOUT, x.shape) / (1 - DROPOUT)
    return x


def losses(outputs: jax.Array, target: jax.Array, task: str) -> jax.Array:
    if task == "regression":
        return jnp.square(outputs[..., 0] - target)
    if task == "binary":
        return optax.sigmoid_binary_cross_entropy(outputs[..., 0], target)
    return optax.softmax_cross_entropy_with_integer_labels(outputs, target)


def trained(data: Prepared, kind: str, members: int, epochs: int, rate: float, seed: int) -> tuple[float, np.ndarray, float]:
    """(validation score of the members' mean at its best epoch, what it then says of the test rows, seconds of processor)."""
    steps = max(1, len(data.train.x) // BATCH)
    batch = min(BATCH, len(data.train.x))
    optimizer = optax.adamw(optax.cosine_decay_schedule(rate, steps * epochs), weight_decay=DECAY)
    layers = drawn(jax.random.key(seed), kind, members, (data.train.x.shape[1], *WIDTHS, data.outputs))
    state = optimizer.init(layers)
    x, y = jnp.asarray(data.train.x), jnp.asarray(data.train.y)

    def step(carry: Any, now: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        layers, state = carry
        rows, key = now
        slope = jax.grad(lambda weights: losses(forward(weights, x[rows], key), y[rows], data.task).mean(axis=1).sum())(layers)
        changes, state = optimizer.update(slope, state, layers)
        return (optax.apply_updates(layers, changes), state), None

    epoch = jax.jit(lambda carry, rows, keys: jax.lax.scan(step, carry, (rows, keys))[0])
    answer = jax.jit(lambda layers, x: _mean(forward(layers, x[None]), data.task))
    random, best, kept = np.random.default_rng(seed), -np.inf, np.empty(0)
    carry, began = (layers, state), 0.0
    for number in range(epochs):
        order = np.stack([random.permutation(len(x))[: steps * batch].reshape(steps, batch) for _ in range(members)], axis=1)
        carry = jax.block_until_ready(epoch(carry, order, jax.random.split(jax.random.key(number), steps)))
        began = began or time.process_time()  # compiling is not training
        score = scored(data.validation.y, np.asarray(answer(carry[0], data.validation.x)), data.task)
        if score > best:
            best, kept = score, np.asarray(answer(carry[0], data.test.x))
    return best, kept, (time.process_time() - began) * epochs / max(1, epochs - 1)


def _mean(outputs: jax.Array, task: str) -> jax.Array:
    if task == "regression":
        return outputs[..., 0].mean(axis=0)
    if task == "binary":
        return jax.nn.sigmoid(outputs[..., 0]).mean(axis=0)
    return jax.nn.softmax(outputs).mean(axis=0)


def scored(truth: np.ndarray, predicted: np.ndarray, task: str) -> float:
    import tables

    return float(tables.score(task, truth, predicted.argmax(axis=1) if task == "multiclass" else predicted))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], default=[], metavar="table")
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    chosen = parser.parse_args(arguments)
    print(f"{'table':20s} {'seeds':>5s} " + " ".join(f"{kind:>12s} {'seconds':>8s}" for kind in KINDS) + "   gain of sharing")
    for name in chosen.tables or TABLES:
        found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
        for seed in chosen.seeds:
            data = prepared(name, seed)
            for kind in KINDS:
                runs = [trained(data, kind, chosen.members, chosen.epochs, rate, seed) for rate in RATES]
                _, predicted, seconds = max(runs, key=lambda run: run[0])
                found[kind].append((scored(data.test.y, predicted, data.task), seconds))
        means = {kind: [statistics.mean(values) for values in zip(*found[kind], strict=True)] for kind in KINDS}
        gains = [shared[0] - own[0] for own, shared in zip(found["independent"], found["shared"], strict=True)]
        cells = " ".join(f"{means[kind][0]:12.4f} {means[kind][1]:8.1f}" for kind in KINDS)
        spread = f" (from {min(gains):+.4f} to {max(gains):+.4f})" if len(gains) > 1 else ""
        print(f"{name:20s} {len(gains):5d} {cells}   {statistics.mean(gains):+.4f}{spread}", flush=True)


if __name__ == "__main__":
    main()
