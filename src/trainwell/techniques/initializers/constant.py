"""Zero and constant weights: every unit of a layer the same.

    zeros       W = 0
    constant    W = c

With equal weights all units of a layer compute the same thing, get the same gradient and stay the same forever, whatever c
is (0 or 10): the layer has the capacity of one unit. Only something random breaks the symmetry.

Use: zeros for biases, and for nothing else; constant to show the symmetry.

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
    """Weights of zero; the key is not used.

    Examples
    --------
    >>> import jax
    >>> zeros(jax.random.key(0), (1, 2)).tolist()
    [[0.0, 0.0]]
    """
    return jnp.zeros(shape)


def constant(key: jax.Array, shape: tuple[int, ...], *, value) -> Float[Array, "..."]:
    """Weights that are all `value`; the key is not used.

    Examples
    --------
    >>> import jax
    >>> constant(jax.random.key(0), (1, 2), value=10.0).tolist()
    [[10.0, 10.0]]
    """
    return jnp.full(shape, value, dtype=float)
