"""Adam: steps scaled by bias-corrected running moments of the gradient.

    m <- beta1 m + (1 - beta1) g            v <- beta2 v + (1 - beta2) g^2
    m^ = m / (1 - beta1^t)                  v^ = v / (1 - beta2^t)
    theta <- theta - eta m^ / (sqrt(v^) + eps)

The slides write eps outside the root once, as here and in the paper, and inside once (`update_epsilon_inside`).

Use: the first optimizer to try on nearly every network.

Source: Kingma & Ba (2015), "Adam: a method for stochastic optimization", algorithm 1.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "learning_rate",
        default=1e-3,
        low=1e-6,
        high=1.0,
        scale="log",
        search=(3e-4, 1e-2),
        meaning="about the size of each weight's step",
        source="Kingma & Ba (2015); range chosen",
    ),
    Hyperparameter(
        "beta1",
        default=0.9,
        low=0.0,
        high=0.999,
        search=(0.8, 0.95),
        meaning="share of the running mean of gradients that stays at each step",
        source="Kingma & Ba (2015); range chosen",
    ),
    Hyperparameter(
        "beta2",
        default=0.999,
        low=0.5,
        high=0.9999,
        search=(0.95, 0.999),
        meaning="share of the running mean of squared gradients that stays at each step",
        source="Kingma & Ba (2015); range chosen",
    ),
    Hyperparameter(
        "epsilon",
        default=1e-8,
        low=1e-12,
        high=1e-2,
        scale="log",
        search=(1e-10, 1e-6),
        meaning="added to the root, against division by zero",
        source="Kingma & Ba (2015); range chosen",
    ),
)
ADAMW_HYPERPARAMETERS = (
    *HYPERPARAMETERS,
    Hyperparameter(
        "weight_decay",
        default=1e-2,
        low=0.0,
        high=1.0,
        scale="log",
        search=(1e-4, 1e-1),
        meaning="lambda: share of the weight taken away in a step, per unit of learning rate",
        source="PyTorch's AdamW; range chosen",
    ),
)


class Moments(NamedTuple):
    mean: Float[Array, "*shape"]
    square: Float[Array, "*shape"]


def init(weight: Float[Array, "*shape"]) -> Moments:
    """The state before the first step: both running moments zero, of the weight's shape.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> init(jnp.ones(2)).square.tolist()
    [0.0, 0.0]
    """
    return Moments(jnp.zeros_like(weight), jnp.zeros_like(weight))


def update(
    gradient: Float[Array, "*shape"], moments: Moments, step, *, learning_rate, beta1, beta2, epsilon
) -> tuple[Float[Array, "*shape"], Moments]:
    """The change of one weight array in step number `step`, counted from 1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> settings = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    >>> change, moments = update(jnp.array([4.0, -0.04]), init(jnp.zeros(2)), 1, **settings)
    >>> [f"{value:.4f}" for value in change]
    ['-0.1000', '0.1000']
    """
    moments = _moved(gradient, moments, beta1, beta2)
    mean, square = _unbiased(moments, step, beta1, beta2)
    return -learning_rate * mean / (jnp.sqrt(square) + epsilon), moments


def update_epsilon_inside(
    gradient: Float[Array, "*shape"], moments: Moments, step, *, learning_rate, beta1, beta2, epsilon
) -> tuple[Float[Array, "*shape"], Moments]:
    """Adam, epsilon inside: under the root, where 1e-8 acts like 1e-4 outside.

        theta <- theta - eta m^ / sqrt(v^ + eps),   m^ and v^ as in Adam

    Use: to reproduce work that has it inside, and where gradients fade to nothing and steps must fade with them.

    Source: a slide of the course; `eps_root` of optax's Adam.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> settings = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-2}
    >>> change, moments = update_epsilon_inside(jnp.array([0.1]), init(jnp.zeros(1)), 1, **settings)
    >>> f"{change[0]:.4f}"  # sqrt(0.01 + 0.01) in the denominator
    '-0.0707'
    """
    moments = _moved(gradient, moments, beta1, beta2)
    mean, square = _unbiased(moments, step, beta1, beta2)
    return -learning_rate * mean / jnp.sqrt(square + epsilon), moments


def update_uncorrected(
    gradient: Float[Array, "*shape"], moments: Moments, step, *, learning_rate, beta1, beta2, epsilon
) -> tuple[Float[Array, "*shape"], Moments]:
    """Adam, uncorrected: the moments as they are, to show what the bias correction does.

        theta <- theta - eta m / (sqrt(v) + eps),   m and v as in Adam

    The first steps are (1 - beta1) / sqrt(1 - beta2) times as long: about three times at the defaults.

    Use: to see why the correction is there; not for training.

    Source: Kingma & Ba (2015), section 6.4.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> settings = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    >>> change, moments = update_uncorrected(jnp.array([4.0]), init(jnp.zeros(1)), 1, **settings)
    >>> f"{change[0]:.4f}"  # the corrected step is -0.1
    '-0.3162'
    """
    moments = _moved(gradient, moments, beta1, beta2)
    return -learning_rate * moments.mean / (jnp.sqrt(moments.square) + epsilon), moments


def update_decoupled(
    gradient: Float[Array, "*shape"],
    moments: Moments,
    step,
    weight: Float[Array, "*shape"],
    *,
    learning_rate,
    beta1,
    beta2,
    epsilon,
    weight_decay,
) -> tuple[Float[Array, "*shape"], Moments]:
    """AdamW: Adam with decoupled weight decay, a share of the weight taken away that no moment ever sees.

        theta <- theta - eta (m^ / (sqrt(v^) + eps) + lambda theta),   m^ and v^ as in Adam

    Use: instead of Adam where weight decay is wanted: Adam divides an L2 penalty's gradient by sqrt(v) like any other, and
    so hardly decays the weights that have large gradients.

    Source: Loshchilov & Hutter (2019), "Decoupled weight decay regularization"; lambda times eta as in PyTorch, where the
    paper's algorithm 2 multiplies lambda by the schedule alone.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> settings = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.5}
    >>> weight = jnp.array([2.0])
    >>> change, moments = update_decoupled(jnp.zeros(1), init(weight), 1, weight, **settings)
    >>> f"{change[0]:.4f}"
    '-0.1000'
    """
    change, moments = update(gradient, moments, step, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon)
    return change - learning_rate * weight_decay * weight, moments


def _moved(gradient, moments: Moments, beta1, beta2) -> Moments:
    mean = beta1 * moments.mean + (1 - beta1) * gradient
    square = beta2 * moments.square + (1 - beta2) * gradient**2
    return Moments(mean, square)


def _unbiased(moments: Moments, step, beta1, beta2) -> Moments:
    """Undo the bias of starting from zero."""
    return Moments(moments.mean / (1 - beta1**step), moments.square / (1 - beta2**step))
