"""Zero and constant weights: W = c, every unit of a layer the same.

With equal weights all units of a layer compute the same thing, get the same gradient and stay the same forever, whatever c
is (0 or 10): the layer has the capacity of one unit. Only something random breaks the symmetry.

Source: Goodfellow, Bengio & Courville (2016), "Deep learning", section 8.4.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter("value", default=0.1, low=-100.0, high=100.0, search=(-1.0, 1.0), meaning="what all weights are"),
)


def zeros(key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Zero weights: every unit the same; the key is not used.

        W = 0

    Use: for biases, and for nothing else: the units of a layer would stay the same.

    Examples
    --------
    >>> import jax
    >>> zeros(jax.random.key(0), (1, 2)).tolist()
    [[0.0, 0.0]]
    """
    return jnp.zeros(shape)


def constant(key: jax.Array, shape: tuple[int, ...], *, value) -> Float[Array, "..."]:
    """Constant weights: every unit the same; the key is not used.

        W = value

    Use: to show that no constant breaks the symmetry between the units of a layer, neither 0 nor 10.

    Examples
    --------
    >>> import jax
    >>> constant(jax.random.key(0), (1, 2), value=10.0).tolist()
    [[10.0, 10.0]]
    """
    return jnp.full(shape, value, dtype=float)
