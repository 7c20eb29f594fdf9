"""Momentum: steps along a running average of the gradients, so that what points back and forth cancels.

    m <- beta m + (1 - beta) g        theta <- theta - eta m

The course averages, as here; Polyak and PyTorch's SGD sum (`classical`). The two make the same steps where the averaged
form has an eta that is 1 / (1 - beta) times as large: ten times at beta 0.9.

Use: in long furrows and on plateaus, where gradient descent crawls: the number of steps grows with the square root of the
condition number instead of with the condition number. Beta 0.9 is a good start; nearer 1 for smoother, longer memory.

Source: Polyak (1964); Sutskever et al. (2013), "On the importance of initialization and momentum in deep learning".
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

BETA = Hyperparameter(
    "beta",
    default=0.9,
    low=0.0,
    high=0.999,
    search=(0.5, 0.99),
    meaning="share of the running average that stays at each step",
    source="Sutskever et al. (2013); range chosen",
)
HYPERPARAMETERS = (
    Hyperparameter(
        "learning_rate",
        default=1e-1,
        low=1e-6,
        high=100.0,
        scale="log",
        search=(1e-2, 10.0),
        meaning="length of a step for a steady gradient of length 1",
        source="the classical form's default divided by 1 - beta; range chosen",
    ),
    BETA,
)
SUMMED_HYPERPARAMETERS = (  # of the classical form and of Nesterov's
    Hyperparameter(
        "learning_rate",
        default=1e-2,
        low=1e-6,
        high=10.0,
        scale="log",
        search=(1e-3, 1.0),
        meaning="length of the first step for a gradient of length 1",
        source="default of Keras' SGD; range chosen",
    ),
    BETA,
)


class Momentum(NamedTuple):
    mean: Float[Array, "*shape"]


def init(weight: Float[Array, "*shape"]) -> Momentum:
    """The state before the first step: a running average of zero, of the weight's shape.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> init(jnp.ones(2)).mean.tolist()
    [0.0, 0.0]
    """
    return Momentum(jnp.zeros_like(weight))


def update(
    gradient: Float[Array, "*shape"], momentum: Momentum, step, *, learning_rate, beta
) -> tuple[Float[Array, "*shape"], Momentum]:
    """The change of one weight array in one step of the averaged form; `step` is not used.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> change, momentum = update(jnp.array([1.0]), init(jnp.zeros(1)), 1, learning_rate=1.0, beta=0.75)
    >>> change.tolist(), momentum.mean.tolist()
    ([-0.25], [0.25])
    """
    mean = beta * momentum.mean + (1 - beta) * gradient
    return -learning_rate * mean, Momentum(mean)


def classical(
    gradient: Float[Array, "*shape"], momentum: Momentum, step, *, learning_rate, beta
) -> tuple[Float[Array, "*shape"], Momentum]:
    """Classical momentum: the gradients summed, not averaged; `step` is not used.

        m <- beta m + g        theta <- theta - eta m

    Source: Polyak (1964), "Some methods of speeding up the convergence of iteration methods"; PyTorch's SGD.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> change, momentum = classical(jnp.array([1.0]), Momentum(jnp.array([2.0])), 2, learning_rate=0.5, beta=0.5)
    >>> change.tolist(), momentum.mean.tolist()
    ([-1.0], [2.0])
    """
    total = beta * momentum.mean + gradient
    return -learning_rate * total, Momentum(total)


def nesterov(
    gradient: Float[Array, "*shape"], momentum: Momentum, step, *, learning_rate, beta
) -> tuple[Float[Array, "*shape"], Momentum]:
    """Nesterov momentum: the gradient taken where the momentum is about to carry the weight; `step` is not used.

        m <- beta m + g        theta <- theta - eta (g + beta m)

    Written on the looked-ahead weight, as Sutskever showed and PyTorch does, it costs no second gradient.

    Source: Nesterov (1983); Sutskever et al. (2013), section 2; PyTorch's SGD with nesterov=True.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> change, momentum = nesterov(jnp.array([1.0]), Momentum(jnp.array([2.0])), 2, learning_rate=0.5, beta=0.5)
    >>> change.tolist(), momentum.mean.tolist()
    ([-1.0], [2.0])
    """
    total = beta * momentum.mean + gradient
    return -learning_rate * (gradient + beta * total), Momentum(total)
