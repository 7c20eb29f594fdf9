"""Stage 4, regularize: trade training accuracy for validation accuracy, and measure what each regularizer does on this table.

One network, of the size and rate that the stage before chose; a population of it in which each member has one regularizer at
one strength. The gap is the score on training rows minus the score on validation rows, both with the best epoch's weights.
"""

import dataclasses
import math
import time
from collections.abc import Collection

from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.population.member import Member, Training
from trainwell.population.metrics import ORDERS
from trainwell.recipe import fixed
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Cell, Evidence, Figure, Series
from trainwell.recipe.overfit.stage import FEWEST_EPOCHS, FREQUENCY, MANY_ROWS, SHARE_OF_MANY
from trainwell.recipe.pace import pace
from trainwell.recipe.regularize import learning_curve as curves
from trainwell.recipe.regularize import strengths
from trainwell.recipe.regularize.effects import Effect, Way, doubt_of, effects_of
from trainwell.recipe.regularize.learning_curve import LearningCurve, learning_curve
from trainwell.search.halving import work

STRENGTHS = {  # chosen: from hardly felt to clearly too much
    "dropout.rate": (0.1, 0.25, 0.5),
    "weight_decay.rate": (0.01, 0.1, 0.5),
    "label_smoothing": (0.05, 0.2),
}
TOGETHER = {"dropout.rate": 0.15, "weight_decay.rate": 0.02}  # Holzmueller et al. (2024)
PATIENCE = 16.0  # chosen: epochs; an eighth of the longest training
WIDE = 0.1  # chosen: a gap that regularization should have closed
EARLY = 3  # chosen: a best epoch this early leaves nothing to choose from


def regularize(
    context: Context, first: int, widths: str, learning_rate: float | None, frequency: float | None = None
) -> tuple[Evidence, list[Training]]:
    """(evidence with the best regularizer, all trainings); members are numbered from ``first``."""
    structure = context.structure(widths=fixed.widths_of(widths))
    base = {"adam.beta2": 0.95, "early_stopping.patience": PATIENCE, "dropout.rate": 0.0, "weight_decay.rate": 0.0}
    if learning_rate is not None:
        base[f"{structure.optimizer}.learning_rate"] = learning_rate
    if frequency is not None and FREQUENCY in hyperparameters_of(structure):
        base[FREQUENCY] = frequency
    plans = ways_to_regularize(structure, context.metric.kind, context.options.settings)
    trainings = []
    for number, changes in enumerate(plans, start=first):
        settings = context.settings(structure, {**base, **changes})
        trainings.append(Training(Member(number, structure, settings, "regularize")))
    population, epochs = context.population(), _epochs(context, structure)
    began, waited = time.monotonic(), context.pool.waited_seconds
    trainings = population.train(trainings, epochs, epochs, context.budget, context.watcher("regularize", len(trainings)))
    unit = pace(trainings, time.monotonic() - began - (context.pool.waited_seconds - waited))
    ways = [Way(structure, changes, _name(changes), *_strength(changes)) for changes in plans]
    effects = effects_of(context, population, ways, trainings)
    whole = epochs == context.epochs(structure) and all(t.stopped or t.epochs >= epochs for t in trainings)
    done = [training.let_go() for training in trainings]
    if not effects:
        return _too_late(), done
    best = max(effects, key=lambda effect: effect.validation)
    doubt = doubt_of(context, population, ways, trainings, best)
    curve = _learning_curve(context, structure, base, epochs, best, unit)
    others = strengths.trained(context, strengths.other_ways(context, structure), base, epochs)
    other = effects_of(context, population, [way for way, _ in others], [training for _, training in others])
    return _with_curve(context, _evidence(context, effects, other, whole, doubt), curve), done


def _epochs(context: Context, structure: Structure) -> int:
    """Of few rows a full training; of many a part of it, which is enough to see the gap."""
    full = context.epochs(structure)
    return full if len(context.split.train) < MANY_ROWS else max(FEWEST_EPOCHS, round(SHARE_OF_MANY * full))


