"""Curvature: what the second derivatives say of the place where training stands.

    H = d^2 f / d theta^2,   H u = lambda u

`f` is any function from a pytree of weights to one number, such as the loss of one batch. The Hessian H of n weights is never
formed: everything here needs only its products with vectors, each at about the cost of two gradients. `landscape` gives the
verdict; `measure` gives the numbers behind it, and like all but `landscape` and `judge` it can be jitted and vmapped.

Source: Lanczos (1950); Pearlmutter (1994); Dauphin et al. (2014), "Identifying and attacking the saddle point problem".
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key

from trainwell.errors import InputError

STEPS = 64  # chosen: enough for the ends of most spectra; with as many steps as weights every eigenvalue is exact
PROBES = 10  # chosen
GRADIENT_LIMIT = 1e-3  # chosen, for a loss of about 1: a gradient below it is small
FLAT_LIMIT = 1e-4  # chosen, for a loss of about 1: curvature below it is none
NEGATIVE_SHARE = 1e-3  # chosen: an eigenvalue below minus this share of the steepest is clearly negative
CONDITION_LIMIT = 50.0  # chosen: gradient descent at its best rate then needs about 60 steps for each decimal
SMOOTHING = 0.02  # chosen: width of the bump around each node, as a share of the spectrum's range
TAIL = 5.0  # chosen: the grid ends so many widths beyond the outermost nodes, where less than 1e-6 is left out
GRID_POINTS = 512  # chosen: eight or more a width
ROUNDING = 10.0  # chosen: a length below so many machine epsilons of the largest is rounding

Weights = Any  # a pytree of real arrays
Function = Callable[[Any], Any]
Kind = Literal["slope", "plateau", "saddle", "furrow", "minimum"]


class Tridiagonal(NamedTuple):
    """What Lanczos leaves: Q H Q' = T, and the length of what H makes of the last row of Q outside Q."""

    diagonal: Float[Array, "steps"]
    off_diagonal: Float[Array, "steps-1"]
    basis: Float[Array, "steps n"]
    residual: Float[Array, ""]


class Extremes(NamedTuple):
    """The ends of the spectrum, each with the distance within which there is an eigenvalue (rounding aside)."""

    lowest: Float[Array, ""]
    highest: Float[Array, ""]
    lowest_error: Float[Array, ""]
    highest_error: Float[Array, ""]


class Density(NamedTuple):
    """A spectrum as weighted nodes, whose weights add to 1, and as a smooth curve over a grid."""

    nodes: Float[Array, "probes steps"]
    weights: Float[Array, "probes steps"]
    grid: Float[Array, "points"]
    density: Float[Array, "points"]


class Curvature(NamedTuple):
    """The numbers from which `judge` reads the landscape."""

    gradient_norm: Float[Array, ""]
    lowest: Float[Array, ""]
    highest: Float[Array, ""]
    condition_number: Float[Array, ""]


class Landscape(NamedTuple):
    """What kind of place it is, the numbers that say so, and a sentence."""

    kind: Kind
    gradient_norm: float
    lowest: float
    highest: float
    condition_number: float
    says: str


def hessian_vector_product(f: Function, weights: Weights, vector: Weights) -> Weights:
    """Hessian-vector product: how the gradient changes along a vector, without the Hessian.

        H v = d/dr grad f(theta + r v),   at r = 0

    Use: wherever curvature is needed of more weights than a Hessian could be stored for. It costs about two gradients.

    Source: Pearlmutter (1994), "Fast exact multiplication by the Hessian"; forward over reverse.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> hessian_vector_product(lambda w: w[0] ** 2 * w[1], jnp.array([1.0, 3.0]), jnp.array([1.0, 0.0])).tolist()
    [6.0, 2.0]
    """
    weights, vector = _checked(f, weights), jax.tree.map(jnp.asarray, vector)
    if _shapes(weights) != _shapes(vector):
        raise InputError(f"The vector has the shapes {_shapes(vector)[1]}, but the weights have {_shapes(weights)[1]}.")
    vector = jax.tree.map(lambda along, weight: along.astype(weight.dtype), vector, weights)
    return jax.jvp(jax.grad(f), (weights,), (vector,))[1]


