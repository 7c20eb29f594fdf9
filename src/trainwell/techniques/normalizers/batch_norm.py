"""Batch normalization: each unit's values over the batch brought to mean 0 and variance 1, then scaled and shifted.

    x^ = (x - mean) / sqrt(variance + eps)        y = gamma x^ + beta

mean and variance are those of the batch in training, and the gradient flows through them; gamma and beta are learned
(gamma = sqrt(variance), beta = mean undo it all). At test time they are estimates for the population: a moving average of the
training batches, or `population_statistics`, exact from one pass over the training rows. (Of more than 32,768 training rows
the engine passes so many forward, drawn at random, which is within half a percent of a spread.)

The variance here divides by the rows. For the moving average the paper and PyTorch take the variance that divides by rows - 1:
`unbiased` converts. Dropout before batch normalization makes the variance larger in training than at test; statistics from
a pass with dropout off are right again (Hendrycks & Gimpel 2016).

Use: in deeper networks, which gain more, with batches of 32 rows and more; before the activation for ReLU-like units, after
it for s-shaped ones. Not after dropout (Li 2018), and not where the absolute scale of the features is the signal. A run that
is told otherwise says so (`trainwell.recipe.fixed.remarks`).

Source: Ioffe & Szegedy (2015), algorithms 1 and 2.
"""

from collections.abc import Iterable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.errors import InputError
from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "epsilon",
        default=1e-5,
        low=1e-8,
        high=1e-1,
        scale="log",
        search=(1e-6, 1e-3),
        meaning="added to the variance, against division by zero",
        source="PyTorch; range chosen",
    ),
    Hyperparameter(
        "momentum",
        default=0.9,
        low=0.0,
        high=0.9999,
        search=(0.8, 0.99),
        meaning="share of the moving average that stays at each step (PyTorch calls 1 minus it momentum)",
        source="PyTorch; range chosen",
    ),
)

Units = Float[Array, " units"]


def train(x: Float[Array, "rows units"], scale: Units, shift: Units, *, epsilon, axis: int = -1) -> tuple[Array, Units, Units]:
    """Normalized by the batch's own statistics.

    Parameters
    ----------
    x : values of the units for each row; all other axes are pooled with the rows.
    scale, shift : gamma and beta.
    epsilon : added to the variance.
    axis : which axis of ``x`` counts the units; 0 where they come first.

    Returns
    -------
    The output, and the batch's mean and variance for `moving_average`.

    Raises
    ------
    InputError
        A batch of one row, whose variance is zero whatever the unit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> y, mean, variance = train(jnp.array([[1.0], [5.0]]), jnp.ones(1), jnp.zeros(1), epsilon=1e-5)
    >>> mean.tolist(), variance.tolist(), [f"{value:.3f}" for value in y[:, 0]]
    ([3.0], [4.0], ['-1.000', '1.000'])
    """
    return _normalized(axis, x, scale, shift, jnp.asarray(epsilon, x.dtype))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _normalized(axis, x, scale, shift, epsilon):
    """`train`, with the gradient in closed form: with x^ the normalized units, g that of y and k = gamma / sqrt(var + eps),

        dL/dx = k (g - mean(g) - x^ mean(g x^)),   dL/dgamma = sum(g x^),   dL/dbeta = sum(g)

    and what comes back through the mean and variance that are handed out. Left to itself, JAX goes back through each step of
    the variance, which took three times as long.
    """
    return _normalized_forward(axis, x, scale, shift, epsilon)[0]


def _normalized_forward(axis, x, scale, shift, epsilon):
    mean, variance = statistics(x, axis)
    root = jax.lax.rsqrt(variance + epsilon)
    normalized = (x - _along(mean, x, axis)) * _along(root, x, axis)
    y = normalized * _along(scale, x, axis) + _along(shift, x, axis)
    return (y, mean, variance), (normalized, root, scale)


def _normalized_backward(axis, kept, gradients):
    normalized, root, scale = kept
    gradient, of_mean, of_variance = gradients
    rows = normalized.size // normalized.shape[axis]
    down, across = _sum(gradient, axis), _sum(gradient * normalized, axis)
    weight, deviation = scale * root, across * scale * root - 2 * of_variance / root
    through = _along(weight, gradient, axis) * gradient - _along((down * weight - of_mean) / rows, gradient, axis)
    through -= normalized * _along(deviation / rows, gradient, axis)
    of_epsilon = -0.5 * (scale * across * root**2).sum()
    return through, across, down, of_epsilon


