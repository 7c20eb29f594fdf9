"""Label smoothing: targets that are not quite certain, so that logits need not grow without end.

    q = (1 - amount) onehot(y) + amount / classes

Use: amounts of 0.05 to 0.2 in classification where some labels are wrong, or where a network grows overconfident; not
where calibrated extreme probabilities are wanted. The losses take it as an argument; this is the target by itself.

Source: Szegedy et al. (2016), "Rethinking the inception architecture", section 7.
"""

import jax
from jaxtyping import Array, Float, Int

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "amount",
        default=0.0,
        low=0.0,
        high=0.9,
        search=(0.0, 0.2),
        meaning="probability taken from the label and spread over all classes",
        source="Szegedy et al. (2016) for the search range; default off",
    ),
)


def smooth(labels: Int[Array, " rows"], classes: int, amount) -> Float[Array, "rows classes"]:
    """Target probabilities of each row.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> smooth(jnp.array([1]), 2, 0.5).tolist()
    [[0.25, 0.75]]
    """
    return (1 - amount) * jax.nn.one_hot(labels, classes) + amount / classes
