"""Gradients before the optimizer sees them: clipped, or with noise added. Composes with any optimizer.

Each works on a whole pytree of gradients; `as_optax` hands each out for `optax.chain`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from trainwell import random_bits
from trainwell.errors import InputError, listed, nearest
from trainwell.hyperparameter import Hyperparameter
from trainwell.techniques import settings_for

if TYPE_CHECKING:
    import optax

CLIP_BY_GLOBAL_NORM = (
    Hyperparameter(
        "limit",
        default=1.0,
        low=1e-6,
        high=1e6,
        scale="log",
        search=(0.1, 10.0),
        meaning="greatest norm of all gradients together",
    ),
)
CLIP_BY_VALUE = (
    Hyperparameter(
        "limit",
        default=1.0,
        low=1e-6,
        high=1e6,
        scale="log",
        search=(0.1, 10.0),
        meaning="greatest size of one weight's gradient",
    ),
)
NOISE = (
    Hyperparameter(
        "scale",
        default=0.3,
        low=0.0,
        high=10.0,
        search=(0.0, 1.0),
        meaning="s: variance of the noise before it decays",
        source="Neelakantan et al. (2015)",
    ),
    Hyperparameter(
        "decay",
        default=0.55,
        low=0.0,
        high=2.0,
        search=(0.3, 1.0),
        meaning="how fast the variance falls with the steps",
        source="Neelakantan et al. (2015)",
    ),
)


def global_norm(tree: Any) -> jax.Array:
    """The length of all leaves of a pytree taken as one vector.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> float(global_norm({"weight": jnp.array([[3.0]]), "bias": jnp.array([4.0])}))
    5.0
    """
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


def clip_by_global_norm(tree: Any, limit) -> Any:
    """Clip by global norm: all gradients shortened together, so that their direction stays.

        g <- g min(1, limit / |g|),   |g| over all weights of the network

    Use: against single huge gradients: recurrent networks, large learning rates, the first steps.

    Source: Pascanu, Mikolov & Bengio (2013), algorithm 1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> clipped = clip_by_global_norm({"weight": jnp.array([6.0]), "bias": jnp.array([8.0])}, 5.0)
    >>> clipped["weight"].tolist(), clipped["bias"].tolist()
    ([3.0], [4.0])
    """
    factor = limit / jnp.maximum(global_norm(tree), limit)
    return jax.tree.map(lambda leaf: (leaf * factor).astype(leaf.dtype), tree)


def clip_by_value(tree: Any, limit) -> Any:
    """Clip by value: each number of the gradient kept within bounds; the direction changes.

        g_i <- min(limit, max(-limit, g_i))

    Use: the cruder of the two, where single weights get huge gradients.

    Source: Mikolov (2012), section 3.2.2.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> clip_by_value(jnp.array([-3.0, 0.5, 3.0]), 1.0).tolist()
    [-1.0, 0.5, 1.0]
    """
    return jax.tree.map(lambda leaf: jnp.clip(leaf, -limit, limit).astype(leaf.dtype), tree)


def noise_standard_deviation(step, scale, decay) -> jax.Array:
    """How much noise a step gets; steps count from 1.

        sigma^2 = s / (1 + t)^decay

    Use: see `add_noise`.

    Source: Neelakantan et al. (2015), equation 1, with decay 0.55.

    Examples
    --------
    >>> float(noise_standard_deviation(3, 1.0, 1.0))
    0.5
    """
    return jnp.sqrt(scale / (1.0 + step) ** decay)


def add_noise(tree: Any, key: jax.Array, step, scale, decay) -> Any:
    """Gradient noise: Gaussian, less from step to step.

        g <- g + sigma z,   z ~ N(0, 1),   sigma^2 = s / (1 + t)^0.55

    Use: in very deep or badly initialized networks, to get off plateaus and out of saddle points.

    Source: Neelakantan et al. (2015), "Adding gradient noise improves learning for very deep networks".

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> noisy = add_noise({"weight": jnp.zeros(10_000)}, jnp.uint32(1), step=3, scale=1.0, decay=1.0)
    >>> bool(0.485 < noisy["weight"].std() < 0.515)
    True
    """
    sigma = noise_standard_deviation(step, scale, decay)
    step_key = random_bits.fold(key, step)
    noisy = [
        (leaf + sigma * random_bits.normal(random_bits.fold(step_key, number), leaf.shape)).astype(leaf.dtype)
        for number, leaf in enumerate(jax.tree.leaves(tree))
    ]
    return jax.tree.unflatten(jax.tree.structure(tree), noisy)


class StepCount(NamedTuple):
    step: jax.Array  # number of steps made


FORMS: dict[str, tuple[Callable[..., Any], tuple[Hyperparameter, ...]]] = {
    "clip_by_global_norm": (lambda tree, key, step, limit: clip_by_global_norm(tree, limit), CLIP_BY_GLOBAL_NORM),
    "clip_by_value": (lambda tree, key, step, limit: clip_by_value(tree, limit), CLIP_BY_VALUE),
    "add_noise": (add_noise, NOISE),
}


def as_optax(name: str, *, seed: int = 0, **settings: Any) -> "optax.GradientTransformation":
    """One of the functions of this file for any JAX code that takes optax; `seed` is for the noise alone.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> clip = as_optax("clip_by_global_norm", limit=5.0)
    >>> gradients = jnp.array([6.0, 8.0])
    >>> clipped, state = clip.update(gradients, clip.init(gradients))
    >>> clipped.tolist()
    [3.0, 4.0]
    """
    import optax

    if name not in FORMS:
        raise InputError(f"There is no change of gradients {name!r}{nearest(name, FORMS) or '.'} There are {listed(FORMS)}.")
    function, declared = FORMS[name]
    settings = settings_for(name, declared, settings)

    def init(weights: Any) -> StepCount:
        return StepCount(jnp.zeros([], jnp.int32))

    def update(gradients: Any, state: StepCount, weights: Any = None) -> tuple[Any, StepCount]:
        step = state.step + 1
        return function(gradients, jnp.uint32(seed), step, **settings), StepCount(step)

    return optax.GradientTransformation(init, update)
