"""Whether networks do better with fewer columns: a forest says which matter, small networks how many of them are enough.

A first layer weighs every column that it is given. Of hundreds, most of which say nothing, it learns the accidents of the
training rows; trees, which choose a column at a time, suffer less. So a random forest on the training rows ranks the columns,
and small networks are trained with all of them and with some, the foremost ones. Fewer are taken only where loss and score
of the validation rows are both clearly better. These networks are scikit-learn's: each number of columns would be another
program of ours, and compiling it takes longer than all of their training.

Source: Karpathy (2019), "A recipe for training neural networks", whose fourth step has the smaller input; Breiman (2001),
"Random forests", for the ranking; Grinsztajn, Oyallon & Varoquaux (2022), "Why do tree-based models still outperform deep
learning on tabular data?", section 5.3, for how networks suffer from columns that say nothing.
"""

import dataclasses
import json
import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from trainwell.data.encode import Arrays
from trainwell.data.roles import FEATURES
from trainwell.errors import listed
from trainwell.explain.columns import places
from trainwell.recipe import fixed
from trainwell.recipe.baselines.simple_models import can_hold_out, predicted, some_rows, weights_for
from trainwell.recipe.context import SMALLEST, Context
from trainwell.recipe.final_scores import can_be_doubted, doubt
from trainwell.recipe.pace import SECONDS_CHOOSING

NAME = "columns"
MANY = 32  # chosen: columns from which on fewer are tried; with fewer, networks learn by themselves what to leave alone
ENOUGH_ROWS = 200  # chosen: training rows for each column from which on networks learn that, too
FEWEST = 8  # chosen: the least number that is tried
MOST_TRIED, APART = 4, 3.0  # chosen: numbers of columns tried, and how far apart they lie where these are enough
TREES, AT_A_TIME, SMALLEST_LEAF = 200, 50, 2  # chosen: of the forest; the clock is looked at between parts of it
MOST_ROWS = 4000  # chosen: training rows from which a forest ranks columns in a few seconds
MOST_NUMBERS = 4_000_000  # chosen: of all training rows together, which small networks learn in a few seconds
NETWORKS = 2  # chosen: for each number of columns; their predictions are averaged
EPOCHS, RATE = 60, 0.003  # chosen: of these networks, whose training ends early where they can hold out rows
CLEARLY = 2.0  # chosen: standard errors of the mean difference of a row's losses
SHARE_OF_TIME = 0.15  # chosen: of the run's time at most
SECONDS_OF_A_ROW, SECONDS_OF_A_NUMBER = 8e-6, 2e-8  # measured: to learn a row once, and each of its numbers
NO_TIME = "There was no time to find out whether fewer columns do better."
LISTED = 12  # chosen: columns that are named in a sentence


class Chosen(NamedTuple):
    """What came of it: the columns that networks read, in the table's order (None: all), what is said and was measured."""

    columns: tuple[str, ...] | None = None
    says: str = ""
    measures: Mapping[str, Any] = {}
    tables: Mapping[str, list[dict[str, Any]]] = {}


ALL = Chosen()


class _Tried(NamedTuple):
    """A number of columns: the small networks' mean prediction of the validation rows, its score, each row's loss (rows,)."""

    columns: int
    predictions: np.ndarray
    score: float
    losses: np.ndarray


def worth_trying(context: Context) -> bool:
    """Whether there are many columns, not many times as many rows, and nobody has decided."""
    if context.options.settings.get(NAME, fixed.COLUMNS.default) == "all":
        return False
    columns, inputs = len(context.encoder.columns), context.arrays.numeric.shape[1] + context.arrays.categories.shape[1]
    rows = len(context.split.train) if context.sample is None else context.sample.file.rows
    return columns >= MANY and rows < ENOUGH_ROWS * columns and rows * inputs <= MOST_NUMBERS


