"""Max-norm: the incoming weights of each unit kept within a ball, whatever the gradient says.

    w_j <- w_j min(1, limit / |w_j|), after each step

Use: together with dropout and a large learning rate, which it keeps from blowing up; limits of 3 to 4.

Source: Srebro & Shraibman (2005); Srivastava et al. (2014), section 5.1.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "limit",
        default=3.0,
        low=1e-3,
        high=1e6,
        scale="log",
        search=(0.5, 10.0),
        meaning="greatest length of the incoming weights of a unit",
        source="Srivastava et al. (2014); range chosen",
    ),
)


def cap(weight: Float[Array, "fan_in fan_out"], limit) -> Float[Array, "fan_in fan_out"]:
    """The weights with every column no longer than `limit`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> cap(jnp.array([[6.0, 0.5], [8.0, 0.0]]), 5.0).tolist()
    [[3.0, 0.5], [4.0, 0.0]]
    """
    length = jnp.linalg.norm(weight, axis=0)
    return weight * (limit / jnp.maximum(length, limit))
