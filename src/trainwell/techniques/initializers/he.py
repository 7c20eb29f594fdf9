"""He (Kaiming) initialization: the variance of the signal kept through units that pass only half of it.

A ReLU sets half of its inputs to zero, which halves the mean square: the 2 makes up for it. A leaky ReLU passes the share
slope^2 of the other half as well.

Use: with ReLU and what resembles it (leaky ReLU, ELU, GELU, SiLU, Mish). For sigmoid and tanh, Xavier; for SELU, LeCun.

Source: He et al. (2015), "Delving deep into rectifiers", equations 10 and 15.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "slope",
        default=0.0,
        low=0.0,
        high=1.0,
        search=(0.0, 0.3),
        meaning="slope of the following activation for negative inputs; before leaky ReLU it is always that one's own",
        source="He et al. (2015); range chosen",
    ),
)


def normal(key: jax.Array, shape: tuple[int, int], *, slope) -> Float[Array, "fan_in fan_out"]:
    """He normal: the variance kept through units that pass only half of the signal.

        W ~ N(0, std^2),   std = sqrt(2 / ((1 + slope^2) fan_in))

    Examples
    --------
    >>> import jax
    >>> weights = normal(jax.random.key(0), (200, 50), slope=0.0)
    >>> bool(0.097 < weights.std() < 0.103)
    True
    """
    return jnp.sqrt(2 / ((1 + slope**2) * shape[0])) * jax.random.normal(key, shape)


def uniform(key: jax.Array, shape: tuple[int, int], *, slope) -> Float[Array, "fan_in fan_out"]:
    """He uniform: the same variance, and no weight far out.

        W ~ U[-a, a],   a = sqrt(6 / ((1 + slope^2) fan_in))

    Examples
    --------
    >>> import jax
    >>> weights = uniform(jax.random.key(0), (600, 100), slope=0.0)
    >>> bool(0.099 < abs(weights).max() <= 0.1)
    True
    """
    bound = jnp.sqrt(6 / ((1 + slope**2) * shape[0]))
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)
