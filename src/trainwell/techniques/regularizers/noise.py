"""Gaussian noise: what is learned must survive small random changes.

    y = x + standard_deviation z,   z ~ N(0, 1), in training only

The same function serves inputs (jitter), weights, activations and gradients.

Use: on standardized inputs (0.01 to 0.3) when there are few rows; on weights to prefer flat minima; on activations like
dropout. Off at test time.

Source: Bishop (1995), "Training with noise is equivalent to Tikhonov regularization".
"""

from jaxtyping import Array, Float, UInt32

from trainwell import random_bits
from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "standard_deviation",
        default=0.0,
        low=0.0,
        high=10.0,
        search=(0.0, 0.3),
        meaning="spread of the noise, in the units of what it is added to",
        source="Graves et al. (2013) add 0.075 to weights; range chosen; default off",
        on=0.075,
    ),
)


def gaussian(x: Float[Array, "*shape"], key: UInt32[Array, ""], standard_deviation) -> Float[Array, "*shape"]:
    """The array with noise added; for training only. Drawn by `random_bits.nearly_normal`, of a quarter the cost.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> noisy = gaussian(jnp.zeros(10_000), jnp.uint32(1), 0.5)
    >>> bool(0.485 < noisy.std() < 0.515)
    True
    """
    return x + standard_deviation * random_bits.nearly_normal(key, x.shape).astype(x.dtype)
