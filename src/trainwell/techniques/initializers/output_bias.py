"""Output bias: a network that starts by predicting what it would predict without any features.

Use: always, on the last layer. Then the loss at the start is the entropy of the classes (or the variance of the target),
which is easily checked, and the first steps are not spent on learning the shares.

Source: Karpathy (2019), "A recipe for training neural networks"; Lin et al. (2017), "Focal loss", section 3.3.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def log_prior(counts: Float[Array, " classes"]) -> Float[Array, " classes"]:
    """Log prior: the bias of softmax logits, from the number of training rows of each class.

        b_c = log(share of class c)

    A class without rows counts as having one.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> [f"{share:.2f}" for share in jax.nn.softmax(log_prior(jnp.array([30, 60, 10])))]
    ['0.30', '0.60', '0.10']
    """
    counts = jnp.maximum(jnp.asarray(counts, float), 1)
    return jnp.log(counts / counts.sum())


def log_odds(counts: Float[Array, "2"]) -> Float[Array, "1"]:
    """Log odds: the bias of the one logit of two classes, from the number of training rows of class 0 and class 1.

        b = log(p / (1 - p)),   p = share of class 1

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> f"{jax.nn.sigmoid(log_odds(jnp.array([75, 25])))[0]:.2f}"
    '0.25'
    """
    prior = log_prior(counts)
    return prior[1:] - prior[:1]


def target_mean(targets: Float[Array, " rows"]) -> Float[Array, "1"]:
    """Target mean: the bias of the output of a regression.

        b = mean of the target

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> target_mean(jnp.array([1.0, 2.0, 6.0])).tolist()
    [3.0]
    """
    return jnp.mean(targets, keepdims=True)
