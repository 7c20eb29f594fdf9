"""Losses: how wrong the outputs of a network are, for each row; the engine takes the mean.

`LOSSES` is the family by name. Classification losses take logits, not probabilities: only from logits can they be computed
without overflow or loss of figures, and all of them are right, in value and gradient, at logits of +-1000.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from trainwell.errors import InputError
from trainwell.hyperparameter import Hyperparameter

LABEL_SMOOTHING = (
    Hyperparameter(
        "label_smoothing",
        default=0.0,
        low=0.0,
        high=0.9,
        search=(0.0, 0.2),
        meaning="probability taken from the label and spread over all classes",
        source="Szegedy et al. (2016) for the search range; default off",
    ),
)
FOCAL = (
    Hyperparameter(
        "gamma",
        default=2.0,
        low=0.0,
        high=10.0,
        search=(0.0, 5.0),
        meaning="how much less a row counts that is predicted well; 0 is cross-entropy",
        source="Lin et al. (2017)",
    ),
)
HUBER = (
    Hyperparameter(
        "delta",
        default=1.0,
        low=1e-3,
        high=1e3,
        scale="log",
        search=(0.1, 3.0),
        meaning="residual from which the loss grows linearly, in standard deviations of the training target",
        source="default of PyTorch; range chosen",
    ),
)
QUANTILE = (
    Hyperparameter(
        "quantile", default=0.5, low=0.001, high=0.999, search=(0.05, 0.95), meaning="share of targets below the output"
    ),
)

Rows = Float[Array, " rows"]


def cross_entropy(
    logits: Float[Array, "rows classes"],
    targets: Int[Array, " rows"],
    *,
    label_smoothing,
    class_weights: Float[Array, " classes"] | None = None,
) -> Rows:
    """Cross-entropy: minus the log-probability of the right class.

        - sum_c w_c q_c log softmax(logits)_c,   q = (1 - smoothing) onehot(target) + smoothing / classes

    Class weights multiply each class's term, also its share of the smoothing, as in PyTorch.

    Use: for several classes; class weights where rare classes matter, smoothing where labels are uncertain.

    Source: Bishop (2006), "Pattern recognition and machine learning", equation 4.108; Szegedy et al. (2016) for smoothing.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> [f"{loss:.3f}" for loss in cross_entropy(jnp.array([[0.0, 0.0]]), jnp.array([1]), label_smoothing=0.0)]
    ['0.693']
    """
    _require_classes(logits, targets)
    terms = -jax.nn.log_softmax(logits)
    if class_weights is not None:
        terms = terms * class_weights
    right = jnp.take_along_axis(terms, targets[:, None].astype(jnp.int32), axis=1)[:, 0]
    return (1 - label_smoothing) * right + label_smoothing * terms.mean(axis=1)


def binary_cross_entropy(
    logits: Float[Array, "rows 1"],
    targets: Array,
    *,
    label_smoothing,
    class_weights: Float[Array, "2"] | None = None,
) -> Rows:
    """Binary cross-entropy: minus the log-probability of the right one of two classes, from one logit.

        w_1 q log(1 + exp(-z)) + w_0 (1 - q) log(1 + exp(z)),   q = (1 - smoothing) target + smoothing / 2

    It equals the cross-entropy of the two logits (0, z).

    Use: for two classes, or for several labels of which any may be true.

    Source: Bishop (2006), "Pattern recognition and machine learning", equation 4.90.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> binary_cross_entropy(jnp.array([[1000.0]]), jnp.array([0]), label_smoothing=0.0).tolist()
    [1000.0]
    """
    logits = _column(logits, targets)
    positive = (1 - label_smoothing) * targets + label_smoothing / 2
    negative = 1 - positive
    if class_weights is not None:
        positive, negative = positive * class_weights[1], negative * class_weights[0]
    return positive * jax.nn.softplus(-logits) + negative * jax.nn.softplus(logits)


def focal(logits: Float[Array, "rows classes"], targets: Int[Array, " rows"], *, gamma, class_weights=None) -> Rows:
    """Focal: cross-entropy in which rows that are predicted well count less.

        - w_c (1 - p_c)^gamma log p_c,   p_c = softmax(logits)_c of the right class c

    A single column is taken as the logit of class 1 against class 0.

    Use: where most rows are easy and few are hard, as with very rare classes.

    Source: Lin et al. (2017), "Focal loss for dense object detection", equations 4 and 5.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> [f"{loss:.3f}" for loss in focal(jnp.array([[0.0, 0.0]]), jnp.array([1]), gamma=2.0)]
    ['0.173']
    """
    if logits.ndim == 2 and logits.shape[1] == 1:
        logits = jnp.concatenate([jnp.zeros_like(logits), logits], axis=1)
    _require_classes(logits, targets)
    right = jax.nn.one_hot(targets, logits.shape[1], dtype=bool)
    own = jnp.sum(jnp.where(right, logits, 0), axis=1, keepdims=True)
    odds = jax.nn.logsumexp(jnp.where(right, -jnp.inf, logits - own), axis=1)  # log((1 - p) / p), small where p is near 1
    loss = jnp.exp(-gamma * jax.nn.softplus(-odds)) * jax.nn.softplus(odds)  # (1 - p)^gamma and -log p without cancellation
    return loss if class_weights is None else loss * class_weights[targets]


def squared_error(outputs: Float[Array, "rows 1"], targets: Rows) -> Rows:
    """Squared error: its best constant is the mean.

        (output - target)^2

    Use: for real targets whose errors are about normal.

    Source: Gauss (1809).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> squared_error(jnp.array([[3.0]]), jnp.array([1.0])).tolist()
    [4.0]
    """
    return (_column(outputs, targets) - targets) ** 2


def absolute_error(outputs: Float[Array, "rows 1"], targets: Rows) -> Rows:
    """Absolute error: its best constant is the median.

        |output - target|

    Use: where outliers in the target must not rule.

    Source: Laplace (1774).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> absolute_error(jnp.array([[3.0]]), jnp.array([1.0])).tolist()
    [2.0]
    """
    residual = _column(outputs, targets) - targets
    return residual * jnp.sign(residual)  # JAX gives abs a slope of 1 at 0; this has 0


def huber(outputs: Float[Array, "rows 1"], targets: Rows, *, delta) -> Rows:
    """Huber: squared near zero, linear far out.

        r^2 / 2 if |r| <= delta else delta (|r| - delta / 2),   r = output - target

    Use: where most errors are normal and a few are outliers.

    Source: Huber (1964), "Robust estimation of a location parameter".

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> huber(jnp.array([[1.0], [5.0]]), jnp.array([0.0, 0.0]), delta=2.0).tolist()
    [0.5, 8.0]
    """
    size = jnp.abs(_column(outputs, targets) - targets)
    return jnp.where(size <= delta, size**2 / 2, delta * (size - delta / 2))


def quantile(outputs: Float[Array, "rows 1"], targets: Rows, *, quantile) -> Rows:
    """Quantile (pinball): its best constant is a quantile.

        max(q r, (q - 1) r),   r = target - output

    Use: to predict a bound that the target stays below with probability q, or two of them as an interval.

    Source: Koenker & Bassett (1978), "Regression quantiles".

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> quantile(jnp.array([[0.0], [2.0]]), jnp.array([1.0, 1.0]), quantile=0.75).tolist()
    [0.75, 0.25]
    """
    residual = targets - _column(outputs, targets)
    return jnp.maximum(quantile * residual, (quantile - 1) * residual)


class Loss(NamedTuple):
    """A loss for each row, and the kinds of task that it serves."""

    name: str
    per_row: Callable[..., Array]
    hyperparameters: tuple[Hyperparameter, ...]
    tasks: tuple[str, ...]


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss("cross_entropy", cross_entropy, LABEL_SMOOTHING, ("multiclass",)),
        Loss("binary_cross_entropy", binary_cross_entropy, LABEL_SMOOTHING, ("binary",)),
        Loss("focal", focal, FOCAL, ("multiclass", "binary")),
        Loss("squared_error", squared_error, (), ("regression",)),
        Loss("absolute_error", absolute_error, (), ("regression",)),
        Loss("huber", huber, HUBER, ("regression",)),
        Loss("quantile", quantile, QUANTILE, ("regression",)),
    )
}


def _column(outputs: Array, targets: Array) -> Rows:
    """One output a row; checked, since (rows, 1) against (rows,) would broadcast to rows x rows without a word."""
    if outputs.shape not in {(len(targets), 1), (len(targets),)} or targets.ndim != 1:
        raise InputError(
            f"The loss got outputs of shape {outputs.shape} and targets of shape {targets.shape}; "
            "allowed are (rows, 1) or (rows,) outputs with (rows,) targets."
        )
    return outputs.reshape(-1)


def _require_classes(logits: Array, targets: Array) -> None:
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise InputError(
            f"The loss got logits of shape {logits.shape} and targets of shape {targets.shape}; "
            "allowed are (rows, classes) logits with (rows,) class numbers."
        )
