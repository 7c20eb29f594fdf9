"""Stage 2, baselines: what simple models reach, and whether the network is wired right.

A network that cannot beat these is not worth its trouble. And before it trains in earnest it must pass what a careful
person tries first: the loss at the start is that of the base rate, one batch can be learned by heart, one row's output
depends on that row alone, and real inputs beat inputs that say nothing.

Source of the checks: Karpathy (2019), "A recipe for training neural networks", step 2.
"""

import dataclasses
import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from trainwell.network.forward import forward
from trainwell.network.structure import Structure
from trainwell.population.cohort import Population
from trainwell.population.epoch import outputs_of
from trainwell.population.member import Member, Training
from trainwell.population.scores import mean
from trainwell.population.step import Rows, row_losses, start
from trainwell.recipe.baselines.simple_models import score_simple_models, some_rows
from trainwell.recipe.context import SMALLEST, Context
from trainwell.recipe.evidence import Evidence, Figure, Series, rounded

SIMPLE_MODELS = 0.08  # chosen: share of the run's time, from the stage's begin on, after which no further simple model is begun
ONE_BATCH = 32  # rows; the source says "as little as two", a few more are no harder
ONE_BATCH_STEPS = 512  # chosen
LEARNED = 0.1  # chosen: one batch is learned when its loss fell below this share of what it began with,
STUCK = 0.8  # chosen: and not learned at all when it stayed above this one; between lie tables with one noisy feature
START_TOLERANCE = 0.02  # chosen: relative difference between the loss at the start and the prior's
BLIND_STEPS = 400  # chosen: enough for real inputs to show
LONG = 30.0  # seconds, chosen: of a run from which on a program is compiled for one check
NO_LOWER = 1.02  # chosen: times the training loss of a linear network, which one with hidden units must not exceed


class Check(NamedTuple):
    """One check of the wiring; ``passed`` is None where there was no time to make it; one that does not
    warn says something of the table rather than of a fault."""

    name: str
    passed: bool | None
    measured: str
    advice: str
    serious: bool = False
    warns: bool = True


def baselines(context: Context) -> tuple[Evidence, dict[str, np.ndarray]]:
    """(evidence, predictions of each simple model for the test rows, to be scored at the very end)."""
    structure = context.structure(widths=SMALLEST)
    context.population().prepare([structure])  # which the next stage needs, compiled while the simple models are fitted
    simple = score_simple_models(context.within(SIMPLE_MODELS, beyond=True))
    start_loss, mixing = untrained(context, structure)
    batch_losses = overfit_one_batch(context, structure)
    real, blind = blind_inputs(context, structure)
    linear = without_hidden_units(context, structure)
    checks = [
        _start_check(start_loss, context.prior_loss),
        _batch_check(batch_losses),
        _mixing_check(mixing),
        _inputs_check(context, real.score, blind.score),
        _capacity_check(structure, real, linear),
    ]
    scores = {name: one.score for name, one in simple.items()}
    figures = {"one_batch": _batch_figure(batch_losses)} if batch_losses else {}
    figures |= _short_figure({"real inputs": real, "no hidden units": linear, "every input zero": blind}, context.prior_loss)
    return _evidence(context, scores, start_loss, checks, figures), {name: one.on_test for name, one in simple.items()}


def untrained(context: Context, structure: Structure) -> tuple[float, float]:
    """(mean loss over the training rows; largest gradient of the first row's output towards the inputs of other rows, of which
    anything but 0 is a fault) of the network before its first step."""
    settings = context.settings(structure, {})
    seed, prior = jnp.uint32(context.options.seed), jnp.asarray(context.prior)
    loss, mixing = _untrained(seed, context.rows(context.train), prior, settings, context.class_weights, structure)
    return float(loss), float(mixing)


@partial(jax.jit, static_argnames="structure")
def _untrained(seed, rows: Rows, prior, settings: dict[str, float], class_weights, structure: Structure):
    state = start(seed, structure, settings, prior)
    outputs = outputs_of(state.weights, state.statistics, rows.numeric, rows.categories, structure, settings)
    losses = row_losses(outputs, rows.target, structure, settings, class_weights)
    awake = state.weights | {"output.weight": jnp.ones_like(state.weights["output.weight"])}

    def first_output(numeric):
        return forward(awake, state.statistics, numeric, rows.categories[:8], structure, settings)[0][0].sum()

    return mean(losses, rows.weights), jnp.abs(jax.grad(first_output)(rows.numeric[:8])[1:]).max(initial=0.0)


