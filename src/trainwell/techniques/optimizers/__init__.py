"""Optimizers: what to add to a weight, from its gradient and the state kept for it.

`OPTIMIZERS` is the family by name, every member with the same two functions for ONE weight array:

    state = init(weight)            change, state = update(gradient, state, step, **settings)

`as_optax` hands any of them out as an `optax.GradientTransformation` for a whole pytree.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from trainwell.errors import InputError, listed, nearest
from trainwell.hyperparameter import Hyperparameter
from trainwell.techniques import settings_for
from trainwell.techniques.optimizers import adam, gradient_descent, momentum, rmsprop

if TYPE_CHECKING:
    import optax


class Optimizer(NamedTuple):
    """An update rule for one weight array; `update` gives what to ADD to the weight."""

    name: str
    init: Callable[..., Any]
    update: Callable[..., tuple[Any, Any]]
    hyperparameters: tuple[Hyperparameter, ...]


OPTIMIZERS: dict[str, Optimizer] = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer("gradient_descent", gradient_descent.init, gradient_descent.update, gradient_descent.HYPERPARAMETERS),
        Optimizer("momentum", momentum.init, momentum.update, momentum.HYPERPARAMETERS),
        Optimizer("classical_momentum", momentum.init, momentum.classical, momentum.SUMMED_HYPERPARAMETERS),
        Optimizer("nesterov", momentum.init, momentum.nesterov, momentum.SUMMED_HYPERPARAMETERS),
        Optimizer("rmsprop", rmsprop.init, rmsprop.update, rmsprop.HYPERPARAMETERS),
        Optimizer("adam", adam.init, adam.update, adam.HYPERPARAMETERS),
        Optimizer("adam_epsilon_inside", adam.init, adam.update_epsilon_inside, adam.HYPERPARAMETERS),
        Optimizer("adam_uncorrected", adam.init, adam.update_uncorrected, adam.HYPERPARAMETERS),
    )
}
ADAMW = Optimizer("adamw", adam.init, adam.update_decoupled, adam.ADAMW_HYPERPARAMETERS)  # its update also takes the weight


class OptaxState(NamedTuple):
    step: jax.Array  # number of steps made
    states: Any  # the parameters' pytree, with an optimizer's state in the place of each leaf


def as_optax(name: str, **settings: Any) -> "optax.GradientTransformation":
    """One of the optimizers (or ``"adamw"``) for any JAX code that takes optax.

    Parameters
    ----------
    name : a name from `OPTIMIZERS`, or ``"adamw"``.
    settings : its hyperparameters by name; those left out have their defaults. They may be traced.

    Raises
    ------
    InputError
        An unknown name of an optimizer or hyperparameter, or a value out of range.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax
    >>> optimizer = as_optax("nesterov", learning_rate=0.1)
    >>> weights = {"w": jnp.array([1.0, 2.0])}
    >>> gradients = jax.grad(lambda weights: jnp.sum(weights["w"] ** 2))(weights)
    >>> changes, state = optimizer.update(gradients, optimizer.init(weights), weights)
    >>> [f"{value:.2f}" for value in optax.apply_updates(weights, changes)["w"]]
    ['0.62', '1.24']
    """
    import optax

    known = {**OPTIMIZERS, "adamw": ADAMW}
    if name not in known:
        raise InputError(f"There is no optimizer {name!r}{nearest(name, known) or '.'} There are {listed(known, most=20)}.")
    optimizer = known[name]
    settings = settings_for(name, optimizer.hyperparameters, settings)

    def init(weights: Any) -> OptaxState:
        return OptaxState(jnp.zeros([], jnp.int32), jax.tree.map(optimizer.init, weights))

    def update(gradients: Any, state: OptaxState, weights: Any = None) -> tuple[Any, OptaxState]:
        tree: Any = jax.tree.structure(gradients)
        leaves = jax.tree.leaves(gradients)
        arguments = [leaves, tree.flatten_up_to(state.states), [state.step + 1] * len(leaves)]
        if name == "adamw":
            if weights is None:
                raise InputError("adamw decays the weights: give them to update as its third argument.")
            arguments.append(tree.flatten_up_to(weights))
        pairs = [optimizer.update(*leaf, **settings) for leaf in zip(*arguments, strict=True)]
        changes, states = ([pair[place] for pair in pairs] for place in (0, 1))
        return tree.unflatten(changes), OptaxState(state.step + 1, tree.unflatten(states))

    return optax.GradientTransformation(init, update)
