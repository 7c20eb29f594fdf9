"""A user's own metric: any function of (truth, prediction) that gives a number.

What it is given is what scikit-learn's metrics take. For classes: the number of each row's class, in the order of the model's
classes, and probabilities, (rows,) of the second class for two, (rows, classes) for more. For regression: numbers (rows,) in
the target's own unit. A function with a parameter ``sample_weight`` is given the rows' weights where they have some.

A function that JAX can trace becomes part of the compiled program. Any other (of NumPy, scikit-learn, plain Python) is called
back from it, one network after the other, in float64.
"""

import dataclasses
import inspect
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from trainwell.errors import InputError
from trainwell.population.metrics import Metric
from trainwell.words import LESS_IS_BETTER, is_loss

_FAILURES: dict["OwnScore", list[InputError]] = {}  # equal scores share compiled programs, and so what goes wrong in them
_one_at_a_time = threading.Lock()  # the cores call back from a thread each; the function need not know of threads


@dataclass(frozen=True)
class OwnScore:
    """A user's function as the engine takes it: larger is better, predictions (rows, outputs).

    Parameters
    ----------
    function : (truth, prediction) -> number.
    task : what is predicted.
    mean, scale : of the target, for regression.
    sign : -1 where less is better.
    traceable : whether JAX can trace it.
    weighted : whether it takes ``sample_weight``.
    failures : what went wrong in a call from a compiled program, which cannot raise it.
    seconds_per_row : of a call, as measured when it was tried.
    """

    function: Callable[[Any, Any], Any] = field(hash=False)
    task: str
    mean: float = 0.0
    scale: float = 1.0
    sign: int = 1
    traceable: bool = False
    weighted: bool = False
    failures: list[InputError] = field(default_factory=list, compare=False, repr=False)
    seconds_per_row: float = field(default=0.0, compare=False, repr=False)

    def __call__(self, predictions: Any, target: Any, weights: Any = None) -> Any:
        given = (target, predictions) if weights is None or not self.weighted else (target, predictions, weights)
        if not any(isinstance(one, jax.core.Tracer) for one in given):
            return self._measured(*map(np.asarray, given))
        if self.traceable:
            found = self.function(*self._conventional(target, predictions), **_named(*given[2:]))
            return self.sign * jnp.asarray(found, jnp.float32)
        number = jax.ShapeDtypeStruct((), jnp.float32)
        return jax.pure_callback(self._called_back, number, *given, vmap_method="sequential")

    def _conventional(self, target: Any, predictions: Any) -> tuple[Any, Any]:
        column = predictions[:, 0] if predictions.shape[1] == 1 else predictions
        if self.task != "regression":
            return target, column
        return target * self.scale + self.mean, column * self.scale + self.mean

    def _measured(self, target: np.ndarray, predictions: np.ndarray, *weights: np.ndarray) -> np.float32:
        """The score; `InputError` where the function fails or gives no number. NaN for predictions that are no numbers, about
        which it is not asked: the network that gave them is left out anyway."""
        if not np.isfinite(predictions).all():
            return np.float32(np.nan)
        truth, prediction = self._conventional(target if self.task != "regression" else _exact(target), _exact(predictions))
        name = name_of(self.function)
        try:
            with _one_at_a_time:
                found = self.function(truth, prediction, **_named(*weights))
        except Exception as error:
            raise InputError(f"The metric {name!r} failed with {type(error).__name__}: {_one_line(error)}.") from error
        try:
            return np.float32(self.sign * float(found))
        except (TypeError, ValueError):
            kind = type(found).__name__
            raise InputError(f"The metric {name!r} gave a value of type {kind}; it must give one number.") from None

    def _called_back(self, *given: Any) -> np.float32:
        try:
            return self._measured(*map(np.asarray, given))
        except InputError as error:
            self.failures.append(error)
            return np.float32(np.nan)


