"""How good predictions are: one function for each score, larger is better, inside the program.

Every function takes predictions (rows, outputs) and targets (rows,): probabilities for classes (one column, that of the second
class, for two), scaled target values for regression; and how much each row counts (rows,), or None where all count the same.
Each is one compiled program, also where it is called with NumPy's arrays. The tests hold each against scikit-learn, also with
ties, with weights and with classes of which no row is there.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

SMALLEST = 1e-7  # chosen: the smallest probability whose logarithm is taken

Predictions = Float[Array, "rows outputs"]
Target = Num[Array, " rows"]
Score = Float[Array, ""]
Weights = Any  # NumPy's or JAX's array (rows,), or None


def mean(values: Num[Array, " rows"], weights: Weights = None) -> Score:
    """The weighted mean; the plain one without weights."""
    return values.mean() if weights is None else (values * weights).sum() / weights.sum()


@jax.jit
def auc(predictions: Float[Array, "rows 1"], target: Target, weights: Weights = None) -> Score:
    """Share of (positive, negative) pairs in the right order, ties half: from the mean rank of the positives, or by their
    weights from how much of the negatives lies below each positive."""
    score = _sortable(predictions[:, 0])
    ordered = jnp.sort(score)
    below = jnp.searchsorted(ordered, score, side="left")
    up_to = jnp.searchsorted(ordered, score, side="right")
    positive = target == 1
    if weights is not None:
        own = jnp.where(positive, weights, 0)
        negatives = jnp.concatenate([jnp.zeros(1), jnp.cumsum((weights - own)[jnp.argsort(score)])])
        wins = (own * (negatives[below] + negatives[up_to]) / 2).sum()
        return wins / jnp.maximum(own.sum() * negatives[-1], SMALLEST)
    rank = (below + up_to + 1) / 2
    positives = positive.sum()
    pairs = positives * (len(score) - positives).astype(jnp.float32)
    wins = jnp.where(positive, rank - (positives + 1) / 2, 0).sum()
    return wins / jnp.maximum(pairs, 1)


@jax.jit
def average_precision(predictions: Float[Array, "rows 1"], target: Target, weights: Weights = None) -> Score:
    """Mean over the positives of the precision among all rows with a score of theirs or above; 0 where there is no positive.

    Rows with equal scores come in together, as in scikit-learn: no order among them is invented.
    """
    true, called, positives = _at_each_threshold(predictions[:, 0], target == 1, weights)
    own = 1 if weights is None else weights
    return jnp.where(target == 1, own * true / called, 0).sum() / _least(positives, weights)


@jax.jit
def accuracy(predictions: Predictions, target: Target, weights: Weights = None) -> Score:
    """Share of the rows whose likeliest class is theirs."""
    return mean(_likeliest(predictions) == target, weights)


@jax.jit
def balanced_accuracy(predictions: Predictions, target: Target, weights: Weights = None) -> Score:
    """Mean over the classes that are present of the share found."""
    hits, rows, _ = _counts(predictions, target, weights)
    return (hits / _least(rows, weights)).sum() / (rows > 0).sum()


@jax.jit
def best_balanced_accuracy(predictions: Predictions, target: Target, weights: Weights = None) -> Score:
    """For two classes the balanced accuracy at the best threshold for these very rows."""
    if predictions.shape[1] > 1:
        return balanced_accuracy(predictions, target, weights)
    true, called, positives = _at_each_threshold(predictions[:, 0], target == 1, weights)
    negatives = (len(target) if weights is None else weights.sum()) - positives
    found, falsely = true / _least(positives, weights), (called - true) / _least(negatives, weights)
    best = (1 + jnp.maximum((found - falsely).max(), 0)) / 2  # 1/2 is what calling no row positive gives
    one_class = (target == 1).all() | (target != 1).all()
    return jnp.where(one_class, 1.0, best)


@jax.jit
def f1(predictions: Predictions, target: Target, weights: Weights = None) -> Score:
    """F1 of the positive class of two; of several, the mean over the classes that are there or predicted."""
    hits, rows, called = _counts(predictions, target, weights)
    each = 2 * hits / _least(rows + called, weights)
    return each[1] if predictions.shape[1] == 1 else each.sum() / (rows + called > 0).sum()


@jax.jit
def best_f1(predictions: Predictions, target: Target, weights: Weights = None) -> Score:
    """For two classes the F1 at the best threshold for these very rows."""
    if predictions.shape[1] > 1:
        return f1(predictions, target, weights)
    true, called, positives = _at_each_threshold(predictions[:, 0], target == 1, weights)
    return (2 * true / (called + positives)).max()


@jax.jit
def negative_log_loss(predictions: Predictions, target: Target, weights: Weights = None) -> Score:
    """Mean log probability of the right class."""
    chosen = jnp.take_along_axis(_of_classes(predictions), target[:, None].astype(jnp.int32), axis=1)[:, 0]
    return mean(jnp.log(jnp.clip(chosen, SMALLEST, 1)), weights)


@jax.jit
def r2(predictions: Float[Array, "rows 1"], target: Target, weights: Weights = None) -> Score:
    """Share of the target's variance that is explained."""
    own = 1 if weights is None else weights
    varied = (own * (target - mean(target, weights)) ** 2).sum()
    return 1 - (own * (predictions[:, 0] - target) ** 2).sum() / jnp.maximum(varied, SMALLEST)