def smaller_input(context: Context, suits: Callable[[Context], bool] = lambda narrowed: True) -> Chosen:
    """The columns to go on with, and why; nothing where it is not worth trying or there is no time.

    ``suits`` says whether what the user holds or has searched is of use to networks of fewer columns; others are not tried.
    """
    if not worth_trying(context):
        return ALL
    began, context = context.budget.used, context.within(SHARE_OF_TIME, beyond=True)
    ranked = by_importance(context)
    asked = [number for number in numbers_of_columns(len(ranked)) if suits(narrowed(context, ranked[:number]))]
    if not asked:
        return ALL
    done = [_tried(context, len(ranked))] if _seconds(context) < context.budget.left else []
    done += [_tried(narrowed(context, ranked[:number]), number) for number in asked if done and not context.budget.passed]
    if len(done) < 2:
        return Chosen(says=NO_TIME, measures={SECONDS_CHOOSING: context.budget.used - began})
    best = max((one for one in done[1:] if _clearly_better(one, done[0], context)), key=lambda one: one.score, default=done[0])
    found = _chosen(context, ranked, done, best)
    return found._replace(measures={**found.measures, SECONDS_CHOOSING: context.budget.used - began})


def _seconds(context: Context) -> float:
    """What the small networks of all columns take at most."""
    numbers = context.arrays.numeric.shape[1] + context.arrays.categories.shape[1]
    return NETWORKS * EPOCHS * len(context.split.train) * (SECONDS_OF_A_ROW + numbers * SECONDS_OF_A_NUMBER)


def narrowed(context: Context, columns: Collection[str] | None) -> Context:
    """The run with these columns alone (None: all): the others are ignored from here on, and the model never asks for them."""
    if columns is None:
        return context
    kept = set(columns)
    if kept == {column.name for column in context.encoder.columns}:
        return context
    roles = [
        column
        if column.name in kept or column.role not in FEATURES
        else dataclasses.replace(column, role="ignored", why="small networks do better without it")
        for column in context.schema.columns
    ]
    schema = dataclasses.replace(context.schema, columns=tuple(roles))
    encoder = dataclasses.replace(
        context.encoder, schema=schema, columns=tuple(column for column in context.encoder.columns if column.name in kept)
    )
    own = [place for name, place in places(context.encoder).items() if name in kept]
    arrays = dataclasses.replace(
        context.arrays,
        numeric=context.arrays.numeric[:, sorted(number for place in own for number in place.numeric)],
        categories=context.arrays.categories[:, sorted(place.category for place in own if place.category is not None)],
    )
    return dataclasses.replace(context, schema=schema, encoder=encoder, arrays=arrays)


def numbers_of_columns(columns: int) -> list[int]:
    """Fewer and fewer, as far apart as each other, down to the fewest.

    >>> numbers_of_columns(500), numbers_of_columns(77), numbers_of_columns(32)
    ([178, 63, 22, 8], [36, 17, 8], [16, 8])
    """
    count = min(MOST_TRIED, max(1, math.ceil(math.log(columns / FEWEST, APART))))
    return [round(columns * (FEWEST / columns) ** (step / count)) for step in range(1, count + 1)]


def by_importance(context: Context) -> list[str]:
    """The columns, the one first by which a forest of the training rows lowers its impurity most."""
    kind = RandomForestRegressor if context.task == "regression" else RandomForestClassifier
    classes = None if context.task == "regression" else context.train.target
    rows = context.train.take(some_rows(len(context.split.train), MOST_ROWS, context.options.seed, classes))
    forest = kind(
        max_features="sqrt", min_samples_leaf=SMALLEST_LEAF, warm_start=True, random_state=context.options.seed,
        n_jobs=context.pool.threads,
    )  # fmt: skip
    for trees in range(AT_A_TIME, TREES + 1, AT_A_TIME):
        forest.set_params(n_estimators=trees)
        forest.fit(_inputs(rows, context), rows.target, sample_weight=rows.weights)
        if context.budget.passed:
            break
    numbers, categories = np.split(forest.feature_importances_, [context.arrays.numeric.shape[1]])
    importance = {
        name: numbers[list(place.numeric)].sum() + (0 if place.category is None else categories[place.category])
        for name, place in places(context.encoder).items()
    }
    return sorted(importance, key=lambda name: -importance[name])


