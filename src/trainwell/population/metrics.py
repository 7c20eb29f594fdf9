"""The metrics: what drives early stopping, halving and the ensemble, by name; and how each is shown to a person.

`METRICS` has those with a name; ``pinball:0.9`` is made from its quantile, and `trainwell.population.own_metric` makes one of a
user's function. Inside the engine larger is always better.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jax import nn
from jaxtyping import Array, Float

from trainwell.errors import InputError, listed, nearest
from trainwell.network.target_log import predicted
from trainwell.population import scores
from trainwell.techniques.losses import QUANTILE

CLASSES = ("binary", "multiclass")
LEAST, MOST = 0.01, 0.25  # chosen: weights of the log loss beside a score; a hundredth of a score is noise on most tables
SURE = 100.0  # measured: rows over this number is the weight between; see docs/decisions/ties-broken-by-the-log-loss.md
PINBALL = "pinball"
ORDERS = ("auc", "average_precision")  # metrics of the order of rows, which label smoothing blurs
MEDIAN = QUANTILE[0].default


Score = Callable[..., Any]


class Metric(NamedTuple):
    """A measure of predictions.

    Parameters
    ----------
    name : as on the command line.
    label : as in the report.
    score : (predictions (rows, outputs), target (rows,), weights (rows,) or None) -> number, larger is better, for every
        metric. One that depends on a decision threshold takes the best for the rows given: it compares networks, whose
        threshold is chosen at the end.
    tasks : what it can measure.
    sign : 1 where the shown figure is the score, -1 where it is its negative (a loss).
    in_target_units : whether the shown figure must be multiplied by the scale of the target.
    decided : the same at a threshold of 1/2, for a metric of decisions; None for one of probabilities or numbers.
    loss, loss_settings : the loss that training takes unless another is chosen, and its settings.
    perfect : the best score there can be; None where nobody knows.
    own : whether it is a user's function, which may be called as one of those here and measure something else.
    """

    name: str
    label: str
    score: Score
    tasks: tuple[str, ...]
    sign: int = 1
    in_target_units: bool = False
    decided: Score | None = None
    loss: str | None = None
    loss_settings: tuple[tuple[str, float], ...] = ()
    perfect: float | None = 1.0
    own: bool = False

    @property
    def kind(self) -> str:
        """The name of what it measures, as far as it is known here; empty for a user's function."""
        return "" if self.own else self.name

    def criterion(self, predictions: Any, target: Any, weights: Any = None) -> Any:
        """What is maximized."""
        return self.both(predictions, target, weights)[1]

    def both(self, predictions: Any, target: Any, weights: Any = None) -> tuple[Any, Any]:
        """(the score, what is maximized): the score, and where scores tie or nearly do, the smaller log loss. The fewer the
        rows, the wider apart are scores that chance alone explains, and the more the log loss says beside them: it hears how
        sure each prediction is. A user's own score is taken as it is, for nobody knows its scale."""
        score = self.score(predictions, target, weights)
        if self.tasks[0] not in CLASSES or self.perfect is None:
            return score, score
        weight = LEAST if self.decided else log_loss_weight(len(target))  # of rare classes the log loss has another opinion
        return score, score + weight * scores.negative_log_loss(predictions, target, weights)

    def final(self, predictions: Any, target: Any, weights: Any = None) -> Any:
        """The score of finished predictions, whose threshold was chosen elsewhere and lies at 1/2."""
        return (self.decided or self.score)(predictions, target, weights)

    def shown(self, score: float, target_scale: float = 1.0) -> float:
        """The figure that a person reads: a loss positive, an error in the target's own unit."""
        return self.sign * float(score) * (target_scale if self.in_target_units else 1.0)


def log_loss_weight(rows: int) -> float:
    """How much the log loss counts beside a score that this many rows give.

    >>> [log_loss_weight(rows) for rows in (50, 1_000, 20_000)]
    [0.25, 0.1, 0.01]
    """
    return min(MOST, max(LEAST, SURE / max(rows, 1)))


def predictions_of(
    outputs: Float[Array, "rows *networks outputs"], task: str, logarithm: tuple[float, ...] = ()
) -> Float[Array, "rows outputs"]:
    """Probabilities from logits; regression's outputs as they are, turned back where they are logarithms. Of several networks
    in one the mean of what each predicts."""
    if task == "binary":
        predictions = nn.sigmoid(outputs)
    else:
        predictions = nn.softmax(outputs, axis=-1) if task == "multiclass" else predicted(outputs, logarithm)
    return predictions if predictions.ndim < 3 else predictions.mean(axis=1)


def pinball(quantile: float = MEDIAN, name: str = PINBALL) -> Metric:
    """The pinball loss of a quantile, with the loss of the same name to train with."""
    return Metric(
        name,
        f"pinball loss ({quantile:g})",
        scores.NegativePinball(quantile),
        ("regression",),
        sign=-1,
        in_target_units=True,
        loss="quantile",
        loss_settings=(("quantile.quantile", quantile),),
        perfect=0.0,
    )


def at_half(metric: Metric) -> Metric:
    """The same metric with every network measured at a threshold of 1/2, not at its best one."""
    return metric._replace(score=metric.decided or metric.score)


def _error(name: str, score: Score) -> Metric:
    return Metric(name, name.upper(), score, ("regression",), sign=-1, in_target_units=True, perfect=0.0)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("auc", "AUC", scores.auc, ("binary",)),
        Metric("average_precision", "average precision", scores.average_precision, ("binary",)),
        Metric("accuracy", "accuracy", scores.accuracy, CLASSES, decided=scores.accuracy),
        Metric(
            "balanced_accuracy",
            "balanced accuracy",
            scores.best_balanced_accuracy,
            CLASSES,
            decided=scores.balanced_accuracy,
        ),
        Metric("f1", "F1", scores.best_f1, CLASSES, decided=scores.f1),
        Metric("log_loss", "log loss", scores.negative_log_loss, CLASSES, sign=-1, perfect=0.0),
        Metric("r2", "R2", scores.r2, ("regression",)),
        _error("rmse", scores.negative_rmse),
        _error("mae", scores.negative_mae),
        pinball(),
    )
}
DEFAULT = {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}


def metric_named(metric: str | Metric) -> Metric:
    """The metric itself where only its name is given."""
    if isinstance(metric, Metric):
        return metric
    return METRICS[metric] if metric in METRICS else pinball(float(metric.removeprefix(f"{PINBALL}:")), metric)


def metric_for(task: str, name: str | None = None) -> Metric:
    """The metric of that name, or the task's own where none was chosen."""
    allowed = [metric.name for metric in METRICS.values() if task in metric.tasks]
    name = DEFAULT[task] if name is None else name
    kind, colon, quantile = name.partition(":")
    if colon and kind == PINBALL and kind in allowed:
        return pinball(QUANTILE[0].check(quantile, f"the quantile of metric {name!r}"), name)
    if name not in allowed:
        raise InputError(
            f"metric is {name!r}{nearest(name, allowed) or ','} allowed for a {task} target is {listed(allowed, 12)}."
        )
    return METRICS[name]
