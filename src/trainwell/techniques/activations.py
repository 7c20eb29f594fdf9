"""Activations: the function between the layers of a network, without which it would be one linear layer.

`ACTIVATIONS` is the family by name, with the kind that says where batch normalization goes and which initializer fits:
``"relu-like"`` (before the activation; He), ``"s-shaped"`` (after it; Xavier), ``"linear"``.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter
from trainwell.techniques.constants import SELU_ALPHA, SELU_SCALE

LEAKY_RELU = (
    Hyperparameter(
        "slope",
        default=0.01,
        low=0.0,
        high=1.0,
        search=(0.001, 0.3),
        meaning="slope for negative inputs",
        source="Maas et al. (2013)",
    ),
)
ELU = (
    Hyperparameter(
        "alpha",
        default=1.0,
        low=0.0,
        high=10.0,
        search=(0.5, 2.0),
        meaning="minus the limit far left",
        source="Clevert et al. (2016)",
    ),
)

Values = Float[Array, "*shape"]


def identity(x: Values) -> Values:
    """Identity: the input itself.

        x

    Use: on the output, where the loss takes logits or real numbers.

    Source: none needed.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> identity(jnp.array([-1.0, 2.0])).tolist()
    [-1.0, 2.0]
    """
    return x


def sigmoid(x: Values) -> Values:
    """Sigmoid: any number to between 0 and 1.

        1 / (1 + exp(-x))

    Use: for a probability or a gate. In hidden layers it saturates: its slope is at most 1/4, and gradients vanish.

    Source: Rumelhart, Hinton & Williams (1986).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> sigmoid(jnp.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return jax.nn.sigmoid(x)


def tanh(x: Values) -> Values:
    """Tanh: a sigmoid between -1 and 1, of slope 1 at zero.

        (exp(x) - exp(-x)) / (exp(x) + exp(-x))

    Use: rather than the sigmoid in hidden layers, since its outputs are centred; in recurrent networks.

    Source: LeCun et al. (1998), "Efficient backprop", section 4.4.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> tanh(jnp.array([-1000.0, 0.0, 1000.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return jnp.tanh(x)


def relu(x: Values) -> Values:
    """ReLU: negative inputs to zero; slope 0 at zero itself.

        max(0, x)

    Use: the first to try in hidden layers: cheap, and no saturation to the right. Units may die at large learning rates.

    Source: Nair & Hinton (2010); Glorot, Bordes & Bengio (2011).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> relu(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return jax.nn.relu(x)


def leaky_relu(x: Values, *, slope) -> Values:
    """Leaky ReLU: negative inputs pass with a small slope.

        x if x > 0 else slope x

    Use: where ReLU units die: the gradient is never quite zero.

    Source: Maas, Hannun & Ng (2013).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> leaky_relu(jnp.array([-2.0, 2.0]), slope=0.25).tolist()
    [-0.5, 2.0]
    """
    return jnp.where(x > 0, x, slope * x)


def elu(x: Values, *, alpha) -> Values:
    """ELU: smooth, and down to -alpha on the left.

        x if x > 0 else alpha (exp(x) - 1)

    Use: where outputs should be centred without batch normalization.

    Source: Clevert, Unterthiner & Hochreiter (2016).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> elu(jnp.array([-1000.0, 2.0]), alpha=1.5).tolist()
    [-1.5, 2.0]
    """
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.where(x > 0, 0, x)))  # the inner choice keeps exp from overflowing


def selu(x: Values) -> Values:
    """SELU: an ELU scaled so that mean 0 and variance 1 are a stable fixed point from layer to layer.

        1.0507 (x if x > 0 else 1.6733 (exp(x) - 1))

    Use: in deep dense networks without batch normalization, with LeCun-normal weights and standardized inputs.

    Source: Klambauer et al. (2017), "Self-normalizing neural networks".

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> [f"{value:.4f}" for value in selu(jnp.array([-1000.0, 1.0]))]
    ['-1.7581', '1.0507']
    """
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


def gelu(x: Values) -> Values:
    """GELU: the input times the probability that a standard normal is below it.

        x Phi(x) = x (1 + erf(x / sqrt(2))) / 2

    Use: the usual one in transformers; smooth, and a good alternative to ReLU on tables.

    Source: Hendrycks & Gimpel (2016), "Gaussian error linear units"; the exact form, not the tanh approximation.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> [f"{value:.4f}" for value in gelu(jnp.array([-1.0, 1.0]))]
    ['-0.1587', '0.8413']
    """
    return jax.nn.gelu(x, approximate=False)


def silu(x: Values) -> Values:
    """SiLU (swish): the input times its sigmoid.

        x / (1 + exp(-x))

    Use: like GELU, and a little cheaper.

    Source: Elfwing, Uchibe & Doya (2018); Ramachandran, Zoph & Le (2017).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> [f"{value:.4f}" for value in silu(jnp.array([-1.0, 1.0]))]
    ['-0.2689', '0.7311']
    """
    return jax.nn.silu(x)


def mish(x: Values) -> Values:
    """Mish: the input times the tanh of its softplus.

        x tanh(log(1 + exp(x)))

    Use: like SiLU, and a little dearer.

    Source: Misra (2020).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> [f"{value:.4f}" for value in mish(jnp.array([-1.0, 1.0]))]
    ['-0.3034', '0.8651']
    """
    return x * jnp.tanh(jax.nn.softplus(x))


class Activation(NamedTuple):
    """A function of each unit's input alone."""

    name: str
    function: Callable[..., Array]
    hyperparameters: tuple[Hyperparameter, ...]
    kind: Literal["linear", "s-shaped", "relu-like"]


ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation("identity", identity, (), "linear"),
        Activation("sigmoid", sigmoid, (), "s-shaped"),
        Activation("tanh", tanh, (), "s-shaped"),
        Activation("relu", relu, (), "relu-like"),
        Activation("leaky_relu", leaky_relu, LEAKY_RELU, "relu-like"),
        Activation("elu", elu, ELU, "relu-like"),
        Activation("selu", selu, (), "relu-like"),
        Activation("gelu", gelu, (), "relu-like"),
        Activation("silu", silu, (), "relu-like"),
        Activation("mish", mish, (), "relu-like"),
    )
}