def lanczos(f: Function, weights: Weights, key: Key[Array, ""], steps: int = STEPS) -> Tridiagonal:
    """Lanczos: a small tridiagonal matrix whose eigenvalues are nearly the outermost of the Hessian.

        beta_k q_(k+1) = H q_k - alpha_k q_k - beta_(k-1) q_(k-1),   alpha_k = q_k' H q_k

    Every new vector is made orthogonal to all before it, twice, as rounding would otherwise find eigenvalues again and again.
    Where the vectors end in a space that H does not leave, it goes on from a random vector outside it, so that repeated
    eigenvalues are found too. More steps than weights are as many as weights, and then all eigenvalues are found.

    Use: when the ends or the shape of the spectrum are wanted of many weights; it keeps `steps` vectors as long as the weights.

    Source: Lanczos (1950); Parlett (1998), "The symmetric eigenvalue problem", section 6.9, for the twice.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> small = lanczos(lambda w: w[0] ** 2 - w[1] ** 2, jnp.zeros(2), jax.random.key(0), steps=2)
    >>> abs(float(small.diagonal.sum())) < 1e-6  # the trace
    True
    """
    weights = _checked(f, weights, steps=steps)
    flat, unravel = ravel_pytree(weights)
    steps = min(steps, flat.size)
    rounding = ROUNDING * jnp.finfo(flat.dtype).eps

    def step(carry, index):
        basis, largest = carry  # rows up to the index are done, those beyond are random
        vector = basis[index]
        product = ravel_pytree(hessian_vector_product(f, weights, unravel(vector)))[0]
        largest = jnp.maximum(largest, jnp.linalg.norm(product))
        done = (jnp.arange(steps) <= index).astype(flat.dtype)
        rest = _outside(basis, done, product)
        length = jnp.linalg.norm(rest)
        ended = length <= rounding * largest
        onward = jnp.where(ended, basis[jnp.minimum(index + 1, steps - 1)], rest)
        basis = basis.at[index + 1].set(_unit(_outside(basis, done, onward)), mode="drop")
        return (basis, largest), (vector @ product, jnp.where(ended, 0, length))

    drawn = jax.random.normal(key, (steps, flat.size), flat.dtype)
    start = (drawn.at[0].set(_unit(drawn[0])), jnp.zeros((), flat.dtype))
    (basis, _), (diagonal, lengths) = jax.lax.scan(step, start, jnp.arange(steps))
    return Tridiagonal(diagonal, lengths[:-1], basis, lengths[-1])


def extreme_eigenvalues(f: Function, weights: Weights, key: Key[Array, ""], steps: int = STEPS) -> Extremes:
    """Extreme eigenvalues: the lowest and the highest curvature in any direction.

        T s = theta s,   |theta - lambda| <= beta_k |s_k| for some eigenvalue lambda of H

    They lie within the spectrum: the true lowest is no higher, the true highest no lower.

    Use: the highest bounds the learning rate of gradient descent (2 over it); a negative lowest is a way down.

    Source: Lanczos (1950); Parlett (1998), "The symmetric eigenvalue problem", section 13.2, for the bound.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> ends = extreme_eigenvalues(lambda w: w[0] ** 2 - w[1] ** 2, jnp.zeros(2), jax.random.key(0))
    >>> round(float(ends.lowest), 4), round(float(ends.highest), 4)
    (-2.0, 2.0)
    """
    values, vectors, residual = _ritz(lanczos(f, weights, key, steps))
    errors = residual * jnp.abs(vectors[-1])
    return Extremes(values[0], values[-1], errors[0], errors[-1])


