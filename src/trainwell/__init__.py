"""trainwell trains deep neural networks well, by the recipe, and shows its work.

>>> import trainwell
>>> run = trainwell.fit("churn.csv", "Churn")  # doctest: +SKIP
>>> run.predict("new.csv")  # doctest: +SKIP

Importing it is instant: what is heavy (JAX, NumPy, scikit-learn) is loaded when it is first used.
"""

import time
from typing import TYPE_CHECKING, Any

STARTED = time.monotonic()  # the command line's time limit counts from here: what is loaded next is part of the run

if TYPE_CHECKING:
    from trainwell.estimators import NeuralClassifier as NeuralClassifier
    from trainwell.estimators import NeuralRegressor as NeuralRegressor
    from trainwell.model import load as load
    from trainwell.recipe.opened import open_run as open_run
    from trainwell.recipe.run import fit as fit
    from trainwell.report.comparison import compare as compare

    __version__: str

__all__ = ["NeuralClassifier", "NeuralRegressor", "__version__", "compare", "fit", "load", "open_run"]


def __getattr__(name: str) -> Any:
    if name == "fit":
        from trainwell.recipe.run import fit

        return fit
    if name == "compare":
        from trainwell.report.comparison import compare

        return compare
    if name == "load":
        from trainwell.model import load

        return load
    if name in ("NeuralClassifier", "NeuralRegressor"):
        from trainwell import estimators

        return getattr(estimators, name)
    if name == "open_run":
        from trainwell.recipe.opened import open_run

        return open_run
    if name == "__version__":
        from importlib.metadata import version

        return version("trainwell")
    raise AttributeError(f"module 'trainwell' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
