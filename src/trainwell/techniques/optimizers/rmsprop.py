"""RMSprop: each weight's step divided by the running root mean square of its own gradient.

    v <- beta v + (1 - beta) g^2        theta <- theta - eta g / (sqrt(v) + eps)

Here g^2 is the squared gradient, element by element. It is not a second derivative, as some slides call it; and eta is a
hyperparameter like any other, though a slide leaves it out. Weights and biases follow the same rule.

Use: where the gradients of different weights differ much in size, and in recurrent networks; the learning rate then is
about the size of every weight's step. Adam adds momentum and is the more usual choice.

Source: Hinton, Srivastava & Swersky (2012), "Neural networks for machine learning", lecture 6e.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "learning_rate",
        default=1e-3,
        low=1e-6,
        high=1.0,
        scale="log",
        search=(3e-4, 1e-2),
        meaning="about the size of each weight's step",
        source="Hinton et al. (2012); range chosen",
    ),
    Hyperparameter(
        "beta",
        default=0.9,
        low=0.0,
        high=0.9999,
        search=(0.8, 0.999),
        meaning="share of the running mean square that stays at each step",
        source="Hinton et al. (2012); range chosen",
    ),
    Hyperparameter(
        "epsilon",
        default=1e-8,
        low=1e-12,
        high=1e-2,
        scale="log",
        search=(1e-10, 1e-6),
        meaning="added to the root, against division by zero",
        source="PyTorch; range chosen",
    ),
)


class MeanSquare(NamedTuple):
    square: Float[Array, "*shape"]


def init(weight: Float[Array, "*shape"]) -> MeanSquare:
    """The state before the first step: a running mean square of zero, of the weight's shape.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> init(jnp.ones(2)).square.tolist()
    [0.0, 0.0]
    """
    return MeanSquare(jnp.zeros_like(weight))


def update(
    gradient: Float[Array, "*shape"], state: MeanSquare, step, *, learning_rate, beta, epsilon
) -> tuple[Float[Array, "*shape"], MeanSquare]:
    """The change of one weight array in one step; `step` is not used.

    Examples
    --------
    Gradients of 4 and of 0.04 make steps of the same size.

    >>> import jax.numpy as jnp
    >>> gradient = jnp.array([4.0, 0.04])
    >>> change, state = update(gradient, init(jnp.zeros(2)), 1, learning_rate=0.1, beta=0.75, epsilon=1e-8)
    >>> [f"{value:.4f}" for value in change]
    ['-0.2000', '-0.2000']
    """
    square = beta * state.square + (1 - beta) * gradient**2
    return -learning_rate * gradient / (jnp.sqrt(square) + epsilon), MeanSquare(square)
