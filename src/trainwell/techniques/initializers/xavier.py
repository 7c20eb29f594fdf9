"""Xavier (Glorot) initialization: the variance of the signal kept forward and backward as well as one number can.

Forward asks for Var(W) = 1/fan_in, backward for 1/fan_out; this is the harmonic mean of the two. A slide writes
N(0, sigma): sigma there is the standard deviation, not the variance.

Use: with sigmoid, tanh and linear layers, which near zero pass the signal on unhalved. For ReLU-like units, He.

Source: Glorot & Bengio (2010), equations 12 and 16.
"""

import jax
from jaxtyping import Array, Float


def normal(key: jax.Array, shape: tuple[int, int]) -> Float[Array, "fan_in fan_out"]:
    """Xavier normal: the variance kept forward and backward as well as one number can.

        W ~ N(0, std^2),   std = sqrt(2 / (fan_in + fan_out))

    Examples
    --------
    >>> import jax
    >>> weights = normal(jax.random.key(0), (150, 50))
    >>> bool(0.097 < weights.std() < 0.103)
    True
    """
    fan_in, fan_out = shape
    return (2 / (fan_in + fan_out)) ** 0.5 * jax.random.normal(key, shape)


def uniform(key: jax.Array, shape: tuple[int, int]) -> Float[Array, "fan_in fan_out"]:
    """Xavier uniform: the same variance, and no weight far out.

        W ~ U[-a, a],   a = sqrt(6 / (fan_in + fan_out))

    Examples
    --------
    >>> import jax
    >>> weights = uniform(jax.random.key(0), (400, 200))
    >>> bool(0.099 < abs(weights).max() <= 0.1)
    True
    """
    fan_in, fan_out = shape
    bound = (6 / (fan_in + fan_out)) ** 0.5
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)
