"""Normal and uniform weights, drawn without regard to the layer after it.

Each layer multiplies the variance of what passes through it by about fan_in Var(W). With std 1 that is fan_in, and the
signal explodes with depth; with a small std it vanishes. The uniform rule's factor is 1/3.

Source: LeCun et al. (1998), "Efficient backprop", section 4.6, for the scale 1/sqrt(fan_in).
"""

import jax
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "standard_deviation",
        default=0.05,
        low=1e-6,
        high=10.0,
        scale="log",
        search=(1e-3, 1.0),
        meaning="spread of the weights",
        source="default of Keras' RandomNormal; range chosen",
    ),
)


def normal(key: jax.Array, shape: tuple[int, ...], *, standard_deviation) -> Float[Array, "..."]:
    """Normal weights: of mean 0 and a spread of your choice.

        W ~ N(0, standard_deviation^2)

    Use: for embeddings or a single layer; for deep networks Xavier or He, which keep the variance.

    Examples
    --------
    >>> import jax
    >>> weights = normal(jax.random.key(0), (100, 100), standard_deviation=0.1)
    >>> bool(0.097 < weights.std() < 0.103)
    True
    """
    return standard_deviation * jax.random.normal(key, shape)


def uniform(key: jax.Array, shape: tuple[int, int]) -> Float[Array, "fan_in fan_out"]:
    """Uniform weights: up to 1 / sqrt(fan_in) in size.

        W ~ U[-1 / sqrt(fan_in), 1 / sqrt(fan_in)]

    Use: PyTorch's default for dense layers; for deep networks Xavier or He, which keep the variance.

    Examples
    --------
    >>> import jax
    >>> weights = uniform(jax.random.key(0), (100, 100))
    >>> bool(0.099 < abs(weights).max() <= 0.1)
    True
    """
    bound = shape[0] ** -0.5
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)
