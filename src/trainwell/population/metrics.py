"""The measures that drive early stopping, halving and the ensemble: one function each, larger is better, inside the program.

Every function takes predictions (rows, outputs) and targets (rows,): probabilities for classes (one column, that of the second
class, for two), scaled target values for regression. What is reported at the end is computed by scikit-learn; the tests hold
the two against each other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from trainwell.errors import InputError, listed, nearest

CLASSES = ("binary", "multiclass")
TIE = 0.01  # chosen: weight of the log loss beside a score; a hundredth of a score is noise on most tables
SMALLEST = 1e-7  # chosen: the smallest probability whose logarithm is taken


class Metric(NamedTuple):
    """A measure of predictions.

    Parameters
    ----------
    name : as on the command line.
    label : as in the report.
    score : (predictions (rows, outputs), target (rows,)) -> number, larger is better, for every metric.
    tasks : what it can measure.
    sign : 1 where the shown figure is the score, -1 where it is its negative (a loss).
    in_target_units : whether the shown figure must be multiplied by the scale of the target.
    """

    name: str
    label: str
    score: Callable[[Any, Any], Array]
    tasks: tuple[str, ...]
    sign: int = 1
    in_target_units: bool = False

    def criterion(self, predictions: Any, target: Any) -> Array:
        """What is maximized: the score, and where scores tie or nearly do, the smaller log loss. Few validation rows tie often:
        accuracy and AUC then say that the first epoch to get them all right is as good as the best."""
        score = self.score(predictions, target)
        return score + TIE * _negative_log_loss(predictions, target) if self.tasks[0] in CLASSES else score

    def shown(self, score: float, target_scale: float = 1.0) -> float:
        """The figure that a person reads: a loss positive, an error in the target's own unit."""
        return self.sign * float(score) * (target_scale if self.in_target_units else 1.0)


def predictions_of(outputs: Float[Array, "rows outputs"], task: str) -> Float[Array, "rows outputs"]:
    """Probabilities from logits; regression's outputs as they are."""
    if task == "binary":
        return jax.nn.sigmoid(outputs)
    return jax.nn.softmax(outputs, axis=-1) if task == "multiclass" else outputs


def _auc(predictions: Float[Array, "rows 1"], target: Num[Array, " rows"]) -> Float[Array, ""]:
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


def _of_classes(predictions: Float[Array, "rows outputs"]) -> Float[Array, "rows classes"]:
    return jnp.concatenate([1 - predictions, predictions], axis=1) if predictions.shape[1] == 1 else predictions


def _accuracy(predictions, target):
    return (jnp.argmax(_of_classes(predictions), axis=1) == target).mean()


def _balanced_accuracy(predictions, target):
    """Mean over the classes that are present of the share found."""
    predictions = _of_classes(predictions)
    truth = jax.nn.one_hot(target, predictions.shape[1])
    found = truth * (jnp.argmax(predictions, axis=1) == target)[:, None]
    rows = truth.sum(axis=0)
    return (found.sum(axis=0) / jnp.maximum(rows, 1)).sum() / (rows > 0).sum()


def _negative_log_loss(predictions, target):
    chosen = jnp.take_along_axis(_of_classes(predictions), target[:, None].astype(jnp.int32), axis=1)
    return jnp.log(jnp.clip(chosen, SMALLEST, 1)).mean()


def _r2(predictions, target):
    return 1 - ((predictions[:, 0] - target) ** 2).sum() / jnp.maximum(((target - target.mean()) ** 2).sum(), SMALLEST)


def _negative_rmse(predictions, target):
    return -jnp.sqrt(((predictions[:, 0] - target) ** 2).mean())


def _negative_mae(predictions, target):
    return -jnp.abs(predictions[:, 0] - target).mean()


METRICS = {
    metric.name: metric
    for metric in (
        Metric("auc", "AUC", _auc, ("binary",)),
        Metric("accuracy", "accuracy", _accuracy, CLASSES),
        Metric("balanced_accuracy", "balanced accuracy", _balanced_accuracy, CLASSES),
        Metric("log_loss", "log loss", _negative_log_loss, CLASSES, sign=-1),
        Metric("r2", "R2", _r2, ("regression",)),
        Metric("rmse", "RMSE", _negative_rmse, ("regression",), sign=-1, in_target_units=True),
        Metric("mae", "MAE", _negative_mae, ("regression",), sign=-1, in_target_units=True),
    )
}
DEFAULT = {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}


def metric_for(task: str, name: str | None = None) -> Metric:
    """The metric of that name, or the task's own where none was chosen."""
    allowed = [metric.name for metric in METRICS.values() if task in metric.tasks]
    name = DEFAULT[task] if name is None else name
    if name not in allowed:
        raise InputError(f"metric is {name!r}{nearest(name, allowed) or ','} allowed for a {task} target is {listed(allowed)}.")
    return METRICS[name]
