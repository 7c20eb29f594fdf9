"""Stage 2, baselines: what simple models reach, and whether the network is wired right.

A network that cannot beat these is not worth its trouble. And before it trains in earnest it must pass what a careful
person tries first: the loss at the start is that of the base rate, one batch can be learned by heart, one row's output
depends on that row alone, and real inputs beat inputs that say nothing.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from trainwell.data.encode import Arrays
from trainwell.network.forward import forward
from trainwell.network.structure import Structure, of, resolve
from trainwell.population.cohort import Member, Training
from trainwell.population.metrics import METRICS
from trainwell.population.step import Rows, start
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.techniques.losses import LOSSES

MOST_ROWS = {"nearest neighbours": 10_000, "linear": 50_000}  # chosen: what they take a few seconds for
SMALLEST = (64, 64)  # chosen: the size with which the wiring is checked, the first one of the next stage
ONE_BATCH = 32  # rows; Karpathy (2019) says "a few"
SIMPLE_MODELS_END = 0.12  # chosen: share of the run's time after which no further simple model is begun
ONE_BATCH_STEPS = 256  # chosen
LEARNED = 0.1  # chosen: one batch is learned when its loss fell below this share of the prior's
START_TOLERANCE = 0.02  # chosen: relative difference between the loss at the start and the prior's


def baselines(context: Context) -> tuple[Evidence, dict[str, np.ndarray]]:
    """(evidence, predictions of each simple model on the test rows, to be scored at the very end)."""
    scores, on_test = simple_models(context.until(SIMPLE_MODELS_END))
    structure = context.structure(widths=SMALLEST)
    start_loss, mixing = untrained(context, structure)
    batch = overfit_one_batch(context, structure)
    real, blind = blind_inputs(context, structure)
    prior, best = context.prior_loss, max(scores, key=lambda name: scores[name])
    checks = {
        "loss at start": (abs(start_loss - prior) <= START_TOLERANCE * max(prior, 1e-6), f"{start_loss:.3f}, the prior's is {prior:.3f}"),
        "one batch learned by heart": (batch[-1] <= LEARNED * max(batch[0], 1e-6), f"loss {batch[0]:.3f} -> {batch[-1]:.4f} on {ONE_BATCH} rows"),
        "rows stay apart": (mixing == 0.0, f"gradient of one row's output towards other rows: {mixing:g}"),
        "inputs matter": (real > blind, f"{context.metric.label} {context.shown(real):.3f}, without inputs {context.shown(blind):.3f}"),
    }  # fmt: skip
    broken = [name for name, (passed, _) in checks.items() if not passed]
    stop = "one batch learned by heart" in broken or "rows stay apart" in broken
    shown = {name: context.shown(score) for name, score in scores.items()}
    evidence = Evidence(
        "baselines",
        "stop" if stop else "warn" if broken else "pass",
        _summary(context, shown, start_loss, checks),
        explanation=_explanation(context, shown, best, checks),
        actions=[_advice(name) for name in broken],
        measures={"start_loss": start_loss, "prior_loss": prior, "best": best}
        | {f"{name}.score": score for name, score in scores.items()},
        tables={
            "Simple models on the validation rows": [{"model": name, context.metric.label: round(s, 4)} for name, s in shown.items()],
            "Is the network wired right?": [
                {"check": name, "passed": "yes" if passed else "NO", "measured": measured} for name, (passed, measured) in checks.items()
            ],
        },
        figures={
            "baselines": Figure("bars", "Simple models", "", context.metric.label,
                                (Series("validation rows", list(shown), [round(s, 4) for s in shown.values()]),),
                                "What the networks have to beat."),
            "one_batch": Figure("lines", "One batch learned by heart", "epoch", "loss on the batch",
                                (Series("one batch", list(range(1, len(batch) + 1)), batch),),
                                "A network that cannot learn 32 rows has a fault.", log_y=True),
        },
    )  # fmt: skip
    return evidence, on_test


def simple_models(context: Context) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Validation score (larger is better) and test predictions of each, by name; a failed one is noted and left out."""
    scores, on_test = {}, {}
    for name, (model, inputs) in _models(context).items():
        if context.budget.passed and scores:
            context.log.note("baselines", f"{name} was left out: the time for this stage was used up.")
            continue
        rows = context.train.take(_some(len(context.split.train), MOST_ROWS.get(name), context.options.seed))
        model.fit(inputs(rows), rows.target)
        predictions = {part: _predictions(model, inputs(getattr(context, part)), context) for part in ("validation", "test")}
        scores[name] = float(METRICS[context.metric.name].score(predictions["validation"], context.validation.target))
        on_test[name] = predictions["test"]
    return scores, on_test


def _models(context: Context) -> dict[str, tuple[Any, Any]]:
    regression = context.task == "regression"
    seed = context.options.seed
    embedded = list(
        range(context.arrays.numeric.shape[1], context.arrays.numeric.shape[1] + context.arrays.categories.shape[1])
    )
    trees = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    small = [column for column, size in zip(embedded, context.encoder.cardinalities, strict=True) if size <= 255]
    linear = Ridge() if regression else LogisticRegression(max_iter=300)
    if embedded:
        from sklearn.compose import make_column_transformer

        one_hot = OneHotEncoder(handle_unknown="ignore", max_categories=100)
        linear = make_pipeline(make_column_transformer((one_hot, embedded), remainder="passthrough"), linear)
    neighbours = KNeighborsRegressor if regression else KNeighborsClassifier
    return {
        "mean" if regression else "majority": (DummyRegressor() if regression else DummyClassifier(strategy="prior"), _numbers),
        "linear": (linear, _both),
        "nearest neighbours": (neighbours(n_neighbors=15), _numbers),
        "boosted trees": (trees(categorical_features=small or None, early_stopping=True, random_state=seed), _both),
    }


