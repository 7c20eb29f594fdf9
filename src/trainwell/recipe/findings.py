"""Findings in the run's networks as events: the same rules as for any training loop, with what the run knows beside them.

A network that merely lost the search is healthy: one that was left behind on its way is not held against simple models, and
what is told are problems and warnings alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from trainwell.diagnosis.diagnose import diagnose
from trainwell.diagnosis.engine.adaptor import diagnosed, signals_of
from trainwell.diagnosis.engine.known import Known
from trainwell.diagnosis.engine.reruns import tried
from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.suspicion import looks_wrong, unlearned
from trainwell.population.member import Training
from trainwell.population.metrics import predictions_of
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence
from trainwell.search.cross_fit import STAGE as CROSS_FIT

CONSTANT = ("majority", "mean", "quantile")  # the simple models that ignore the inputs
ON_PURPOSE = {"overfit": ("overfitting",)}  # by stage: what it is there for
PROVEN = ("overfit", "regularize")  # stages in which one re-run proves a remedy; the search has better use for its time
SHORT = 0.5  # chosen: share of the stage's epochs that a re-run takes


def known_of(context: Context, evidence: Mapping[str, Evidence]) -> Known:
    """What the stages so far know of the rows."""
    measures = evidence["baselines"].measures if "baselines" in evidence else {}
    simple = {
        name.removesuffix(".score"): float(value)
        for name, value in measures.items()
        if name.endswith(".score") and isinstance(value, int | float)
    }
    constant = next((simple[name] for name in CONSTANT if name in simple), None)
    if constant is None:  # of a run without the simple models
        held_out = context.validation
        outputs = jnp.tile(jnp.asarray(context.prior), (len(held_out.target), 1))
        predictions = predictions_of(outputs, context.task, context.structure().logarithm)
        constant = float(context.metric.score(predictions, held_out.target, held_out.weights))
    if not math.isfinite(constant):  # of a user's function that gives none: nothing, or the poorest simple model
        constant = min([0.0, *simple.values()])
    rows = len(context.split.train)
    return Known(context.task, context.metric, rows, context.prior_loss, constant, simple, context.options.seed)


def whole(training: Training) -> bool:
    """Whether it came to its end, so that its score can be held against the simple models; a cross-fitted network is measured
    on other rows than they are."""
    if training.member.stage == CROSS_FIT:
        return False
    return training.member.stage != "tune" or training.ended or training.stopped


def problems(trainings: Iterable[Training], known: Known) -> list[tuple[Training, Finding]]:
    """The first problem of each training that has one."""
    found = []
    for training in trainings:
        first = next((one for one in diagnosed(training, known, whole(training)) if one.severity == "problem"), None)
        if first is not None:
            found.append((training, first))
    return found


def tell(context: Context, stage: str, trainings: Sequence[Training], known: Known, told: set[tuple]) -> None:
    """One event for each problem and warning in each training, but for those in ``told``, which it adds to.

    In the stages of `PROVEN` the first network that broke down or stands still is trained once more, for a short while, with
    the first remedy and nothing else changed, and where that is none with the next; its finding then says what came of it.
    """
    proof = _proof(context, trainings, known) if stage in PROVEN else {}
    for training in trainings:
        number = training.member.number
        for finding in proof.get(number) or diagnosed(training, known, whole(training)):
            mark = (number, finding.cause, finding.layer)
            if finding.severity == "note" or finding.cause in ON_PURPOSE.get(stage, ()) or mark in told:
                continue
            told.add(mark)
            context.log.add("finding", member=number, stage=training.member.stage, **_fields(finding))


def _fields(finding: Finding) -> dict[str, Any]:
    fields = ("cause", "severity", "layer", "measured", "limit", "says")
    return {**{name: getattr(finding, name) for name in fields}, "remedies": [str(remedy) for remedy in finding.remedies]}


def _proof(context: Context, trainings: Sequence[Training], known: Known) -> dict[int, list[Finding]]:
    """The findings of one training after a re-run, or two; nothing where none asks for it or no time is left."""
    for training in trainings:
        signals = signals_of(training, known)
        if not (training.failed or (looks_wrong(signals) and unlearned(signals))):
            continue
        first = next((one for one in diagnose(signals) if one.severity == "problem"), None)
        epochs = max(1, round(SHORT * max(one.epochs for one in trainings)))
        for trial in [remedy.trial for remedy in first.remedies if remedy.trial] if first is not None else []:
            if context.budget.passed:
                break
            shown, _ = tried(trial, training, context.population(told=False), known, context.budget, epochs)
            if shown is not None:
                signals.trials[trial] = shown
                again = diagnose(signals)
                if any(one.severity == "problem" for one in again):
                    return {training.member.number: again}
        return {}
    return {}
