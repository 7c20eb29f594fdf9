"""Weight normalization: the length of each unit's incoming weights learned apart from their direction.

v and scale are what is learned; w is what the layer uses. Both are re-parametrizations that hold at every step of
training, not only at its start. Centered weights also let no constant shift of the inputs through, so the mean of a unit's
pre-activation stays near zero; after ReLU-like units, all of whose outputs are positive, that conditions the next layer.

Use: where batch normalization does not fit (small batches, rows that must not touch each other, reinforcement learning).

Source: Salimans & Kingma (2016), equation 2, plain; Huang et al. (2017), "Centered weight normalization", equation 4.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def plain(v: Float[Array, "fan_in fan_out"], scale: Float[Array, " fan_out"]) -> Float[Array, "fan_in fan_out"]:
    """Weight normalization: columns of the lengths `scale`, whatever v.

        w = scale v / |v|,   for each unit's incoming weights v

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> plain(jnp.array([[3.0], [4.0]]), jnp.array([10.0])).tolist()
    [[6.0], [8.0]]
    """
    return scale * (v / jnp.linalg.norm(v, axis=0))


def centered(v: Float[Array, "fan_in fan_out"], scale: Float[Array, " fan_out"]) -> Float[Array, "fan_in fan_out"]:
    """Centered weight normalization: columns of mean 0 and of the lengths `scale`; `fan_in` of at least 2.

        w = scale (v - mean(v)) / |v - mean(v)|,   for each unit's incoming weights v

    Use: where weight normalization is used before or after ReLU-like units.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> [f"{value:.3f}" for value in centered(jnp.array([[3.0], [5.0]]), jnp.array([2.0]))[:, 0]]
    ['-1.414', '1.414']
    """
    return plain(v - v.mean(axis=0), scale)