def _inputs(rows: Arrays, context: Context) -> np.ndarray:
    """Numbers, and after them the places of levels, 0 to 1: the more frequent a level, the lower."""
    return np.column_stack([rows.numeric, rows.categories / np.array(context.encoder.cardinalities, np.float32)])


def _tried(context: Context, columns: int) -> _Tried:
    """Small networks of these columns, whose training counts rows by their weights where scikit-learn's can."""
    kind, rows, held_out = MLPRegressor if context.task == "regression" else MLPClassifier, context.train, context.validation
    guesses = []
    for seed in range(NETWORKS):
        network = kind(
            hidden_layer_sizes=SMALLEST,
            learning_rate_init=RATE,
            max_iter=EPOCHS,
            early_stopping=can_hold_out(context),
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs tell enough
            network.fit(_inputs(rows, context), rows.target, **weights_for(network, rows))
        guesses.append(predicted(network, _inputs(held_out, context), context))
    predictions = np.mean(guesses, axis=0)
    score = float(context.metric.score(predictions, held_out.target, held_out.weights))
    return _Tried(columns, predictions, score, _losses(predictions, held_out.target, context.task))


def _losses(predictions: np.ndarray, target: np.ndarray, task: str) -> np.ndarray:
    """The loss of each row (rows,): squared error, or minus the logarithm of the true class's probability."""
    if task == "regression":
        return np.asarray((predictions[:, 0] - target) ** 2, np.float64)
    if task == "binary":
        right = np.where(target == 1, predictions[:, 0], 1 - predictions[:, 0])
    else:
        right = predictions[np.arange(len(target)), target]
    return np.asarray(-np.log(np.clip(right, 1e-6, 1.0)), np.float64)


def _clearly_better(fewer: _Tried, whole: _Tried, context: Context) -> bool:
    """Whether score and loss are both better by more than chance explains."""
    held_out, metric = context.validation, context.metric
    gain = whole.losses - fewer.losses
    gain = gain if held_out.weights is None else gain * held_out.weights
    if not gain.mean() > CLEARLY * gain.std(ddof=1) / math.sqrt(len(gain)):
        return False
    both = (fewer.predictions, whole.predictions)
    if not can_be_doubted(metric):
        return fewer.score > whole.score
    groups = context.groups_of(context.split.validation)
    return fewer.score - whole.score > doubt(both, held_out.target, metric, held_out.weights, groups, seed=context.options.seed)


def _chosen(context: Context, ranked: Sequence[str], done: Sequence[_Tried], best: _Tried) -> Chosen:
    label, whole = context.metric.label, done[0]
    others = ", ".join(f"{context.said(one.score)} with {one.columns}" for one in done[1:])
    says = (
        f"A forest ranked the {whole.columns:,} columns, and small networks learned from all and from the foremost: "
        f"{label} on the validation rows is {context.said(whole.score)} with all, {others}."
    )
    kept = set(ranked[: best.columns])
    columns = tuple(column.name for column in context.encoder.columns if column.name in kept)
    measures: dict[str, Any] = {"columns_tried": len(done), "columns_score": best.score}
    if best is whole:
        says += " Fewer are not clearly better: the networks read all."
    else:
        named = listed(ranked[: best.columns], LISTED)
        says += f" The networks read {best.columns} of them, the most telling first: {named}."
        measures |= {NAME: json.dumps(columns), "columns_gain": best.score - whole.score}
    rows = [
        {
            "columns": one.columns,
            f"validation {label}": context.shown(one.score),
            "mean loss": round(float(one.losses.mean()), 4),
        }
        for one in done
    ]
    return Chosen(None if best is whole else columns, says, measures, {"How many columns the networks read": rows})
