"""LeCun initialization: the variance of a linear layer's output equal to that of its input.

    W ~ N(0, 1 / fan_in)

Use: with SELU, whose fixed point of mean 0 and variance 1 assumes exactly this; also with linear layers.

Source: LeCun et al. (1998), "Efficient backprop", section 4.6; Klambauer et al. (2017) for SELU.
"""

import jax
from jaxtyping import Array, Float


def normal(key: jax.Array, shape: tuple[int, int]) -> Float[Array, "fan_in fan_out"]:
    """Normal weights of variance 1 / fan_in.

    Examples
    --------
    >>> import jax
    >>> weights = normal(jax.random.key(0), (100, 100))
    >>> bool(0.097 < weights.std() < 0.103)
    True
    """
    return shape[0] ** -0.5 * jax.random.normal(key, shape)