def ways_to_regularize(structure: Structure, metric: str, held: Collection[str] = ()) -> list[dict[str, float]]:
    """Changes to the unregularized network: none, each regularizer at each strength, two of them together; but for what is
    held fixed, whose strength does not change."""
    known = hyperparameters_of(structure)
    plans: list[dict[str, float]] = [{}]
    for name, values in STRENGTHS.items():
        full = f"{structure.loss}.{name}" if name == "label_smoothing" else name
        blurs_order = name == "label_smoothing" and metric in ORDERS
        if full in known and full not in held and not blurs_order:
            plans += [{full: strength} for strength in values]
    return [*plans, dict(TOGETHER)] if set(TOGETHER) <= set(known) - set(held) else plans


def _learning_curve(
    context: Context, structure: Structure, base: dict[str, float], epochs: int, best: Effect, unit: float
) -> LearningCurve | None:
    """The curve, where its networks are affordable; ``unit`` is the seconds of a unit of work."""
    enough = min(epochs, max(curves.FEWEST_EPOCHS, round(curves.BEYOND_BEST * best.epoch)))
    measured = curves.size(context, structure)
    if unit * work(measured) * enough > curves.affordable(context):
        return None
    return learning_curve(context, measured, context.settings(measured, {**base, **best.changes}), enough)


def _with_curve(context: Context, evidence: Evidence, curve: LearningCurve | None) -> Evidence:
    """The evidence with the learning curve, where it was measured."""
    if curve is None:
        return evidence
    ahead = curve.forecast
    measures = {} if ahead is None else {
        "doubled_rows_gain": context.shown_gap(ahead.gain),
        "doubled_rows_low": context.shown_gap(ahead.low),
        "doubled_rows_high": context.shown_gap(ahead.high),
    }  # fmt: skip
    return dataclasses.replace(
        evidence,
        explanation=f"{evidence.explanation} {curves.said(context, curve)}",
        measures={**evidence.measures, **measures},
        tables={**evidence.tables, "What more rows would give": curves.table(context, curve)},
        figures={**evidence.figures, "learning_curve": curves.figure(context, curve)},
    )


def _strength(changes: dict[str, float]) -> tuple[str, float | None]:
    """(the kind of regularizer, its strength); no strength where there are several, or none."""
    if len(changes) != 1:
        return "", None
    ((_, strength),) = changes.items()
    return _name(changes).rsplit(" ", 1)[0], strength


def _name(changes: dict[str, float]) -> str:
    """``"dropout 0.15 + weight decay 0.02"``."""
    words = {name: name.removesuffix(".rate").rsplit(".", 1)[-1].replace("_", " ") for name in changes}
    return " + ".join(f"{words[name]} {value:g}" for name, value in changes.items()) or "early stopping alone"


def _evidence(context: Context, effects: list[Effect], other: list[Effect], whole: bool, doubt: float) -> Evidence:
    best = max(effects, key=lambda effect: effect.validation)
    plain = next((effect for effect in effects if not effect.changes), best)
    every = [*effects, *other]
    label = context.metric.label
    return Evidence(
        "regularize",
        "warn" if best.gap > max(WIDE, plain.gap) else "pass",
        f"gap {context.said_gap(plain.gap)} -> {context.said_gap(best.gap)} with {best.name}, best at epoch {best.epoch}",
        explanation=_explanation(context, every, plain, best, doubt),
        actions=_actions(context, plain, best, other),
        measures={
            **{f"best.{name}": value for name, value in best.changes.items()},
            "regularizer": best.name,
            "trained_to_the_end": whole,
            "plain_score": plain.validation,
            "best_score": best.validation,
            "plain_gap": plain.gap,
            "best_gap": best.gap,
            "regularizer_gain": context.shown_gap(best.validation - plain.validation),
            "regularizer_doubt": None if math.isnan(doubt) else context.shown_gap(doubt),
            **_best_other(context, best, other),
        },
        tables={
            "What each regularizer does": [
                {
                    "regularizer": effect.name,
                    f"training {label}": round(context.shown(effect.training), 4),
                    f"validation {label}": round(context.shown(effect.validation), 4),
                    "gain": context.rounded_gap(effect.validation - plain.validation),
                    "gap": context.said_gap(effect.gap),
                    "best epoch": effect.epoch,
                }
                for effect in every
            ]
        },
        figures={"gap": _gap_figure(context, every), **strengths.curves(context, every, plain)},
    )