@jax.jit
def negative_rmse(predictions: Float[Array, "rows 1"], target: Target, weights: Weights = None) -> Score:
    return -jnp.sqrt(mean((predictions[:, 0] - target) ** 2, weights))


@jax.jit
def negative_mae(predictions: Float[Array, "rows 1"], target: Target, weights: Weights = None) -> Score:
    return -mean(jnp.abs(predictions[:, 0] - target), weights)


@dataclass(frozen=True)
class NegativePinball:
    """Minus the mean pinball loss of a quantile; its best constant is that quantile of the target.

    Source: Koenker & Bassett (1978), "Regression quantiles".
    """

    quantile: float

    def __call__(self, predictions: Any, target: Any, weights: Any = None) -> Array:
        residual = target - predictions[:, 0]
        return -mean(jnp.maximum(self.quantile * residual, (self.quantile - 1) * residual), weights)


def _of_classes(predictions: Predictions) -> Float[Array, "rows classes"]:
    return jnp.concatenate([1 - predictions, predictions], axis=1) if predictions.shape[1] == 1 else predictions


def _likeliest(predictions: Predictions) -> Num[Array, " rows"]:
    return jnp.argmax(_of_classes(predictions), axis=1)


def _least(count: Array, weights: Weights) -> Array:
    """What can be divided by: rows are 1 at least, their weight need not be."""
    return jnp.maximum(count, 1) if weights is None else jnp.maximum(count, SMALLEST)


def _sortable(score: Float[Array, " rows"]) -> Int[Array, " rows"]:
    """Whole numbers in the order of the scores, equal where these are, NaN last: XLA sorts them four times as fast on a CPU."""
    bits = jax.lax.bitcast_convert_type(jnp.asarray(score, jnp.float32), jnp.int32)
    ordered = jnp.where(score == 0, 0, jnp.where(bits < 0, bits ^ jnp.int32(0x7FFFFFFF), bits))  # zeros may have a sign
    return jnp.where(jnp.isnan(score), jnp.iinfo(jnp.int32).max, ordered)


def _counts(predictions: Predictions, target: Target, weights: Weights) -> tuple[Array, Array, Array]:
    """For each class (rows of it that were found, rows of it, rows called it), or their weight."""
    classes = max(2, predictions.shape[1])
    truth = jax.nn.one_hot(target, classes)
    called = jax.nn.one_hot(_likeliest(predictions), classes)
    if weights is not None:
        truth = truth * weights[:, None]
        return (truth * called).sum(axis=0), truth.sum(axis=0), (called * weights[:, None]).sum(axis=0)
    return (truth * called).sum(axis=0), truth.sum(axis=0), called.sum(axis=0)


def _at_each_threshold(score: Float[Array, " rows"], positive: Array, weights: Weights) -> tuple[Array, Array, Array]:
    """With every row's own score as threshold: (positives among the rows called positive, rows called positive); and all
    positives. With weights, the weight of these rows."""
    score = _sortable(score)
    order = jnp.argsort(score)
    above = jnp.searchsorted(score[order], score, side="left")  # rows with a lower score
    if weights is not None:
        true, called = (jnp.cumsum(own[order][::-1])[::-1][above] for own in (jnp.where(positive, weights, 0), weights))
        return true, called, jnp.where(positive, weights, 0).sum()
    positives = positive.sum()
    lower = jnp.concatenate([jnp.zeros(1, int), jnp.cumsum(positive[order])])
    return positives - lower[above], len(score) - above, positives
