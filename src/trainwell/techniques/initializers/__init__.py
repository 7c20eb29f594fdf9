"""Initializers: the weights of one layer before training.

`INITIALIZERS` is the family by name; each draws from a JAX key and a shape (fan_in, fan_out):

    weights = draw(key, shape, **settings)

Those that need a batch of data are in `data_dependent`, the bias of the last layer in `output_bias`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from trainwell.errors import InputError, listed, nearest
from trainwell.hyperparameter import Hyperparameter
from trainwell.techniques.initializers import constant, dropout_adjusted, he, lecun, orthogonal, random, xavier


class Initializer(NamedTuple):
    """A rule for the weights of one layer."""

    name: str
    draw: Callable[..., Any]
    hyperparameters: tuple[Hyperparameter, ...] = ()


INITIALIZERS: dict[str, Initializer] = {
    initializer.name: initializer
    for initializer in (
        Initializer("zeros", constant.zeros),
        Initializer("constant", constant.constant, constant.HYPERPARAMETERS),
        Initializer("normal", random.normal, random.HYPERPARAMETERS),
        Initializer("uniform", random.uniform),
        Initializer("xavier_normal", xavier.normal),
        Initializer("xavier_uniform", xavier.uniform),
        Initializer("he_normal", he.normal, he.HYPERPARAMETERS),
        Initializer("he_uniform", he.uniform, he.HYPERPARAMETERS),
        Initializer("lecun_normal", lecun.normal),
        Initializer("orthogonal", orthogonal.draw, orthogonal.HYPERPARAMETERS),
        Initializer("dropout_adjusted", dropout_adjusted.draw, dropout_adjusted.HYPERPARAMETERS),
    )
}

DEFAULT_BY_ACTIVATION = {
    **dict.fromkeys(("relu", "leaky_relu", "elu", "gelu", "silu", "mish"), "he_normal"),
    **dict.fromkeys(("sigmoid", "tanh", "identity"), "xavier_normal"),
    "selu": "lecun_normal",
}


def default_for(activation: str) -> str:
    """Default by activation: the initializer that keeps the variance through layers with this activation.

        relu, leaky_relu, elu, gelu, silu, mish -> he_normal
        sigmoid, tanh, identity -> xavier_normal
        selu -> lecun_normal

    Use: always, unless you know better.

    Source: Glorot & Bengio (2010); He et al. (2015); Klambauer et al. (2017).

    Examples
    --------
    >>> default_for("relu"), default_for("tanh"), default_for("selu")
    ('he_normal', 'xavier_normal', 'lecun_normal')
    """
    if activation not in DEFAULT_BY_ACTIVATION:
        hint = nearest(activation, DEFAULT_BY_ACTIVATION) or "."
        raise InputError(f"There is no activation {activation!r}{hint} There are {listed(DEFAULT_BY_ACTIVATION, most=20)}.")
    return DEFAULT_BY_ACTIVATION[activation]