def overfit_one_batch(context: Context, structure: Structure) -> list[float]:
    """The loss on the same few rows, epoch by epoch; empty where there was no time for it, or too little to judge by."""
    rows = context.train.take(_varied(context, ONE_BATCH))
    chosen = {**context.learning_rate(structure, times=5), "early_stopping.patience": 10_000}
    member = Member(0, structure, context.settings(structure, chosen), "baselines")
    population = context.population(train=rows, validation=rows, signals=False)  # a third of what there is to compile
    (training,) = population.train([Training(member)], ONE_BATCH_STEPS, ONE_BATCH_STEPS, context.budget)
    losses = [loss if math.isfinite(loss) else math.inf for loss in training.curves.training_loss]
    cut = training.epochs < ONE_BATCH_STEPS and not training.failed
    return [] if cut and _share_left(losses) > LEARNED else losses


def _share_left(losses: list[float]) -> float:
    """The lowest loss as a share of the first."""
    return min(losses) / max(losses[0], 1e-6) if losses else math.inf


def _varied(context: Context, wanted: int) -> np.ndarray:
    """A few training rows, different from each other in their inputs: equal inputs with unlike targets cannot be learned."""
    rows = some_rows(len(context.split.train), 20 * wanted, context.options.seed)
    inputs = np.column_stack([context.train.numeric[rows], context.train.categories[rows]])
    _, first = np.unique(inputs, axis=0, return_index=True)
    return rows[np.random.default_rng(context.options.seed).permutation(np.sort(first))[:wanted]]


def blind_inputs(context: Context, structure: Structure) -> tuple[Training, Training]:
    """Short trainings with real inputs and with every input set to zero; they have no score without time for it."""
    trainings = []
    for number, blind in enumerate((False, True)):
        parts = [context.train, context.validation]
        if blind:
            parts = [
                dataclasses.replace(one, numeric=np.zeros_like(one.numeric), categories=np.zeros_like(one.categories))
                for one in parts
            ]
        trainings.append(_short(context, context.population(*parts), structure, number))
    return trainings[0], trainings[1]


def without_hidden_units(context: Context, structure: Structure) -> Training:
    """The same short training of a network without hidden layers; not begun in a short run, whose time its program is not
    worth, nor where the user holds the layers fixed."""
    linear, limit = context.structure(widths=()), context.options.time_limit
    if linear == structure or (limit is not None and limit < LONG):
        return Training(Member(0, linear, context.settings(linear, {}), "baselines"))
    return _short(context, context.population(), linear, 0)


def _short(context: Context, population: Population, structure: Structure, number: int) -> Training:
    settings = context.settings(structure, context.learning_rate(structure, times=3))
    training = Training(Member(number, structure, settings, "baselines"))
    epochs = math.ceil(BLIND_STEPS / population.steps_per_epoch(structure))
    return population.train([training], epochs, epochs, context.budget)[0]


def _start_check(loss: float, prior: float) -> Check:
    advice = "The loss at the start is not that of the base rate: look at the output bias and the loss."
    passed = abs(loss - prior) <= START_TOLERANCE * max(prior, 1e-6)
    return Check("loss at start", passed, f"{loss:.3f}, the prior's is {prior:.3f}", advice)


def _batch_check(losses: list[float]) -> Check:
    advice = "A few rows cannot be learned by heart: look for constant inputs, or a fixed setting that hinders learning."
    name = "one batch learned by heart"
    if not losses:
        return Check(name, None, "no time was left", advice)
    left = _share_left(losses)
    measured = f"loss {losses[0]:.3f} -> {min(losses):.4f}"
    return Check(name, left <= LEARNED, measured, advice, serious=left > STUCK)


def _mixing_check(gradient: float) -> Check:
    advice = "One row's output depends on other rows: this is a fault in the network."
    return Check("rows stay apart", gradient == 0, f"gradient towards other rows {gradient:g}", advice, serious=True)


def _inputs_check(context: Context, real: float, blind: float) -> Check:
    name = "inputs matter"
    advice = (
        "The network does no better with the inputs than without: the features may say nothing about the target, or rows and "
        "targets do not belong together."
    )
    if not (math.isfinite(real) and math.isfinite(blind)):
        return Check(name, None, "no time was left", advice)
    measured = f"{context.metric.label} {context.said(real)}, without inputs {context.said(blind)}"
    return Check(name, real > blind, measured, advice)