def _numbers(rows: Arrays) -> np.ndarray:
    return rows.numeric if rows.numeric.shape[1] else np.zeros((len(rows.numeric), 1), np.float32)


def _both(rows: Arrays) -> np.ndarray:
    return np.column_stack([rows.numeric, rows.categories]) if rows.categories.shape[1] else _numbers(rows)


def _some(rows: int, most: int | None, seed: int) -> np.ndarray:
    if most is None or rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _predictions(model: Any, inputs: np.ndarray, context: Context) -> np.ndarray:
    """(rows, outputs) as a network's: a class that the model never saw has probability 0."""
    if context.task == "regression":
        return model.predict(inputs).reshape(-1, 1).astype(np.float32)
    probabilities = np.zeros((len(inputs), len(context.schema.classes)), np.float32)
    probabilities[:, model.classes_] = model.predict_proba(inputs)
    return probabilities[:, 1:] if context.task == "binary" else probabilities


def untrained(context: Context, structure: Structure) -> tuple[float, float]:
    """(mean loss over the training rows; largest gradient of the first row's output towards the inputs of other rows, of which
    anything but 0 is a fault) of the network before its first step."""
    rows = context.train
    settings = resolve(structure)

    def measured(rows: Rows, prior):
        state = start(jnp.uint32(context.options.seed), structure, settings, prior)
        outputs, _, _ = forward(state.weights, state.statistics, rows.numeric, rows.categories, structure, settings)
        losses = LOSSES[structure.loss].per_row(outputs, rows.target, **of(structure.loss, settings))
        few = rows.numeric[:8]
        awake = state.weights | {"output.weight": jnp.ones_like(state.weights["output.weight"])}

        def first_output(numeric):
            return forward(awake, state.statistics, numeric, rows.categories[:8], structure, settings)[0][0].sum()

        return losses.mean(), jnp.abs(jax.grad(first_output)(few)[1:]).max(initial=0.0)

    loss, mixing = jax.jit(measured)(Rows(rows.numeric, rows.categories, rows.target), context.prior)
    return float(loss), float(mixing)


def overfit_one_batch(context: Context, structure: Structure) -> list[float]:
    """The loss on the same few rows, epoch by epoch."""
    rows = context.train.take(_varied(context, ONE_BATCH))
    population = context.population(train=rows, validation=rows)
    epochs = ONE_BATCH_STEPS
    chosen = {"adam.learning_rate": 5e-3, "early_stopping.patience": 10_000}
    member = Member(0, structure, resolve(structure, context.settings(structure, chosen)), "baselines")
    (training,) = population.train([Training(member)], epochs, epochs, context.budget)
    return [loss for loss in training.curves.training_loss if np.isfinite(loss)] or [float("inf")]


def _varied(context: Context, wanted: int) -> np.ndarray:
    """A few training rows, different from each other in their inputs: equal inputs with unlike targets cannot be learned."""
    rows = _some(len(context.split.train), 20 * wanted, context.options.seed)
    inputs = np.column_stack([context.train.numeric[rows], context.train.categories[rows]])
    _, first = np.unique(inputs, axis=0, return_index=True)
    return rows[np.random.default_rng(context.options.seed).permutation(np.sort(first))[:wanted]]


def blind_inputs(context: Context, structure: Structure) -> tuple[float, float]:
    """Validation scores after a short training with real inputs and with every input set to zero."""
    few = max(1, min(5, 400 * structure.batch_size // len(context.split.train)))
    scores = []
    for number, blind in enumerate((False, True)):
        parts = [context.train, context.validation]
        if blind:
            parts = [Arrays(np.zeros_like(part.numeric), np.zeros_like(part.categories), part.target) for part in parts]
        population = context.population(*parts)
        member = Member(
            number, structure, resolve(structure, context.settings(structure, {"adam.learning_rate": 3e-3})), "baselines"
        )
        few_epochs = few * population.epochs_per_call(structure)
        (training,) = population.train([Training(member)], few_epochs, few_epochs, context.budget)
        scores.append(training.score)
    return scores[0], scores[1]


def _summary(context: Context, shown: dict[str, float], start_loss: float, checks: dict[str, tuple[bool, str]]) -> str:
    models = ", ".join(f"{name} {score:.3f}" for name, score in shown.items())
    failed = [name for name, (passed, _) in checks.items() if not passed]
    wiring = f"failed: {', '.join(failed)}" if failed else f"loss at start {start_loss:.3f} = the prior's"
    return f"{context.metric.label}: {models}. {wiring}"


def _explanation(context: Context, shown: dict[str, float], best: str, checks: dict[str, tuple[bool, str]]) -> str:
    passed = sum(ok for ok, _ in checks.values())
    return (
        f"The best simple model is {best} with {context.metric.label} {shown[best]:.3f} on the validation rows; the networks have to "
        f"beat that. {passed} of {len(checks)} checks of the network's wiring passed: "
        + "; ".join(f"{name} ({measured})" for name, (_, measured) in checks.items())
        + "."
    )


def _advice(check: str) -> str:
    return {
        "loss at start": "The loss at the start is not that of the base rate: look at the output bias and the loss.",
        "one batch learned by heart": "A few rows cannot be learned by heart: look for inputs or targets that are constant, "
        "or a fixed setting that keeps the network from learning.",
        "rows stay apart": "One row's output depends on other rows: this is a fault in the network.",
        "inputs matter": "The network does no better with the inputs than without: the features may say nothing about the target, "
        "or rows and targets may not belong together.",
    }[check]