_normalized.defvjp(_normalized_forward, _normalized_backward)


def _along(units: Units, x: Array, axis: int) -> Array:
    """The units' numbers so that they meet the units' axis of x."""
    shape = [1] * x.ndim
    shape[axis] = -1
    return units.reshape(shape)


def _sum(x: Array, axis: int) -> Units:
    """Over all axes but the units', as a product with ones: which a CPU computes several times as fast as a sum."""
    if axis == 0:
        rows = x.reshape(len(x), -1)
        return rows @ jnp.ones(rows.shape[1], x.dtype)
    rows = x.reshape(-1, x.shape[-1])
    return jnp.ones(len(rows), x.dtype) @ rows


def test(
    x: Float[Array, "rows units"],
    mean: Units,
    variance: Units,
    scale: Units,
    shift: Units,
    *,
    epsilon,
    axis: int = -1,  # noqa: PT028 - it is no test
) -> Array:
    """At test time: normalized by given statistics, so that rows do not touch each other.

        y = gamma (x - mean) / sqrt(variance + eps) + beta,   mean and variance of the population

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> one = jnp.ones(1)
    >>> test(jnp.array([[5.0]]), 3 * one, 4 * one, scale=10 * one, shift=one, epsilon=0.0).tolist()
    [[11.0]]
    """
    factor = scale * jax.lax.rsqrt(variance + epsilon)
    return (x - _along(mean, x, axis)) * _along(factor, x, axis) + _along(shift, x, axis)


def statistics(x: Float[Array, "rows units"], axis: int = -1) -> tuple[Units, Units]:
    """Mean and variance of each unit over a batch; ``axis`` counts the units, the last one or 0.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> mean, variance = statistics(jnp.array([[1.0], [5.0]]))
    >>> mean.tolist(), variance.tolist()
    ([3.0], [4.0])
    """
    if x.size <= x.shape[axis]:
        raise InputError("Batch normalization got a training batch of 1 row; it needs 2 rows or more to measure a variance.")
    rows = x.size // x.shape[axis]
    mean = _sum(x, axis) / rows
    return mean, _sum(jnp.square(x - _along(mean, x, axis)), axis) / rows


def unbiased(variance: Units, rows) -> Units:
    """The variance that divides by rows - 1, from the one that divides by rows.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> unbiased(jnp.array([4.0]), rows=2).tolist()
    [8.0]
    """
    return variance * (rows / (rows - 1))


def moving_average(old: Units, new: Units, *, momentum) -> Units:
    """Moving average: the running estimate of a statistic after one more batch.

        estimate <- momentum estimate + (1 - momentum) of the batch

    Use: for test-time statistics while training goes on, as in validation after each epoch.

    Source: Ioffe & Szegedy (2015), section 3.1; as in PyTorch and Keras.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> moving_average(jnp.array([1.0]), jnp.array([3.0]), momentum=0.75).tolist()
    [1.5]
    """
    return momentum * old + (1 - momentum) * new


def population_statistics(batches: Iterable[tuple[Units, Units, int]]) -> tuple[Units, Units]:
    """Population statistics: exact mean and variance of all rows, from (mean, variance, rows) of each batch of one pass.

        mean = sum_b (n_b / n) mean_b
        variance = sum_b (n_b / n) (variance_b + (mean_b - mean)^2)

    The sizes n_b of the batches may differ.

    Use: for the final model; with dropout off in the pass where there is dropout before batch normalization, which removes
    the shift between the variance in training and at test. Of more than 32,768 training rows a run takes so many, at random.

    Source: Hendrycks & Gimpel (2016), "Adjusting for dropout variance in batch normalization and weight initialization";
    Chan, Golub & LeVeque (1983) for the pooling.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> x = jnp.array([[1.0], [2.0], [6.0]])
    >>> mean, variance = population_statistics([(*statistics(x[:2]), 2), (x[2], jnp.zeros(1), 1)])
    >>> bool(jnp.allclose(mean, x.mean(axis=0))), bool(jnp.allclose(variance, x.var(axis=0)))
    (True, True)
    """
    means, variances, rows = (jnp.stack([jnp.asarray(part) for part in parts]) for parts in zip(*batches, strict=True))
    shares = (rows / rows.sum())[:, None]
    mean = jnp.sum(shares * means, axis=0)
    return mean, jnp.sum(shares * (variances + jnp.square(means - mean)), axis=0)