def _too_late() -> Evidence:
    said = "The time of this stage was used up before a network had trained: the usual strengths are taken."
    return Evidence(
        "regularize", "warn", "no time was left to measure regularizers", said, ("Give the run more time (--time-limit).",)
    )


def _best_other(context: Context, best: Effect, other: list[Effect]) -> dict[str, Cell]:
    """The best of the ways that the search does not draw, where it beats those that it does."""
    first = max(other, key=lambda effect: effect.validation, default=None)
    if first is None or first.validation <= best.validation:
        return {}
    return {"other_regularizer": first.name, "other_regularizer_gain": context.shown_gap(first.validation - best.validation)}


def _explanation(context: Context, every: list[Effect], plain: Effect, best: Effect, doubt: float) -> str:
    words = (
        f"With {plain.name} the network scores {context.metric.label} {context.said(plain.training)} on training rows and "
        f"{context.said(plain.validation)} on validation rows. "
    )
    if plain.gap < 0:
        words += "The validation rows are the easier ones here, by chance: the gap alone says little. "
    first = max(every, key=lambda effect: effect.validation)
    words += f"Of {len(every)} ways to hold it back, {first.name} is the best on the validation rows: "
    words += context.said(first.validation)
    if first is plain:
        return words + ". No regularizer beats stopping early on this table; the search tries mild ones all the same."
    gain = first.validation - plain.validation
    if first is best and not math.isnan(doubt):
        clearly = "more than chance" if best.validation - plain.validation > doubt else "no more than chance may do"
        words += f", {context.said_gap(gain)} better, which is {clearly} (± {context.said_gap(doubt)})"
    return words + ". The search draws strengths anew, together and at random; this stage shows what each does by itself."


def _actions(context: Context, plain: Effect, best: Effect, other: list[Effect]) -> list[str]:
    actions = []
    if best.gap > WIDE:
        actions.append("The gap stays wide whatever is done: more rows would help more than any setting.")
    if plain.epoch <= EARLY:
        actions.append("The best epoch comes very early: a lower learning rate would leave more to choose from.")
    first = max(other, key=lambda effect: effect.validation, default=best)
    if first.validation > best.validation and (how := _how_to_hold(first)):
        gain = context.said_gap(first.validation - best.validation)
        actions.append(
            f"{first.name[0].upper()}{first.name[1:]} did better than all that the search draws, by {gain}: try {how}."
        )
    return actions


def _how_to_hold(effect: Effect) -> str:
    """What holds a way fixed in the next run."""
    structure = effect.way.structure
    if effect.way.kind == "mixup":
        return f"--set mixup=yes --set mixup.strength={effect.way.strength:g}"
    if effect.way.kind == "input noise":
        return f"--set noises=input --set input_noise.standard_deviation={effect.way.strength:g}"
    if effect.name.startswith("batches"):
        return f"--set batch_size={structure.batch_size}"
    return f"--set widths={'-'.join(map(str, structure.widths))}"


def _gap_figure(context: Context, effects: list[Effect]) -> Figure:
    names = [effect.name for effect in effects]
    bars = (
        Series("training", names, [round(context.shown(effect.training), 4) for effect in effects]),
        Series("validation", names, [round(context.shown(effect.validation), 4) for effect in effects]),
    )
    caption = "A regularizer is worth its price when the validation score rises, not merely when the gap closes."
    return Figure("bars", "What each regularizer does", "", context.metric.label, bars, caption)
