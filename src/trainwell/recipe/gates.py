"""The gate that a run meets before it spends its time on a search: networks that have learned beat the one who guesses.

The baselines' own verdict is on the wiring; here is what the networks came to. Below the best simple model a search may still
help, below the base rate it does not: then nothing in the inputs says anything of the target, as far as networks can see.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax.numpy as jnp

from trainwell.population.member import Training
from trainwell.population.metrics import predictions_of
from trainwell.population.scores import negative_log_loss
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence

GUESSING = ("majority", "mean", "quantile")  # the simple models that look at no input
GATED = ("regularize", "tune")  # after these stages a run may be found to be of no use
FEWEST = 4  # chosen: networks that came to a score, before anything is concluded from them
LOG_LOSSES = ("binary_cross_entropy", "cross_entropy")
LIKELIER = 10.0  # nats, chosen: one that was fixed before comes to such a likelihood by chance once in e^10 = 22,000 times
FEWEST_ROWS = 30  # chosen: validation rows; on a handful networks that have learned lose to a guess by chance


def beaten(
    context: Context, stage: str, evidence: Evidence, done: Mapping[str, Evidence], trainings: Sequence[Training]
) -> Evidence:
    """The stage's evidence, with the verdict "stop" where no network of the run predicts better than a guess.

    Scores are of the validation rows, each network's at its best epoch: a comparison that flatters the networks. One whose log
    loss is clearly lower than that of the base rate has learned, too, though it may name the same class in every row.
    """
    measures = done["baselines"].measures if "baselines" in done else {}
    guess = next((name for name in GUESSING if isinstance(measures.get(f"{name}.score"), int | float)), None)
    scores = [t.score for t in trainings if t.sound]
    if stage not in GATED or guess is None or context.budget.interrupted:
        return evidence
    if len(scores) < FEWEST or len(context.split.validation) < FEWEST_ROWS:
        return evidence
    level = float(measures[f"{guess}.score"] or 0.0)
    if max(scores) > level or _likelier(context, trainings):
        return evidence
    label, said = context.metric.label, context.said
    summary = (
        f"no network predicts better than a guess ({guess}): {label} {said(max(scores))} at best, the guess has {said(level)}"
    )
    advice = (
        "The inputs may say nothing of the target, or rows and targets do not belong together: look at how the table was made, "
        "and for inputs that are missing."
    )
    explanation = (
        f"{len(scores)} networks were trained, and on the validation rows none of them does better than one who looks at no "
        "input. A search would try more of the same. " + evidence.explanation
    )
    return dataclasses.replace(
        evidence, verdict="stop", summary=summary, explanation=explanation, actions=(advice, *evidence.actions)
    )


def _likelier(context: Context, trainings: Sequence[Training]) -> bool:
    """Whether some network gives the validation rows a clearly higher likelihood than the base rate of the training rows does.

    The likelihood ratio of any predictions fixed before and the true ones has a mean of 1, so that it is above e^c by chance
    with a probability of e^-c at most (Markov's inequality).
    """
    if context.task == "regression" or context.class_weights is not None:
        return False
    sound = [t for t in trainings if t.sound and t.curves.best_epoch and t.member.structure.loss in LOG_LOSSES]
    losses = [t.curves.validation_loss[t.curves.best_epoch - 1] for t in sound]
    rows = context.validation
    outputs = jnp.broadcast_to(jnp.asarray(context.prior), (len(rows.target), context.outputs))
    of_prior = -float(negative_log_loss(predictions_of(outputs, context.task), rows.target, rows.weights))
    return len(rows.target) * (of_prior - min(losses, default=math.inf)) > LIKELIER