def spectral_density(f: Function, weights: Weights, key: Key[Array, ""], probes: int = PROBES, steps: int = STEPS) -> Density:
    """Spectral density: how much of the spectrum lies where, by stochastic Lanczos quadrature.

        p(x) = mean over probes of sum_k (s_k1)^2 N(x; theta_k, width^2),   T s_k = theta_k s_k

    The mean over the nodes estimates trace / n without bias, as a probe is equally likely to point anywhere.

    Use: to see the bulk near zero and the few outliers that set the learning rate; more probes for less noise.

    Source: Ghorbani, Krishnan & Xiao (2019), algorithms 1 and 2; Ubaru, Chen & Saad (2017) for the error.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> found = spectral_density(lambda w: jnp.sum(w**2), jnp.zeros(8), jax.random.key(0), probes=2, steps=4)
    >>> round(float(jnp.sum(found.nodes * found.weights)), 4)  # all eigenvalues are 2
    2.0
    """
    weights = _checked(f, weights, steps=steps, probes=probes)

    def quadrature(key):
        values, vectors, _ = _ritz(lanczos(f, weights, key, steps))
        return values, vectors[0] ** 2 / probes

    nodes, shares = jax.lax.map(quadrature, jax.random.split(key, probes))
    low, high, largest = nodes.min(), nodes.max(), jnp.abs(nodes).max()
    some = jnp.where(largest > 0, largest, 1)  # where all eigenvalues are one, or all are zero
    spread = jnp.where(high - low > jnp.sqrt(jnp.finfo(nodes.dtype).eps) * largest, high - low, some)
    width = SMOOTHING * spread
    grid = jnp.linspace(low - TAIL * width, high + TAIL * width, GRID_POINTS)

    def height(point):
        return jnp.sum(shares * jax.scipy.stats.norm.pdf(point, nodes, width))

    return Density(nodes, shares, grid, jax.lax.map(height, grid))


def condition_number(f: Function, weights: Weights, key: Key[Array, ""], steps: int = STEPS) -> Float[Array, ""]:
    """Condition number: how much steeper a valley is across than along.

        kappa = lambda_highest / lambda_lowest,   infinite where the lowest is not above zero

    It never says too much: with fewer steps than weights the true one may be larger. That of a matrix with negative
    eigenvalues is defined elsewhere by their sizes; here it is infinite, as no valley has any.

    Use: large, and gradient descent zigzags: normalize inputs, use momentum or Adam. It needs about kappa steps a decimal.

    Source: Goodfellow, Bengio & Courville (2016), "Deep learning", section 4.3.1.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> round(float(condition_number(lambda w: w[0] ** 2 + 9 * w[1] ** 2, jnp.zeros(2), jax.random.key(0))), 3)
    9.0
    """
    return _condition(extreme_eigenvalues(f, weights, key, steps))


def measure(f: Function, weights: Weights, key: Key[Array, ""], steps: int = STEPS) -> Curvature:
    """The numbers of the landscape at these weights; under `jax.vmap`, of every member of a population.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> float(measure(lambda w: jnp.sum(w**2), jnp.array([3.0, 4.0]), jax.random.key(0)).gradient_norm)
    10.0
    """
    ends = extreme_eigenvalues(f, weights, key, steps)
    gradient = ravel_pytree(jax.grad(f)(_checked(f, weights)))[0]
    return Curvature(jnp.linalg.norm(gradient), ends.lowest, ends.highest, _condition(ends))


def landscape(
    f: Function,
    weights: Weights,
    key: Key[Array, ""],
    steps: int = STEPS,
    *,
    gradient_limit: float = GRADIENT_LIMIT,
    flat_limit: float = FLAT_LIMIT,
    condition_limit: float = CONDITION_LIMIT,
) -> Landscape:
    """Landscape verdict: whether training stands on a slope, a plateau, at a saddle, in a furrow or at a minimum.

        slope     |grad f| > gradient_limit            otherwise the first of
        plateau   every |lambda| <= flat_limit
        saddle    lambda_lowest < -NEGATIVE_SHARE max |lambda|
        furrow    lambda_highest / lambda_lowest > condition_limit
        minimum   none of these

    With fewer steps than weights a saddle is certain, but a minimum or a furrow may have a way down that was not met. The two
    limits that are not ratios are meant for a loss of about 1 and weights of about 1. A maximum is called a saddle.

    Use: when the loss no longer falls, to tell whether to wait, to shake, to change the optimizer, or to be content.

    Source: Dauphin et al. (2014); Goodfellow, Bengio & Courville (2016), "Deep learning", section 8.2; the limits are chosen.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> found = landscape(lambda w: w[0] ** 2 - w[1] ** 2, jnp.zeros(2), jax.random.key(0))
    >>> found.kind, found.says
    ('saddle', 'A saddle: the gradient is nearly zero, but along one direction the curvature is -2 and the way leads down.')
    """
    numbers = jax.jit(lambda at, key: measure(f, at, key, steps))(_checked(f, weights, steps=steps), key)
    return judge(numbers, gradient_limit=gradient_limit, flat_limit=flat_limit, condition_limit=condition_limit)


