"""Dropout: each unit off with a probability, in training only, so that no unit can lean on another.

Both have the same expectation in training and at test; the inverted form, now usual, leaves nothing to do at test time.
`rate` is the share switched OFF, as in Keras, PyTorch and JAX. A slide's "0.5-0.8" and "multiply by p" speak of keep.

Use: when the training loss is far below the validation loss. A rate of 0.1 to 0.5 on hidden layers, less on inputs, none on
the output; not before batch normalization, whose test-time variance it shifts.

Source: Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting".
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt32

from trainwell import random_bits
from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "rate",
        default=0.0,
        low=0.0,
        high=0.95,
        search=(0.0, 0.5),
        meaning="probability that a unit is switched off in training",
        source="Srivastava et al. (2014) for the search range; default off",
    ),
)


def kept(key: UInt32[Array, ""], shape: tuple[int, ...], rate) -> Bool[Array, "*shape"]:
    """The mask: true with probability 1 - rate. Compares integers, which spares a conversion for every unit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> bool(abs(kept(jnp.uint32(1), (10_000,), 0.3).mean() - 0.7) < 4 * 0.0046)
    True
    """
    threshold = (jnp.asarray(rate, jnp.float32) * 2.0**32).astype(jnp.uint32)
    return random_bits.bits(key, shape) >= threshold


def inverted(x: Float[Array, "*shape"], key: UInt32[Array, ""], rate) -> Float[Array, "*shape"]:
    """Inverted dropout: units off at random and the rest scaled up, in training only.

        training    y = x mask / keep,   mask ~ Bernoulli(keep), keep = 1 - rate
        test        y = x                (leave this function out)

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> sorted(set(inverted(jnp.ones(100), jnp.uint32(1), 0.75).tolist()))
    [0.0, 4.0]
    """
    return jnp.where(kept(key, x.shape, rate), x * (1 / (1 - rate)), 0)


def course(x: Float[Array, "*shape"], key: UInt32[Array, ""], rate, training: bool) -> Float[Array, "*shape"]:
    """Dropout in the course's form: units off at random in training; all on, times keep, at test.

        training    y = x mask,   mask ~ Bernoulli(keep), keep = 1 - rate
        test        y = keep x

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> sorted(set(course(jnp.ones(100), jnp.uint32(1), 0.75, training=True).tolist()))
    [0.0, 1.0]
    >>> course(jnp.ones(2), jnp.uint32(1), 0.75, training=False).tolist()
    [0.25, 0.25]
    """
    if training:
        return jnp.where(kept(key, x.shape, rate), x, 0)
    return x * (1 - rate)
