"""Short re-runs of a member from its start with one thing changed: what proves a cause and its remedy."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trainwell.diagnosis.diagnose import diagnose
from trainwell.diagnosis.engine.adaptor import signals_of
from trainwell.diagnosis.engine.known import WORST, Known
from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.signals import Signals, Trial
from trainwell.diagnosis.suspicion import next_trial
from trainwell.network.structure import hyperparameters_of, resolve
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.epoch import Data
from trainwell.population.member import Member, Training
from trainwell.population.metrics import metric_named

LONGER = 8  # as in the rule of too few epochs
ANOTHER = 1_000_003  # chosen: added to a number, it gives the member another start
ROWS_SCORED = 5000  # chosen: training rows on which a network is scored


def _times(factor: float) -> Callable[[Member], Member | None]:
    def change(member: Member) -> Member | None:
        name = f"{member.structure.optimizer}.learning_rate"
        declared = hyperparameters_of(member.structure).get(name)
        if declared is None:
            return None
        rate = min(declared.high, max(declared.low, member.settings[name] * factor))
        return None if rate == member.settings[name] else _with(member, {name: rate})

    return change


def _with(member: Member, settings: Mapping[str, float] | None = None, **structure: Any) -> Member:
    """The member with other settings, or another structure, whose new settings stand at their defaults."""
    changed = dataclasses.replace(member.structure, **structure)
    known = hyperparameters_of(changed)
    chosen = {name: value for name, value in {**member.settings, **(settings or {})}.items() if name in known}
    return dataclasses.replace(member, structure=changed, settings=resolve(changed, chosen))


def _setting(value: float, *names: str) -> Callable[[Member], Member | None]:
    def change(member: Member) -> Member | None:
        own = [name.format(member.structure.optimizer) for name in names]
        found = {name: value for name in own if member.settings.get(name, value) != value}
        return _with(member, found) if found else None

    return change


def _adam(member: Member) -> Member | None:
    return _with(member, optimizer="adam", decay="decoupled") if member.structure.optimizer != "adam" else None


CHANGES: dict[str, Callable[[Member], Member | None]] = {
    "control": lambda member: dataclasses.replace(member, number=member.number + ANOTHER),
    "fresh_weights": lambda member: _with(member, initializer="by_activation", first_pass="none"),
    "less_momentum": _setting(0.9, "{}.beta", "{}.beta1"),
    "no_dropout": _setting(0.0, "dropout.rate"),
    "no_decay": _setting(0.0, "weight_decay.rate"),
    "balanced": lambda member: _with(member, class_weights="balanced"),
    "rate_tenth": _times(0.1),
    "rate_tenfold": _times(10.0),
    "rate_hundredth": _times(0.01),
    "rate_hundredfold": _times(100.0),
    "rate_thousandth": _times(0.001),
    "rate_thousandfold": _times(1000.0),
    "full_batches": lambda member: _with(member, batch_size=64),
    "longer": lambda member: member,
    "leaky": lambda member: _with(member, activation="leaky_relu"),
    "adam": _adam,
    "clipped": lambda member: _with(member, clip="global_norm"),
}


def examined(
    training: Training, population: Population, known: Known, budget: Budget | None = None, epochs: int | None = None
) -> tuple[list[Finding], Signals]:
    """(findings, signals) of a training that came to its end, with the re-runs that its suspicion asks for.

    Parameters
    ----------
    training, population : the member, and the rows on which it trained.
    known : what the run knows.
    budget : when to end at the latest; what is not tried by then is named in ``not_run``.
    epochs : of a re-run; as many as the training was given where it is None.
    """
    signals = signals_of(training, known)
    if math.isfinite(score := train_score(training, population, known)):
        signals.facts["train_score"] = score
    while (name := next_trial(signals)) is not None:
        trial, why = tried(name, training, population, known, budget or Budget(), epochs or training.epochs)
        if trial is None:
            signals.not_run[f"re-run: {name}"] = why
        else:
            signals.trials[name] = trial
    return diagnose(signals), signals


def tried(
    name: str, training: Training, population: Population, known: Known, budget: Budget, epochs: int
) -> tuple[Trial | None, str]:
    """(one re-run, why there is none)."""
    member = CHANGES[name](training.member) if name in CHANGES else None
    if member is None:
        return None, "it does not apply"
    epochs *= LONGER if name == "longer" else 1
    (again,) = population.train([Training(member)], epochs, epochs, budget)
    if not again.failed and not again.stopped and again.epochs < epochs:
        return None, "no time was left"
    curves = again.curves
    steps = len(curves) * population.steps_per_epoch(member.structure)
    return Trial(curves.training_loss[-1], curves.validation_loss[-1], known.score(again.score), steps), ""


def train_score(training: Training, population: Population, known: Known) -> float:
    """The score of the best weights on training rows; NaN where the rows are streamed or no weights were kept."""
    if not isinstance(population.data, Data) or training.state is None or not math.isfinite(training.score):
        return math.nan
    rows = population.data.train
    picked = np.random.default_rng(known.seed).permutation(len(rows.target))[:ROWS_SCORED]
    numeric, categories, target = (np.asarray(part)[picked] for part in (rows.numeric, rows.categories, rows.target))
    guess = population.predict([training], numeric, categories)[0]
    weights = None if rows.weights is None else np.asarray(rows.weights)[picked]
    value = float(metric_named(known.metric).score(guess, target, weights))
    return known.score(value) if math.isfinite(value) else WORST
