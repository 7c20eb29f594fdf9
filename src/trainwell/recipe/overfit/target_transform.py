"""Whether a number is learned as its logarithm: decided by what small networks reach both ways on the validation rows.

Only a target with a long tail upwards, which logarithms shorten, is worth the question. The answer hangs on the metric: what is
turned back from logarithms is nearer to the median than to the mean, which the absolute error rewards and R2 does not.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import stats

from trainwell.network.target_log import learned
from trainwell.population.member import Training
from trainwell.recipe.context import Context

NAME = "target_transform"
SKEWED = 1.0  # chosen: skewness from which on a tail is long; an exponential distribution has 2
SHORTER = 0.8  # chosen: of the target's skewness, below which that of its logarithms must lie


class Compared(NamedTuple):
    """What the comparison came to: a sentence and measures, of which the chosen way is one."""

    says: str = ""
    measures: Mapping[str, Any] = {}


def worth_comparing(context: Context) -> bool:
    """Whether the target is a number with a long tail upwards that its logarithms have not, and nobody has decided."""
    if context.task != "regression" or NAME in context.options.settings or NAME in (context.options.space or {}):
        return False
    plain, logarithms = skewness(context)
    return plain > SKEWED and abs(logarithms) < SHORTER * plain


def skewness(context: Context) -> tuple[float, float]:
    """That of the training rows' target and of its logarithms; 0 where all are the same."""
    target = context.train.target.astype(np.float64)
    both = (target, np.asarray(learned(jnp.asarray(target), context.logarithm), np.float64))
    plain, logarithms = (float(stats.skew(values)) if np.ptp(values) > 0 else 0.0 for values in both)
    return plain, logarithms


def ways(context: Context) -> tuple[Context, Context]:
    """The run as it is, and one whose networks learn logarithms."""
    return dataclasses.replace(context, target_transform="none"), dataclasses.replace(context, target_transform="log")


def learning(context: Context, measures: Mapping[str, Any]) -> Context:
    """The run as the measures of a comparison say, also those that a resumed run reads back; as it is where none was made."""
    return dataclasses.replace(context, target_transform=measures.get(NAME, context.target_transform))


def compared(context: Context, plain: Sequence[Training], logarithms: Sequence[Training]) -> Compared:
    """The better way by the best score on the validation rows after as many epochs; the number itself where both are as good.

    ``plain`` and ``logarithms`` are trained at the same learning rates.
    """
    scores = [max((one.score for one in trainings if one.sound), default=-np.inf) for trainings in (plain, logarithms)]
    cut_short = max(one.epochs for one in logarithms) < max(one.epochs for one in plain)
    log_wins = bool(scores[1] > scores[0]) and not cut_short
    measures: dict[str, Any] = {NAME: "log" if log_wins else "none", "skewness": round(skewness(context)[0], 3)}
    if cut_short or not np.isfinite(scores).all():
        return Compared("There was no time to find out whether the target's logarithm is easier to learn.", measures)
    own, other = map(context.said, scores)
    says = (
        f"{context.schema.target} has a long tail (skewness {measures['skewness']:.1f}), so the smallest network learned it "
        f"both ways: {context.metric.label} on the validation rows is {own} from the number itself and {other} from its "
        f"logarithm, turned back before it is measured. The networks learn the {'logarithm' if log_wins else 'number itself'}."
    )
    return Compared(says, measures | {"plain_score": scores[0], "log_score": scores[1]})
