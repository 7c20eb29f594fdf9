"""Small tables that are easy to learn, and networks small enough to compile and train in a moment."""

from dataclasses import replace
from itertools import chain

import jax
import numpy as np

from trainwell.network.structure import Structure, resolve
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.devices import pool
from trainwell.population.epoch import Data
from trainwell.population.history import CURVES
from trainwell.population.member import Member, Training
from trainwell.population.metrics import log_loss_weight
from trainwell.population.step import Rows

TASKS = {"binary": "binary_cross_entropy", "multiclass": "cross_entropy", "regression": "squared_error"}
VALIDATION = 64  # rows
METRICS = {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}


def rows(task: str = "binary", number: int = 96, seed: int = 0) -> Rows:
    """Three measurements, a switch and a category of four levels; the target follows from the first two and the category."""
    chance = np.random.default_rng(seed)
    numeric = chance.normal(size=(number, 4)).astype(np.float32)
    numeric[:, 3] = numeric[:, 3] > 0
    categories = chance.integers(0, 4, (number, 1)).astype(np.int32)
    signal = numeric[:, 0] - 0.5 * numeric[:, 1] + 0.5 * (categories[:, 0] == 2)
    if task == "regression":
        return Rows(numeric, categories, signal.astype(np.float32))
    edges = [0.0] if task == "binary" else [-0.5, 0.5]
    return Rows(numeric, categories, np.digitize(signal, edges).astype(np.int32))


def structure(task: str = "binary", **chosen) -> Structure:
    usual = {"widths": (8,), "batch_size": 16, "numeric_embedding": "none", "input_scaling": "none", "loss": TASKS[task]}
    return Structure(
        numeric=4, continuous=3, cardinalities=(4,), outputs=3 if task == "multiclass" else 1, **{**usual, **chosen}
    )


def population(
    task: str = "binary", *, cores: int = 1, seed: int = 0, number: int = 96, metric: str | None = None
) -> Population:
    data = Data(rows(task, number), rows(task, VALIDATION, seed=1))
    prior = np.zeros(3 if task == "multiclass" else 1, np.float32)
    return Population(data, task, metric or METRICS[task], prior, seed, pool(cores))


def member(number: int, network: Structure, **settings: float) -> Training:
    """A training not yet begun; settings by full name with ``__`` for the dot."""
    chosen = {name.replace("__", "."): value for name, value in settings.items()}
    return Training(Member(number, network, resolve(network, chosen)))


def train(trainings, epochs: int = 4, *, of: Population | None = None, total: int | None = None) -> list[Training]:
    return (of or population()).train(trainings, epochs, total or epochs, Budget())


def compared_by(training: Training) -> np.ndarray:
    """What the epochs (epochs,) of a network of classes are compared by: the score, and the log loss beside it."""
    curves = training.curves
    return np.array(curves.validation_score) - log_loss_weight(VALIDATION) * np.array(curves.validation_loss)


def numbered(training: Training, number: int) -> Training:
    return replace(training, member=replace(training.member, number=number))


def bits(training: Training) -> list[tuple]:
    """Every array of a training, with its kind, shape and bytes, its curves and its signals."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(training.state)]
    curves = [np.array(getattr(training.curves, name)) for name in CURVES]
    signals = [np.array([epoch, *chain(*(one[name] for name in sorted(one)))], float) for epoch, one in training.curves.signals]
    return [(str(x.dtype), x.shape, x.tobytes()) for x in (*leaves, *curves, *signals)]
