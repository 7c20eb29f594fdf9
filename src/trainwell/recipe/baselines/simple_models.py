"""The simple models that networks have to beat: scikit-learn's, on the arrays that the networks are fed."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from trainwell.calibration.thresholds import choose, costs_of, recentred
from trainwell.data.encode import Arrays
from trainwell.population.budget import Budget
from trainwell.recipe.context import Context

MOST_ROWS = {"nearest neighbours": 10_000, "linear": 50_000}  # chosen: training rows that they take a few seconds for
ROWS_OF_MISSED = 5  # chosen: rows of each class that such a draw missed; few, so that the shares of the others stay
NEIGHBOURS = 15  # chosen
MOST_ITERATIONS, FEWEST_ITERATIONS = 300, 50  # chosen: by the first most tables are fitted, by the second nearly
MOST_PASSED = 1e11  # chosen: numbers (times outputs) that all iterations pass; about ten seconds of a core
ROUNDS, MOST_ROUNDS = 10, 100  # of boosting: looked at the clock after each ten; 100 is the library's own default
TREES_A_LOOK = 300  # chosen: a round is a tree for each class, so that of many classes fewer rounds are as many trees
ONE_THREAD = 1_000_000  # measured: with fewer numbers the threads of boosting mostly wait for each other
FEWEST_TO_HOLD_OUT = 50  # chosen: training rows from which on boosting stops early
QUICK = 20_000  # chosen: numbers (times outputs) up to which no simple model takes a second, so that none is left out
MOST_LEVELS = 255  # of a category, the library's limit for boosting; more are taken as a number


class Scored(NamedTuple):
    """A fitted simple model: its validation score, larger is better, and its predictions (rows, outputs) of the test rows,
    with the decision threshold at 1/2."""

    score: float
    on_test: np.ndarray


def score_simple_models(context: Context) -> dict[str, Scored]:
    """Every simple model by name, in the order of their cost; one for which no time is left is noted and left out."""
    found: dict[str, Scored] = {}
    quick = context.train.numeric.size * context.outputs <= QUICK
    for name, model in _models(context).items():
        if context.budget.passed and found and not quick:
            context.log.note("baselines", f"{name} was left out: the time for simple models was used up.")
            continue
        classes = None if context.task == "regression" else context.train.target
        rows = context.train.take(some_rows(len(context.split.train), MOST_ROWS.get(name), context.options.seed, classes))
        if not _fit(model, _inputs(name, rows), rows, Budget() if quick else context.budget, context.outputs):
            context.log.note("baselines", f"{name} ended after {model.n_iter_} rounds: the time for simple models was used up.")
        guess, on_test = (predicted(model, _inputs(name, part), context) for part in (context.validation, context.test))
        if (
            context.task == "binary" and context.metric.decided is not None
        ):  # its threshold is chosen as that of the networks is
            costs = costs_of(context.options.cost, context.task)
            held_out = context.validation
            threshold = choose(guess[:, 0], held_out.target == 1, context.metric.kind, costs, held_out.weights)
            on_test = recentred(on_test, threshold)
        score = context.metric.score(guess, context.validation.target, context.validation.weights)
        found[name] = Scored(float(score), on_test)
    return found


def some_rows(rows: int, most: int | None, seed: int, classes: np.ndarray | None = None) -> np.ndarray:
    """All row numbers where they are few, else ``most`` drawn ones, ascending; and of each of the ``classes`` (rows,) that the
    draw missed a few more, because a model of one class cannot be fitted."""
    if most is None or rows <= most:
        return np.arange(rows)
    random = np.random.default_rng(seed)
    drawn = random.choice(rows, most, replace=False)
    missed = np.setdiff1d(classes, classes[drawn]) if classes is not None else ()
    more = [random.permutation(np.flatnonzero(classes == label))[:ROWS_OF_MISSED] for label in missed]
    return np.sort(np.concatenate([drawn, *more]))


def _models(context: Context) -> dict[str, Any]:
    first = context.arrays.numeric.shape[1]  # the embedded categories come after the numbers
    embedded = list(range(first, first + context.arrays.categories.shape[1]))
    few = [place for place, size in zip(embedded, context.encoder.cardinalities, strict=True) if size <= MOST_LEVELS]
    boosting = {
        "categorical_features": few or None,
        "early_stopping": can_hold_out(context),
        "random_state": context.options.seed,
    }
    neighbours = min(NEIGHBOURS, len(context.split.train))
    if context.task == "regression":
        quantile = dict(context.metric.loss_settings).get("quantile.quantile")
        if quantile is not None:
            return {
                "quantile": DummyRegressor(strategy="quantile", quantile=quantile),
                "boosted trees": HistGradientBoostingRegressor(loss="quantile", quantile=quantile, **boosting),
            }
        return {
            "mean": DummyRegressor(),
            "linear": _with_categories(Ridge(), embedded),
            "nearest neighbours": KNeighborsRegressor(neighbours),
            "boosted trees": HistGradientBoostingRegressor(**boosting),
        }
    return {
        "majority": DummyClassifier(strategy="prior"),
        "linear": _with_categories(LogisticRegression(max_iter=_iterations(context)), embedded),
        "nearest neighbours": KNeighborsClassifier(neighbours),
        "boosted trees": HistGradientBoostingClassifier(**boosting),
    }


def _iterations(context: Context) -> int:
    """Of the logistic regression, which nothing ends once it has begun."""
    rows = min(len(context.split.train), MOST_ROWS["linear"])
    numbers = rows * max(1, context.arrays.numeric.shape[1]) * context.outputs
    return int(min(MOST_ITERATIONS, max(FEWEST_ITERATIONS, MOST_PASSED / numbers)))


def can_hold_out(context: Context) -> bool:
    """Whether boosting can hold out a tenth of the training rows to stop early, with a row of every class in each part."""
    rows = len(context.split.train)
    if context.task == "regression":
        return rows >= FEWEST_TO_HOLD_OUT
    counts = np.bincount(context.train.target)
    return rows >= max(FEWEST_TO_HOLD_OUT, 10 * len(context.schema.classes)) and counts.min() >= 2


def _with_categories(linear: Any, embedded: list[int]) -> Any:
    if not embedded:
        return linear
    one_hot = OneHotEncoder(handle_unknown="ignore", max_categories=100)
    return make_pipeline(make_column_transformer((one_hot, embedded), remainder="passthrough"), linear)


def _inputs(name: str, rows: Arrays) -> np.ndarray:
    """Numbers, and category levels after them for the models that can tell them from numbers."""
    parts = (
        [rows.numeric] if name in ("majority", "mean", "quantile", "nearest neighbours") else [rows.numeric, rows.categories]
    )
    inputs = np.column_stack(parts)
    return inputs if inputs.shape[1] else np.zeros((len(inputs), 1), np.float32)


def _fit(model: Any, inputs: np.ndarray, rows: Arrays, budget: Budget, outputs: int) -> bool:
    """Fit, with the rows' weights where the model takes them; false where boosting had to end early: with many classes each of
    its rounds is many trees."""
    weights = weights_for(model, rows)
    if not isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        model.fit(inputs, rows.target, **weights)
        return True
    with threadpool_limits(1 if inputs.size < ONE_THREAD else None):
        each = max(1, min(ROUNDS, TREES_A_LOOK // max(1, outputs)))
        for rounds in range(each, MOST_ROUNDS + 1, each):
            model.set_params(max_iter=rounds, warm_start=True)
            model.fit(inputs, rows.target, **weights)
            if model.n_iter_ < rounds:
                return True
            if budget.passed and rounds + each <= MOST_ROUNDS:
                return False
    return True


def weights_for(model: Any, rows: Arrays) -> dict[str, np.ndarray]:
    """The rows' weights under the name by which the model's fit takes them; nothing where it takes none."""
    if rows.weights is None or not has_fit_parameter(
        model.steps[-1][1] if isinstance(model, Pipeline) else model, "sample_weight"
    ):
        return {}
    step = f"{model.steps[-1][0]}__" if isinstance(model, Pipeline) else ""
    return {f"{step}sample_weight": rows.weights}


def predicted(model: Any, inputs: np.ndarray, context: Context) -> np.ndarray:
    """(rows, outputs) as a network's: a class that the model never saw has probability 0."""
    if context.task == "regression":
        return model.predict(inputs).reshape(-1, 1).astype(np.float32)
    probabilities = np.zeros((len(inputs), len(context.schema.classes)), np.float32)
    probabilities[:, model.classes_] = model.predict_proba(inputs)
    return probabilities[:, 1:] if context.task == "binary" else probabilities
