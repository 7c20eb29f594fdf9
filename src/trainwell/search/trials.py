"""Members as Optuna's trials: what was drawn, from where, and how well it did.

A member that came to its end is complete. One that halving left behind is pruned, and stands where it was left: its best score
so far, at the epoch of its last rung. Optuna's TPE puts every complete trial before every pruned one, and of those the ones
that came further first; that is what halving has found out, and no score after a few epochs is taken for one after many.

A module that imports Optuna: it is imported where a search begins.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from trainwell.population.member import Member, Training
from trainwell.search.space import Axis, Label, Space, labelled


def distributions(space: Space, member: Member) -> dict[str, BaseDistribution]:
    """What the choices and the settings of a member are drawn from, in Optuna's terms; its own values are always in it."""
    found: dict[str, BaseDistribution] = {}
    for name, values in space.choices.items():
        own = labelled(space.now(member.structure), name)
        found[name] = CategoricalDistribution(values if own in values else (*values, own))
    for name, axis in space.axes(member.structure).items():
        found[name] = distribution(axis, member.settings[name])
    return found


def distribution(axis: Axis, *holding: float) -> BaseDistribution:
    """The distribution of one setting, which holds some values whatever the range is."""
    if axis.values:
        return CategoricalDistribution(axis.values)
    return FloatDistribution(min((axis.low, *holding)), max((axis.high, *holding)), log=axis.log)


def state_of(training: Training) -> TrialState:
    """Complete, pruned, failed or running, by how far the member came."""
    if training.failed or (training.curves and not math.isfinite(training.score)):
        return TrialState.FAIL
    if training.ended or training.stopped:
        return TrialState.COMPLETE
    return TrialState.RUNNING if training.going else TrialState.PRUNED


def told(space: Space, training: Training) -> FrozenTrial | None:
    """What the sampler is told of a member; nothing of one that never trained or that lies outside of what is searched now.

    One whose loss left the finite numbers is told as the worst there is, so that its like is avoided: Optuna would look away
    from a failed trial. What is told is what halving compares them by.
    """
    if not training.curves or not space.holds(training.member):
        return None
    if training.failed and training.member.structure in space.replaced:  # what it broke by has been remedied
        return None
    complete = state_of(training) is TrialState.COMPLETE
    score = training.rank if math.isfinite(training.rank) and not training.failed else math.nan
    return optuna.trial.create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        value=score if complete else None,
        params=space.point(training.member),
        distributions=distributions(space, training.member),
        intermediate_values={} if complete else {training.epochs: score},
    )


def chosen(trial: optuna.Trial, name: str, values: Sequence[Label]) -> Label:
    """The trial's value for one choice."""
    return cast(Label, trial.suggest_categorical(name, values))


def suggested(trial: optuna.Trial, name: str, axis: Axis) -> float:
    """The trial's value for one setting."""
    if axis.values:
        return trial.suggest_categorical(name, axis.values)
    return trial.suggest_float(name, axis.low, axis.high, log=axis.log)


@contextmanager
def quietly() -> Iterator[None]:
    """Without Optuna's diary and its warnings of what is experimental; both are as they were afterwards."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as Python's own: Optuna writes JSON."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}
