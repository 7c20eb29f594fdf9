"""Mixup: training on points between two rows, with the loss shared between their targets.

    share ~ Beta(strength, strength)
    x <- share x_i + (1 - share) x_j
    loss <- share loss(f(x), y_i) + (1 - share) loss(f(x), y_j)

One share is drawn for a batch, as in the authors' code. The partner j of row i is the next row of the batch: the rows of a
batch are in random order already, so it is as random as a drawn one and costs less.

Use: on numeric features when there are few rows or noisy labels; strengths of 0.1 to 0.4. It hurts where points between two
rows make no sense.

Source: Zhang et al. (2018), "mixup: beyond empirical risk minimization".
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "strength",
        default=0.0,
        low=0.0,
        high=10.0,
        search=(0.0, 0.4),
        meaning="both parameters of the Beta distribution: 0 mixes nothing, 1 draws the share uniformly",
        source="Zhang et al. (2018) for the search range, 0.1 to 0.4 do well there; default off",
        on=0.2,
    ),
)


def share(key: UInt32[Array, ""], strength) -> Float[Array, ""]:
    """The share of the own row, for a batch: Beta(strength, strength), or 1 at strength 0.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> float(share(jnp.uint32(1), 0.0))
    1.0
    """
    positive = jnp.where(strength > 0, strength, 1.0)
    return jnp.where(strength > 0, jax.random.beta(jax.random.key(key), positive, positive), 1.0)


def partner(rows: Array) -> Array:
    """Each row's partner: the next row, and the first for the last.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> partner(jnp.array([1, 2, 3])).tolist()
    [2, 3, 1]
    """
    return jnp.roll(rows, -1, axis=0)


def mix(own, other, share):
    """What lies between: of the features of two rows, or of the losses for their two targets.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> x = jnp.array([[0.0], [4.0]])
    >>> mix(x, partner(x), 0.75).tolist()
    [[1.0], [3.0]]
    """
    return share * own + (1 - share) * other
