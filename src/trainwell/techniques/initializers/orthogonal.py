"""Orthogonal initialization: a random rotation, which changes no length on the way forward or back.

    W = gain Q, Q random with orthonormal columns (fan_in >= fan_out) or rows (otherwise)

Q comes from the QR decomposition of a normal matrix, each column with the sign that makes R's diagonal positive: without
that, Q is not uniform over the rotations.

Use: in very deep or recurrent networks, where products of many layers must neither explode nor vanish; with gain sqrt(2)
for ReLU. It is the start of LSUV.

Source: Saxe, McClelland & Ganguli (2013), "Exact solutions to the nonlinear dynamics of learning"; Mezzadri (2007), signs.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "gain",
        default=1.0,
        low=1e-3,
        high=10.0,
        scale="log",
        search=(0.5, 2.0),
        meaning="factor on the length of what passes through",
        source="Saxe et al. (2013); range chosen",
    ),
)


def draw(key: jax.Array, shape: tuple[int, int], *, gain) -> Float[Array, "fan_in fan_out"]:
    """Weights whose columns (or rows, where these are fewer) are orthogonal and of length `gain`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> weights = draw(jax.random.key(0), (5, 3), gain=1.0)
    >>> bool(jnp.allclose(weights.T @ weights, jnp.eye(3), atol=1e-6))
    True
    """
    fan_in, fan_out = shape
    tall = jax.random.normal(key, (max(shape), min(shape)))
    q, r = jnp.linalg.qr(tall)
    q = q * jnp.where(jnp.diagonal(r) < 0, -1, 1)
    return gain * (q if fan_in >= fan_out else q.T)
