"""Weight averaging: what is kept is no single point of the path through the weights, but the mean of its last stretch.

    average_1 = theta_1
    average_t = average_(t-1) + (1 - beta_t) (theta_t - average_(t-1)),   beta_t = min(beta, (t - 1) / t)

after each epoch t; theta are the weights that train, which go on as if there were no average. With beta = 1 it is the plain
mean of all epochs, with beta = 0 the last epoch's weights, between them the mean of the last 1 / (1 - beta) epochs or so.

Use: where the loss still jumps from epoch to epoch, as at a learning rate that stays high: the mean lies in the middle of what
the steps jump about in. Statistics of batch normalization are to be measured for it anew: those of the path are of other
weights.

Source: Polyak & Juditsky (1992); Izmailov et al. (2018), "Averaging weights leads to wider optima and better generalization";
the exponential form as in Tarvainen & Valpola (2017), with a mean in place of their bias at the start.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "beta",
        default=0.8,
        low=0.0,
        high=1.0,
        search=(0.5, 0.95),
        meaning="share of the average before that stays after an epoch; 0 is no average",
        source="chosen: about five epochs",
    ),
)


class State(NamedTuple):
    average: PyTree[Array]  # of the epochs so far
    epochs: Int[Array, ""]


def init(weights: PyTree[Array]) -> State:
    """The state before the first epoch, which takes the place of these weights.

    Examples
    --------
    >>> int(init(jnp.zeros(2)).epochs)
    0
    """
    return State(weights, jnp.zeros((), jnp.int32))


def update(state: State, weights: PyTree[Array], *, beta) -> State:
    """The state after an epoch that ended with these weights.

    Examples
    --------
    >>> state = init(jnp.zeros(()))
    >>> for weight in (3.0, 6.0, 9.0):
    ...     state = update(state, jnp.array(weight), beta=1.0)
    >>> f"{state.average:.1f}"
    '6.0'
    """
    epochs = state.epochs + 1
    new = jnp.maximum(1 - beta, 1 / epochs.astype(float))
    return State(jax.tree.map(lambda average, weight: average + new * (weight - average), state.average, weights), epochs)