def own_metric(
    function: Callable[[Any, Any], Any],
    task: str,
    target: np.ndarray,
    outputs: int,
    *,
    mean: float = 0.0,
    scale: float = 1.0,
    smaller_is_better: bool = False,
) -> Metric:
    """A metric of a function, tried on made-up predictions; `InputError` where it fails or gives no finite number.

    Parameters
    ----------
    function : (truth, prediction) -> number, see the head of this file.
    task : what is predicted.
    target : (rows,) some rows to try it on, class numbers or scaled values.
    outputs : columns of a prediction.
    mean, scale : of the target, for regression.
    smaller_is_better : whether the number is a loss.
    """
    score = OwnScore(function, task, mean, scale, -1 if smaller_is_better else 1)
    predictions = _made_up(task, target, outputs)
    if not math.isfinite(tried := float(score(predictions, target))):
        raise InputError(f"The metric {name_of(function)!r} gave {tried:g} for made-up predictions; it must give a number.")
    traceable, weighted = _traceable(score, predictions, target), takes_weights(function)
    began = time.perf_counter()
    score(predictions, target)  # a second time, with everything loaded
    seconds_per_row = _roughly((time.perf_counter() - began) / len(target))
    score = OwnScore(function, task, mean, scale, score.sign, traceable, weighted, seconds_per_row=seconds_per_row)
    score = dataclasses.replace(score, failures=_FAILURES.setdefault(score, score.failures))
    score.failures.clear()
    name = name_of(function)
    return Metric(name, _label(name, smaller_is_better), score, (task,), sign=score.sign, perfect=None, own=True)


def _roughly(seconds: float) -> float:
    """To a power of four: what is done because a function is slow must not hang on how busy the machine was."""
    return 4.0 ** round(math.log(max(seconds, 1e-12), 4))


def takes_weights(function: Callable) -> bool:
    """Whether a function has a parameter ``sample_weight``, as scikit-learn's metrics have."""
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function of C need not say what it takes
        return False


def _named(*weights: Any) -> dict[str, Any]:
    return {"sample_weight": weights[0]} if weights else {}


def name_of(function: Callable) -> str:
    """What a function is called."""
    return getattr(function, "__name__", type(function).__name__)


def raise_failure(metric: Metric) -> None:
    """Raise what went wrong in a user's function while a compiled program ran."""
    if isinstance(metric.score, OwnScore) and metric.score.failures:
        raise metric.score.failures[0]


def can_measure(metric: Metric, target: np.ndarray, outputs: int) -> bool:
    """Whether the metric can be taken of rows with this target: a user's function may need every class among them."""
    score = metric.score
    if not calls_back(metric) or not isinstance(score, OwnScore):
        return True
    try:
        score(_made_up(score.task, target, outputs), target)
    except InputError:
        return False
    return True


def calls_back(metric: Metric) -> bool:
    """Whether a program with this metric leaves the device for Python."""
    return isinstance(metric.score, OwnScore) and not metric.score.traceable


def seconds_of(metric: Metric, rows: int) -> float:
    """Seconds of a call of a user's function with so many rows; 0 for a metric that is compiled."""
    score = metric.score
    return score.seconds_per_row * rows if isinstance(score, OwnScore) and not score.traceable else 0.0


def _label(name: str, smaller_is_better: bool) -> str:
    label = name.strip("<>").replace("_", " ")
    if smaller_is_better:
        return f"{label} {LESS_IS_BETTER}"
    return f"own {label}" if is_loss(label) else label  # or it would be read as the loss of that name


def _made_up(task: str, target: np.ndarray, outputs: int) -> np.ndarray:
    chance = np.random.default_rng(0)
    if task == "multiclass":
        return chance.dirichlet(np.ones(outputs), len(target)).astype(np.float32)
    made = chance.permutation(target) if task == "regression" else chance.random(len(target))
    return made.reshape(-1, 1).astype(np.float32)


def _traceable(score: OwnScore, predictions: np.ndarray, target: np.ndarray) -> bool:
    def traced(predictions, target):
        return jnp.asarray(score.function(*score._conventional(target, predictions)), jnp.float32)

    try:
        return jax.eval_shape(traced, predictions, target).shape == ()
    except Exception:  # whatever a function that was not written for JAX does with what it does not know
        return False


def _exact(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or "no more is said"