def _capacity_check(structure: Structure, large: Training, linear: Training) -> Check:
    name = "more capacity learns more"
    advice = (
        "Hidden units do not lower the training loss: look at the learning rate, the activation and the first weights; or the "
        "target hangs on each input by itself, and a linear model is all it takes."
    )
    losses = [training.curves.training_loss[-1] if training.sound else math.nan for training in (linear, large)]
    if not all(map(math.isfinite, losses)):
        return Check(name, None, "no time was left", advice)
    widths = "-".join(map(str, structure.widths)) or "linear"
    measured = f"training loss {losses[0]:.3g} without hidden units, {losses[1]:.3g} with {widths}"
    return Check(name, losses[1] <= NO_LOWER * losses[0], measured, advice, warns=False)


def _evidence(
    context: Context, scores: dict[str, float], start_loss: float, checks: list[Check], figures: dict[str, Figure]
) -> Evidence:
    failed = [check for check in checks if check.passed is False]
    label, shown = context.metric.label, {name: context.shown(score) for name, score in scores.items()}
    models = ", ".join(f"{name} {context.said(score)}" for name, score in scores.items())
    faults = [check for check in failed if check.warns]
    wiring = f"failed: {', '.join(check.name for check in faults)}" if faults else f"start loss {start_loss:.3f} = the prior's"
    return Evidence(
        "baselines",
        "stop" if any(check.serious for check in failed) else "warn" if faults else "pass",
        f"{label}: {models}. {wiring}",
        explanation=_explanation(context, scores, checks),
        actions=[check.advice for check in failed],
        measures={"start_loss": start_loss, "prior_loss": context.prior_loss}
        | {f"{name}.score": score for name, score in scores.items() if math.isfinite(score)},
        tables={
            "Simple models on the validation rows": [{"model": name, label: rounded(score)} for name, score in shown.items()],
            "Is the network wired right?": [
                {
                    "check": check.name,
                    "passed": {True: "yes", False: "no", None: "not made"}[check.passed],
                    "measured": check.measured,
                }
                for check in checks
            ],
        },
        figures={"baselines": _models_figure(shown, label)} | figures,
    )


def _explanation(context: Context, scores: dict[str, float], checks: list[Check]) -> str:
    measured = {name: score for name, score in scores.items() if math.isfinite(score)}
    best = max(measured, key=lambda name: measured[name], default=None)
    reached = f"No simple model has a {context.metric.label} on the validation rows"
    if best is not None:
        said = context.said(scores[best])
        reached = f"The best simple model is {best} with {context.metric.label} {said} on the validation rows"
    made = [check for check in checks if check.passed is not None]
    passed = sum(bool(check.passed) for check in made)
    return (
        f"{reached}{'; the networks have to beat that' if best else ''}. {passed} of {len(made)} checks of the wiring passed: "
        + "; ".join(f"{check.name} ({check.measured})" for check in made)
        + "."
    )


def _models_figure(shown: dict[str, float], label: str) -> Figure:
    bars = Series("validation rows", list(shown), [rounded(score) for score in shown.values()])
    return Figure("bars", "Simple models", "", label, (bars,), "What the networks have to beat.")


def _short_figure(trainings: dict[str, Training], prior_loss: float) -> dict[str, Figure]:
    """The training loss of short trainings, with that of the base rate; nothing where none was made."""
    made = {name: t.curves.training_loss for name, t in trainings.items() if t.sound}
    if not made:
        return {}
    series = [
        Series(name, list(range(1, len(losses) + 1)), [float(f"{x:.5g}") if math.isfinite(x) else None for x in losses])
        for name, losses in made.items()
    ]
    longest = max(len(losses) for losses in made.values())
    series.append(Series("the base rate", [1, longest], [float(f"{prior_loss:.5g}")] * 2))
    caption = (
        "Real inputs must bring the loss below that of the base rate, which inputs that say nothing cannot; and hidden units "
        "should learn more than none."
    )
    return {"wiring": Figure("lines", "Do inputs and capacity help?", "epoch", "training loss", series, caption)}


def _batch_figure(losses: list[float]) -> Figure:
    curve = Series("one batch", list(range(1, len(losses) + 1)), [loss if math.isfinite(loss) else None for loss in losses])
    caption = "A network that cannot learn a few rows by heart has a fault."
    return Figure("lines", "One batch learned by heart", "epoch", "loss on the batch", (curve,), caption, log_y=True)