def judge(
    numbers: Curvature,
    *,
    gradient_limit: float = GRADIENT_LIMIT,
    flat_limit: float = FLAT_LIMIT,
    condition_limit: float = CONDITION_LIMIT,
) -> Landscape:
    """The verdict on the numbers of one network, by the rules of `landscape`.

    Raises
    ------
    InputError
        The gradient or the curvature is not finite.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> judge(Curvature(*map(jnp.asarray, (0.0, 1.0, 4.0, 4.0)))).says
    'A minimum: the gradient is nearly zero and the curvature goes from 1 to 4.'
    """
    gradient, lowest, highest, condition = map(float, numbers)
    for name, value in (("gradient norm", gradient), ("lowest curvature", lowest), ("highest curvature", highest)):
        if not abs(value) < float("inf"):
            raise InputError(f"The {name} at these weights is {value}; the landscape is read from finite numbers only.")
    steepest = max(abs(lowest), abs(highest))
    kind: Kind = "minimum"
    says = f"A minimum: the gradient is nearly zero and the curvature goes from {lowest:.3g} to {highest:.3g}."
    if gradient > gradient_limit:
        kind = "slope"
        says = (
            f"A slope: the gradient norm of {gradient:.3g} is above {gradient_limit:g}, so there is still a way down along it."
        )
    elif steepest <= flat_limit:
        kind = "plateau"
        says = f"A plateau: the gradient is nearly zero and no curvature is larger than {flat_limit:g} (here {steepest:.3g})."
    elif lowest < -NEGATIVE_SHARE * steepest:
        kind = "saddle"
        says = (
            "A saddle: the gradient is nearly zero, but along one direction the curvature is "
            f"{lowest:.3g} and the way leads down."
        )
    elif condition > condition_limit:
        kind = "furrow"
        times = f"{condition:.3g} times as steep" if condition < float("inf") else "steep"
        along = "as along" if condition < float("inf") else "and flat along"
        says = (
            f"A long furrow: the gradient is nearly zero, and the valley is {times} across {along} (limit {condition_limit:g})."
        )
    return Landscape(kind, gradient, lowest, highest, condition, says)


def _ritz(small: Tridiagonal) -> tuple[Array, Array, Array]:
    """Eigenvalues of the tridiagonal matrix from the lowest on, its eigenvectors as columns, and the residual."""
    sides = jnp.diag(small.off_diagonal, 1)
    return (*jnp.linalg.eigh(jnp.diag(small.diagonal) + sides + sides.T), small.residual)


def _condition(ends: Extremes) -> Float[Array, ""]:
    positive = ends.lowest > ROUNDING * jnp.finfo(ends.lowest.dtype).eps * ends.highest
    return jnp.where(positive, ends.highest / jnp.where(positive, ends.lowest, 1), jnp.inf)


def _outside(basis: Float[Array, "steps n"], done: Float[Array, "steps"], vector: Float[Array, "n"]) -> Float[Array, "n"]:
    """What is left of the vector beside the rows that are done."""
    for _ in range(2):
        shares = done * jnp.matmul(basis, vector, precision="highest")
        vector = vector - jnp.matmul(shares, basis, precision="highest")
    return vector


def _unit(vector: Float[Array, "n"]) -> Float[Array, "n"]:
    length = jnp.linalg.norm(vector)
    return vector / jnp.where(length > 0, length, 1)


def _shapes(tree: Weights) -> tuple[Any, list[tuple[int, ...]]]:
    return jax.tree.structure(tree), [leaf.shape for leaf in jax.tree.leaves(tree)]


def _checked(f: Function, weights: Weights, **counts: int) -> Weights:
    """The weights as arrays, where f gives one real number of them and each count is at least 1."""
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name} is {count}; it must be 1 or more.")
    weights = jax.tree.map(jnp.asarray, weights)
    leaves = jax.tree.leaves(weights)
    if not sum(leaf.size for leaf in leaves):
        raise InputError("There are no weights; curvature needs at least one.")
    for leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise InputError(f"The weights must be real numbers, but some are {leaf.dtype}.")
    given = jax.tree.leaves(jax.eval_shape(f, weights))
    if len(given) != 1 or given[0].shape or not jnp.issubdtype(given[0].dtype, jnp.floating):
        found = ", ".join(f"{one.dtype}{list(one.shape)}" for one in given) or "nothing"
        raise InputError(f"The function must give one real number, but it gives {found}.")
    return weights
