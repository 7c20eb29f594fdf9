"""Weight decay: weights pulled towards zero, in the loss (L2, L1) or beside it (decoupled).

For plain gradient descent L2 and the decoupled form are the same: theta <- (1 - eta lambda) theta - eta dL/dtheta. A slide
prints that without the weight in its first term: wrong. With Adam and RMSprop they differ, since there an L2 gradient is
divided by the root of its own mean square.

Use: a little (1e-4 to 1e-2) on nearly every network; more when the training loss is far below the validation loss. Biases,
scales and shifts of normalizations and embeddings are left alone: `decays` tells which.

Source: Krogh & Hertz (1992), "A simple weight decay can improve generalization".
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "rate",
        default=0.0,
        low=0.0,
        high=1.0,
        scale="log",
        search=(1e-3, 0.5),  # zero cannot be drawn on a log scale, but can be chosen
        meaning="lambda: strength of the pull towards zero",
        source="chosen: Holzmueller et al. (2024) use 0.02 for tables, networks with strong dropout bear more; default off",
    ),
)
EXEMPT = ("bias", "scale", "shift", "embedding")


def decays(name: str) -> bool:
    """Whether the weights of this name are decayed: not those whose size does not make a function rougher.

    Examples
    --------
    >>> decays("weight"), decays("bias"), decays("category_embedding")
    (True, False, False)
    """
    return not any(part in name for part in EXEMPT)


def l2_penalty(weight: Float[Array, "*shape"], rate) -> Float[Array, ""]:
    """What L2 adds to the loss.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> float(l2_penalty(jnp.array([3.0, 4.0]), 0.5))
    6.25
    """
    return rate / 2 * jnp.sum(weight**2)


def l1_penalty(weight: Float[Array, "*shape"], rate) -> Float[Array, ""]:
    """What L1 adds to the loss.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> float(l1_penalty(jnp.array([3.0, -4.0]), 0.5))
    3.5
    """
    return rate * jnp.sum(jnp.abs(weight))


def l2_gradient(gradient: Float[Array, "*shape"], weight: Float[Array, "*shape"], rate) -> Float[Array, "*shape"]:
    """L2 penalty: half the squared length of the weights in the loss, so the weight itself in the gradient.

        loss + lambda/2 |theta|^2        g <- g + lambda theta

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> l2_gradient(jnp.array([1.0]), jnp.array([4.0]), 0.5).tolist()
    [3.0]
    """
    return gradient + rate * weight


def l1_gradient(gradient: Float[Array, "*shape"], weight: Float[Array, "*shape"], rate) -> Float[Array, "*shape"]:
    """L1 penalty: the size of the weights in the loss, so their sign in the gradient; a weight of exactly 0 gets none.

        loss + lambda sum |theta|        g <- g + lambda sign(theta)

    Use: to find the few features that matter: weights without use are driven to zero and stay near it. With gradient descent
    and momentum; Adam and RMSprop divide the sign by how large gradients are, so that weights with large ones hardly shrink.

    Source: Tibshirani (1996), "Regression shrinkage and selection via the lasso".

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> l1_gradient(jnp.array([1.0, 1.0, 1.0]), jnp.array([4.0, -4.0, 0.0]), 0.5).tolist()
    [1.5, 0.5, 1.0]
    """
    return gradient + rate * jnp.sign(weight)


def decoupled(weight: Float[Array, "*shape"], learning_rate, rate) -> Float[Array, "*shape"]:
    """Decoupled weight decay: the weight shrunk before the step; the gradient and the optimizer never see it.

        theta <- (1 - eta lambda) theta, before the step

    Use: with Adam and RMSprop, where an L2 penalty hardly decays the weights with large gradients.

    Source: Loshchilov & Hutter (2019), "Decoupled weight decay regularization".

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> decoupled(jnp.array([4.0]), learning_rate=0.5, rate=0.5).tolist()
    [3.0]
    """
    return (1 - learning_rate * rate) * weight
