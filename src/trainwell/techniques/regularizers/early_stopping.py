"""Early stopping: training ends when the validation measure no longer improves.

    improved   =  score > best + min_delta
    waited     <- 0 if improved else waited + 1
    stopped    <- stopped or waited >= patience

The state is a few numbers, so each member of a population stops at its own epoch while its neighbours train on. After an
update, ``waited == 0`` says that this epoch is the best so far: keep its weights, and restore them at the end.

Use: always; it is the cheapest regularizer and saves time. Patience long enough to outlast the noise of the curve.

Source: Prechelt (1998), "Early stopping - but when?"
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "patience", default=10, low=1, high=10_000, search=(5, 30), meaning="epochs without improvement before stopping"
    ),
    Hyperparameter(
        "min_delta",
        default=0.0,
        low=0.0,
        high=1e6,
        search=(0.0, 1e-3),
        meaning="least rise of the score that counts; of errors of a number in standard deviations of the training target",
    ),
)


class State(NamedTuple):
    best: jax.Array  # best score so far, minus infinity before the first
    waited: jax.Array  # epochs since the best
    stopped: jax.Array  # true from the epoch on in which patience ended


def init() -> State:
    """The state before the first epoch.

    Examples
    --------
    >>> bool(init().stopped)
    False
    """
    return State(jnp.full((), -jnp.inf, float), jnp.zeros((), jnp.int32), jnp.zeros((), bool))


def update(state: State, score, *, patience, min_delta) -> State:
    """The state after an epoch.

    Parameters
    ----------
    state : from `init` or the epoch before; once stopped it changes no more.
    score : the validation measure of this epoch, larger is better; NaN counts as no improvement.
    patience, min_delta : see the declarations above.

    Examples
    --------
    >>> state = init()
    >>> for score in (0.5, 0.7, 0.6, 0.65, 0.9):
    ...     state = update(state, score, patience=2, min_delta=0.0)
    >>> f"{state.best:.1f}", bool(state.stopped)
    ('0.7', True)
    """
    improved = (score > state.best + min_delta) & ~state.stopped
    waited = jnp.where(improved, 0, jnp.where(state.stopped, state.waited, state.waited + 1))
    return State(jnp.where(improved, score, state.best).astype(state.best.dtype), waited, state.stopped | (waited >= patience))
