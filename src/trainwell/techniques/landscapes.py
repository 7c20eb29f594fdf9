"""Landscapes: test surfaces in two dimensions on which the path of an optimizer can be drawn.

`LANDSCAPES` is the family by name, each with its lowest point (none for the saddle), a start and the part to draw.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from trainwell.hyperparameter import Hyperparameter

FURROW = (
    Hyperparameter(
        "condition", default=100.0, low=1.0, high=1e8, scale="log", search=(1.0, 1e4), meaning="steepness across over along"
    ),
)
Point = Float[Array, "2"]


def quadratic_furrow(point: Point, *, condition) -> Float[Array, ""]:
    """Quadratic furrow: a long valley, steep across and flat along.

        (x^2 + condition y^2) / 2

    Use: to see gradient descent zigzag and momentum run through; the Hessian's eigenvalues are 1 and the condition number.

    Source: Goodfellow, Bengio & Courville (2016), "Deep learning", figure 4.6.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> jax.grad(quadratic_furrow)(jnp.array([1.0, 1.0]), condition=100.0).tolist()
    [1.0, 100.0]
    """
    x, y = point
    return (x**2 + condition * y**2) / 2


def saddle(point: Point) -> Float[Array, ""]:
    """Saddle: lowest along one axis, highest along the other.

        x^2 - y^2

    Use: to see how fast an optimizer leaves a point where the gradient is zero and nothing is lowest.

    Source: Dauphin et al. (2014), "Identifying and attacking the saddle point problem".

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> jax.grad(saddle)(jnp.array([1.0, 0.0])).tolist()
    [2.0, 0.0]
    """
    x, y = point
    return x**2 - y**2


def beale(point: Point) -> Float[Array, ""]:
    """Beale: wide plateaus and a narrow, bent valley.

        (1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2

    Use: to see who gets stuck on plateaus.

    Source: Beale (1958); Jamil & Yang (2013), function 10.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> float(beale(jnp.array([3.0, 0.5])))
    0.0
    """
    x, y = point
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def rosenbrock(point: Point) -> Float[Array, ""]:
    """Rosenbrock: a valley bent like a banana, easily found and slowly followed.

        (1 - x)^2 + 100 (y - x^2)^2

    Use: to see who can follow a furrow round a bend.

    Source: Rosenbrock (1960).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> float(rosenbrock(jnp.array([1.0, 1.0])))
    0.0
    """
    x, y = point
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def rastrigin(point: Point) -> Float[Array, ""]:
    """Rastrigin: a bowl full of local minima.

        20 + x^2 - 10 cos(2 pi x) + y^2 - 10 cos(2 pi y)

    Use: to see who leaves a local minimum, and that noise and large steps help.

    Source: Rastrigin (1974); Jamil & Yang (2013).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> float(rastrigin(jnp.array([0.0, 0.0])))
    0.0
    """
    return 20 + jnp.sum(point**2 - 10 * jnp.cos(2 * jnp.pi * point))


class Landscape(NamedTuple):
    """A surface, and where to look at it."""

    name: str
    height: Callable[..., Array]
    minimum: tuple[float, float] | None
    start: tuple[float, float]
    reach: float  # to draw from -reach to reach on both axes
    hyperparameters: tuple[Hyperparameter, ...] = ()


LANDSCAPES: dict[str, Landscape] = {
    landscape.name: landscape
    for landscape in (
        Landscape("quadratic_furrow", quadratic_furrow, (0.0, 0.0), (1.0, 1.0), 1.5, FURROW),
        Landscape("saddle", saddle, None, (1.0, 1e-3), 1.5),
        Landscape("beale", beale, (3.0, 0.5), (1.0, 1.0), 4.5),
        Landscape("rosenbrock", rosenbrock, (1.0, 1.0), (-1.2, 1.0), 2.0),
        Landscape("rastrigin", rastrigin, (0.0, 0.0), (2.2, 1.3), 5.12),
    )
}


def path(
    height: Callable[[Point], Array], start: Point, init: Callable[..., Any], update: Callable[..., Any], steps: int, **settings
) -> Float[Array, "steps+1 2"]:
    """The points that an optimizer visits, from its `init` and `update` and its settings; one that decays weights, as AdamW
    does, is given the point, too.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> def update(gradient, state, step, *, learning_rate):
    ...     return -learning_rate * gradient, state
    >>> path(saddle, jnp.array([1.0, 1.0]), lambda weight: (), update, 2, learning_rate=0.25).tolist()
    [[1.0, 1.0], [0.5, 1.5], [0.25, 2.25]]
    """

    decays = "weight" in inspect.signature(update).parameters

    def move(carry, step):
        point, state = carry
        own = (point,) if decays else ()
        change, state = update(jax.grad(height)(point), state, step, *own, **settings)
        return (point + change, state), point + change

    start = jnp.asarray(start, dtype=float)
    _, points = jax.lax.scan(move, (start, init(start)), jnp.arange(1, steps + 1))
    return jnp.concatenate([start[None], points])
