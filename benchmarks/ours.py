"""The work done by trainwell's own engine."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.work import Work, table
from trainwell.network.structure import Structure, hyperparameters_of, resolve
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.devices import available_cores, pool
from trainwell.population.epoch import Data
from trainwell.population.member import Member, Training
from trainwell.population.step import Rows

NEVER = 10_000  # epochs of patience: nobody stops early, so that all do the same number of steps
STRENGTHS = {"dropout.rate": 0.2, "input_noise.standard_deviation": 0.1, "activation_noise.standard_deviation": 0.1}  # chosen


def structure_of(work: Work) -> Structure:
    """The network of the work, with nothing on that the others have not."""
    chosen: dict[str, Any] = {
        "dropout": "inverted" if "dropout" in work.extras else "none",
        "batch_norm": "before" if "batch norm" in work.extras else "none",
        "noises": tuple(place for place in ("input", "activation") if f"{place} noise" in work.extras),
    }
    return Structure(
        numeric=work.inputs,
        continuous=work.inputs,
        cardinalities=(),
        outputs=work.outputs,
        loss="squared_error" if work.outputs == 1 else "cross_entropy",
        widths=work.widths,
        batch_size=work.batch,
        activation="relu",
        numeric_embedding="none",
        input_scaling="none",
        decay="none",
        schedule="constant",
        **chosen,
    )


def population_of(work: Work) -> Population:
    """Data and devices: a GPU where there is one, else the cores that this process may use."""
    numeric, target, validation_numeric, validation_target = table(work)
    data = Data(_rows(numeric, target), _rows(validation_numeric, validation_target))
    task, metric = ("regression", "r2") if work.outputs == 1 else ("multiclass", "accuracy")
    cores = None if os.environ.get("BENCHMARK_ON_GPU") else available_cores()
    prior = np.zeros(work.outputs, np.float32)
    return Population(data, task, metric, prior, 0, pool(cores), work.networks, work.signals)


def trainings_of(work: Work) -> list[Training]:
    """The members before their first epoch, each with its own settings."""
    structure = structure_of(work)
    usual = {"early_stopping.patience": NEVER, **STRENGTHS}
    known = hyperparameters_of(structure)
    made = []
    for number, (rate, moment) in enumerate(work.settings(), start=work.first):
        chosen = {**usual, "adam.learning_rate": rate, "adam.beta1": moment}
        settings = resolve(structure, {name: value for name, value in chosen.items() if name in known})
        made.append(Training(Member(number, structure, settings)))
    return made


def train(argument: dict) -> Callable[[], dict]:
    """Train all networks from their first weights; the table stays on the devices from one run to the next."""
    work = Work.from_json(argument)
    population = population_of(work)
    return lambda: _trained(population, work)


def fit(argument: dict) -> Callable[[], dict]:
    """The same from arrays in memory, as a user meets it: the table is handed over anew each time."""
    work = Work.from_json(argument)
    return lambda: _trained(population_of(work), work)


def _trained(population: Population, work: Work) -> dict:
    done = population.train(trainings_of(work), work.epochs, work.epochs, Budget())
    if any(training.epochs != work.epochs for training in done):
        raise SystemExit("A network stopped before its last epoch: it did less than the others.")
    return {"loss": float(np.mean([training.curves.training_loss[-1] for training in done]))}


def _rows(numeric: np.ndarray, target: np.ndarray) -> Rows:
    kind = np.float32 if target.dtype == np.float32 else np.int32
    return Rows(numeric, np.zeros((len(numeric), 0), np.int32), target.astype(kind))
