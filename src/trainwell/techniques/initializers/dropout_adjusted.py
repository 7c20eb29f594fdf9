"""Dropout-adjusted initialization: weights that make up for what dropout and the activation do to the variance.

    W = U / sqrt(E[f(z)^2] / keep + keep E[f'(z)^2]),   z ~ N(0, 1)

U has the incoming weights of each unit (a row of U in the paper, a column in an array of shape (fan_in, fan_out)) uniform
on the unit sphere; f is the activation, keep = 1 - rate. The two expectations are integrals over the normal density, taken
here by the midpoint rule. This is the authors' rule for hidden layers; they leave the first term's division out where what
enters has passed no activation and no dropout, and here the first layer is drawn as the others are.

The sum weighs the way forward, where inverted dropout divides the variance by keep, against the way back; it keeps neither of
them whole. Of ReLU networks the squared length of what passes is multiplied by 0.5 a layer at a rate of 0 and by 0.8 at 0.5,
where He's weights keep it at a rate of 0.

Use: in networks of a few layers with dropout and without batch normalization, above all at rates of 0.3 and more.

Source: Hendrycks & Gimpel (2016), "Adjusting for dropout variance in batch normalization and weight initialization".
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

HYPERPARAMETERS = (
    Hyperparameter(
        "rate",
        default=0.5,
        low=0.0,
        high=0.95,
        search=(0.0, 0.5),
        meaning="dropout rate of the network",
        source="Hendrycks & Gimpel (2016); range chosen",
    ),
)
CELLS, REACH = 4000, 8.0  # of the midpoint rule; an even number of cells keeps a kink at 0 on their border


def draw(key: jax.Array, shape: tuple[int, int], *, rate, activation: Callable = jax.nn.relu) -> Float[Array, "fan_in fan_out"]:
    """Weights for layers followed by `activation` and dropout at `rate`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> weights = draw(jax.random.key(0), (30, 4), rate=0.5, activation=jax.nn.relu)
    >>> [f"{length:.4f}" for length in jnp.sum(weights**2, axis=0)]  # 1 / (0.5 / 0.5 + 0.5 * 0.5)
    ['0.8000', '0.8000', '0.8000', '0.8000']
    """
    directions = jax.random.normal(key, shape)
    directions = directions / jnp.linalg.norm(directions, axis=0)
    square, slope_square = mean_squares(activation)
    return directions / jnp.sqrt(square / (1 - rate) + (1 - rate) * slope_square)


def mean_squares(activation: Callable) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """E[f(z)^2] and E[f'(z)^2] of an activation f for a standard normal z.

    Examples
    --------
    >>> import jax
    >>> [f"{value:.4f}" for value in mean_squares(jax.nn.relu)]
    ['0.5000', '0.5000']
    """
    z = (jnp.arange(CELLS) + 0.5) * (2 * REACH / CELLS) - REACH
    density = jnp.exp(-(z**2) / 2)
    density = density / density.sum()
    slopes = jax.vmap(jax.grad(activation))(z)
    return jnp.sum(density * activation(z) ** 2), jnp.sum(density * slopes**2)
