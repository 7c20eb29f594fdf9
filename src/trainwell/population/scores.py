"""How good predictions are: one function for each score, larger is better, inside the program.

Every function takes predictions (rows, outputs) and targets (rows,): probabilities for classes (one column, that of the second
class, for two), scaled target values for regression. The tests hold each against scikit-learn, also with ties and with classes
of which no row is there.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

SMALLEST = 1e-7  # chosen: the smallest probability whose logarithm is taken

Predictions = Float[Array, "rows outputs"]
Target = Num[Array, " rows"]
Score = Float[Array, ""]


def auc(predictions: Float[Array, "rows 1"], target: Target) -> Score:
    """Share of (positive, negative) pairs in the right order, ties half: from the mean rank of the positives."""
    score = predictions[:, 0]
    ordered = jnp.sort(score)
    below = jnp.searchsorted(ordered, score, side="left")
    up_to = jnp.searchsorted(ordered, score, side="right")
    rank = (below + up_to + 1) / 2
    positive = target == 1
    positives = positive.sum()
    pairs = positives * (len(score) - positives).astype(jnp.float32)
    wins = jnp.where(positive, rank - (positives + 1) / 2, 0).sum()
    return wins / jnp.maximum(pairs, 1)


def average_precision(predictions: Float[Array, "rows 1"], target: Target) -> Score:
    """Mean over the positives of the precision among all rows with a score of theirs or above; 0 where there is no positive.

    Rows with equal scores come in together, as in scikit-learn: no order among them is invented.
    """
    true, called, positives = _at_each_threshold(predictions[:, 0], target == 1)
    return jnp.where(target == 1, true / called, 0).sum() / jnp.maximum(positives, 1)


def accuracy(predictions: Predictions, target: Target) -> Score:
    """Share of the rows whose likeliest class is theirs."""
    return (_likeliest(predictions) == target).mean()


def balanced_accuracy(predictions: Predictions, target: Target) -> Score:
    """Mean over the classes that are present of the share found."""
    hits, rows, _ = _counts(predictions, target)
    return (hits / jnp.maximum(rows, 1)).sum() / (rows > 0).sum()


def best_balanced_accuracy(predictions: Predictions, target: Target) -> Score:
    """For two classes the balanced accuracy at the best threshold for these very rows."""
    if predictions.shape[1] > 1:
        return balanced_accuracy(predictions, target)
    true, called, positives = _at_each_threshold(predictions[:, 0], target == 1)
    negatives = len(target) - positives
    found, falsely = true / jnp.maximum(positives, 1), (called - true) / jnp.maximum(negatives, 1)
    best = (1 + jnp.maximum((found - falsely).max(), 0)) / 2  # 1/2 is what calling no row positive gives
    return jnp.where((positives == 0) | (negatives == 0), 1.0, best)


def f1(predictions: Predictions, target: Target) -> Score:
    """F1 of the positive class of two; of several, the mean over the classes that are there or predicted."""
    hits, rows, called = _counts(predictions, target)
    each = 2 * hits / jnp.maximum(rows + called, 1)
    return each[1] if predictions.shape[1] == 1 else each.sum() / (rows + called > 0).sum()


def best_f1(predictions: Predictions, target: Target) -> Score:
    """For two classes the F1 at the best threshold for these very rows."""
    if predictions.shape[1] > 1:
        return f1(predictions, target)
    true, called, positives = _at_each_threshold(predictions[:, 0], target == 1)
    return (2 * true / (called + positives)).max()


def negative_log_loss(predictions: Predictions, target: Target) -> Score:
    """Mean log probability of the right class."""
    chosen = jnp.take_along_axis(_of_classes(predictions), target[:, None].astype(jnp.int32), axis=1)
    return jnp.log(jnp.clip(chosen, SMALLEST, 1)).mean()


def r2(predictions: Float[Array, "rows 1"], target: Target) -> Score:
    """Share of the target's variance that is explained."""
    return 1 - ((predictions[:, 0] - target) ** 2).sum() / jnp.maximum(((target - target.mean()) ** 2).sum(), SMALLEST)


def negative_rmse(predictions: Float[Array, "rows 1"], target: Target) -> Score:
    return -jnp.sqrt(((predictions[:, 0] - target) ** 2).mean())


def negative_mae(predictions: Float[Array, "rows 1"], target: Target) -> Score:
    return -jnp.abs(predictions[:, 0] - target).mean()


@dataclass(frozen=True)
class NegativePinball:
    """Minus the mean pinball loss of a quantile; its best constant is that quantile of the target.

    Source: Koenker & Bassett (1978), "Regression quantiles".
    """

    quantile: float

    def __call__(self, predictions: Any, target: Any) -> Array:
        residual = target - predictions[:, 0]
        return -jnp.maximum(self.quantile * residual, (self.quantile - 1) * residual).mean()


def _of_classes(predictions: Predictions) -> Float[Array, "rows classes"]:
    return jnp.concatenate([1 - predictions, predictions], axis=1) if predictions.shape[1] == 1 else predictions


def _likeliest(predictions: Predictions) -> Num[Array, " rows"]:
    return jnp.argmax(_of_classes(predictions), axis=1)


def _counts(predictions: Predictions, target: Target) -> tuple[Array, Array, Array]:
    """For each class (rows of it that were found, rows of it, rows called it)."""
    classes = max(2, predictions.shape[1])
    truth = jax.nn.one_hot(target, classes)
    called = jax.nn.one_hot(_likeliest(predictions), classes)
    return (truth * called).sum(axis=0), truth.sum(axis=0), called.sum(axis=0)


def _at_each_threshold(score: Float[Array, " rows"], positive: Array) -> tuple[Array, Array, Array]:
    """With every row's own score as threshold: (positives among the rows called positive, rows called positive); and all
    positives."""
    order = jnp.argsort(score)
    above = jnp.searchsorted(score[order], score, side="left")  # rows with a lower score
    positives = positive.sum()
    lower = jnp.concatenate([jnp.zeros(1, int), jnp.cumsum(positive[order])])
    return positives - lower[above], len(score) - above, positives
