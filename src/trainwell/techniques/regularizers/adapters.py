"""Adapters: many networks in one, which share its matrices and differ by factors on what enters and leaves each layer.

    h_a = s_a * (W (r_a * x)) + b_a,   a = 1 .. k
    loss = mean over a of loss(f_a(x), y),   prediction = mean over a of the predictions

W is common to all, r_a, s_a and b_a are each network's own, and so is the whole output layer. Networks that begin alike would
stay alike: the first layer's r_a is drawn as -1 or 1, all other factors begin as 1. A trained network a is a plain one with the
matrices s_a W r_a.

Use: on few rows, as some of an ensemble's members; 8 to 32 networks in one. A step takes as many products as that many
networks, but one update.

Source: Gorishniy, Kotelnikov & Babenko (2025), "TabM: advancing tabular deep learning with parameter-efficient ensembling";
the factors from Wen, Tran & Ba (2020), "BatchEnsemble".
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def draw_signs(key: jax.Array, fan_in: int, networks: int) -> Float[Array, "fan_in networks"]:
    """The first layer's factors r: -1 or 1, each as likely.

    Examples
    --------
    >>> import jax
    >>> sorted(set(draw_signs(jax.random.key(0), 8, 4).ravel().tolist()))
    [-1.0, 1.0]
    """
    return jax.random.rademacher(key, (fan_in, networks), jnp.float32)


def layer(
    weight: Float[Array, "fan_out fan_in"],
    x: Float[Array, "fan_in networks rows"],
    r: Float[Array, "fan_in networks"],
    s: Float[Array, "fan_out networks"],
    bias: Float[Array, "fan_out networks"],
    product: Callable[[Array, Array], Array] = jnp.matmul,
) -> Float[Array, "fan_out networks rows"]:
    """What leaves a layer of every network; inputs that are the same for all of them may be of (fan_in, 1, rows).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> r, s, bias = jnp.array([[1.0, -1.0]]), jnp.array([[1.0, 2.0]]), jnp.zeros((1, 2))
    >>> layer(jnp.array([[3.0]]), jnp.ones((1, 1, 1)), r, s, bias).ravel().tolist()
    [3.0, -6.0]
    """
    entering = x * r[:, :, None]
    units = product(weight, entering.reshape(len(r), -1)).reshape(len(weight), *entering.shape[1:])
    return units * s[:, :, None] + bias[:, :, None]


def heads(
    weight: Float[Array, "networks outputs units"],
    x: Float[Array, "units networks rows"],
    bias: Float[Array, "networks outputs"],
) -> Float[Array, "outputs networks rows"]:
    """The outputs of every network, by an output layer of its own.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> heads(jnp.array([[[1.0]], [[2.0]]]), jnp.ones((1, 2, 1)), jnp.zeros((2, 1))).ravel().tolist()
    [1.0, 2.0]
    """
    return jnp.einsum("kou,ukr->okr", weight, x) + bias.T[:, :, None]
