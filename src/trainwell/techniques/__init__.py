"""The techniques of the course: one family a folder, one technique a file, each usable on its own in any JAX code.

A technique is a pure function of arrays. Every number it takes may be traced, so `jax.vmap` gives each member of a
population its own. Its equation and its source stand in its docstring, its hyperparameters are declared beside it, and no
technique imports another. `trainwell.techniques.catalogue` lists them all by the names that courses use.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from trainwell.errors import InputError, listed, nearest
from trainwell.hyperparameter import Hyperparameter


def settings_for(technique: str, declared: Iterable[Hyperparameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every declared hyperparameter with the value given for it, or its default; traced values pass unchecked.

    Raises
    ------
    InputError
        A name that the technique does not declare (with the nearest that it does), or a value out of its range.

    Examples
    --------
    >>> settings_for("momentum", [Hyperparameter("beta", default=0.9, low=0.0, high=0.999)], {"beta": 0.5})
    {'beta': 0.5}
    >>> settings_for("momentum", [Hyperparameter("beta", default=0.9, low=0.0, high=0.999)], {"bta": 0.5})
    Traceback (most recent call last):
        ...
    trainwell.errors.InputError: momentum has no hyperparameter 'bta', did you mean 'beta'? It has 'beta'.
    """
    import jax

    by_name = {hyperparameter.name: hyperparameter for hyperparameter in declared}
    for name, value in given.items():
        if name not in by_name:
            hint = nearest(name, by_name) or "."
            raise InputError(f"{technique} has no hyperparameter {name!r}{hint} It has {listed(by_name) or 'none'}.")
        if not isinstance(value, jax.core.Tracer):
            by_name[name].check(value, f"{technique}.{name}")
    return {name: given.get(name, hyperparameter.default) for name, hyperparameter in by_name.items()}
