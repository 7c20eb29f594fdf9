"""Gradient descent: a step against the gradient.

    theta <- theta - eta g

One rule serves three methods, told apart by the rows that the gradient g is averaged over: all of them (gradient descent,
``batch_size="full"``), one drawn at random (stochastic gradient descent, ``batch_size=1``), or B drawn at random
(mini-batch gradient descent, ``batch_size=B``). Fewer rows make a step cheaper and its direction noisier.

Use: full batches for small data and smooth losses; single rows for streams; mini-batches of 32 to 512 rows for everything
else, where the noise of the gradient also helps out of saddle points and sharp minima.

Source: Cauchy (1847); Robbins & Monro (1951) for rows drawn at random.
"""

from typing import NamedTuple

from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "learning_rate",
        default=1e-2,
        low=1e-6,
        high=10.0,
        scale="log",
        search=(1e-3, 1.0),
        meaning="length of a step for a gradient of length 1",
        source="default of Keras' SGD; range chosen",
    ),
)


class NoState(NamedTuple):
    """Gradient descent remembers nothing."""


def init(weight: Float[Array, "*shape"]) -> NoState:
    """The state before the first step: none.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> init(jnp.ones(2))
    NoState()
    """
    return NoState()


def update(gradient: Float[Array, "*shape"], state: NoState, step, *, learning_rate) -> tuple[Float[Array, "*shape"], NoState]:
    """The change of one weight array in one step.

    Parameters
    ----------
    gradient : gradient of the loss, of the weight's shape.
    state : from `init` or the step before.
    step : number of this step, from 1 (not used here).
    learning_rate : eta.

    Returns
    -------
    What to add to the weight, and the next state.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> weight = jnp.array([3.0, -4.0])
    >>> gradient = jax.grad(lambda w: 0.5 * jnp.sum(w**2))(weight)
    >>> change, state = update(gradient, init(weight), 1, learning_rate=0.5)
    >>> (weight + change).tolist()
    [1.5, -2.0]
    """
    return -learning_rate * gradient, state
