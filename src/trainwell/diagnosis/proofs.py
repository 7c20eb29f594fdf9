"""What a re-run with one change shows."""

import math
from collections.abc import Iterator
from dataclasses import replace

from trainwell.diagnosis.families import AFTER_RATE
from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import level, underfits

GAIN = 0.08  # chosen: a score must rise by so much
SPOILED = 0.5  # chosen: share of the gradient that reaches the optimizer
CLOSED = 0.4  # chosen: and by this share of the way to what is reachable


def control(signals: Signals) -> float:
    """The score before a change: the mean of the run and of the unchanged re-run, as each has its own chance.

    Where the run's own step spoils the gradient, the re-run's plain step alone is comparable.
    """
    if signals.number("kept_gradient") < SPOILED and math.isfinite(signals.score_of("control")):
        return signals.score_of("control")
    known = [value for value in (signals.score_of("control"), signals.number("score")) if math.isfinite(value)]
    return sum(known) / len(known) if known else float("nan")


def share_closed(signals: Signals, name: str) -> float:
    """Share of the way from the unchanged re-run to what is reachable that the change makes; 0 where it was not tried."""
    changed, before, reachable = signals.score_of(name), control(signals), level(signals)
    if not math.isfinite(changed) or not reachable > before:
        return 0.0
    return max(0.0, min(1.0, (changed - before) / (reachable - before)))


def repair(signals: Signals, name: str) -> float:
    """The share closed where the change mends the run; otherwise 0."""
    gain = signals.score_of(name) - control(signals)
    closed = share_closed(signals, name)
    return closed if gain > GAIN and closed > CLOSED else 0.0


def reruns(signals: Signals, name: str, remedy: Remedy) -> Remedy:
    """The remedy with its proof."""
    changed = signals.score_of(name)
    if not math.isfinite(changed):
        return replace(remedy, trial=name)
    return replace(remedy, trial=name, before=control(signals), after=changed)


def proven(
    signals: Signals,
    cause: str,
    trial: str,
    says: str,
    measured: float | str,
    limit: float | str | None,
    remedy: Remedy,
    explains: tuple[str, ...] = AFTER_RATE,
    bonus: float = 0.0,
) -> Iterator[Finding]:
    """A finding where the re-run mends the run; surer the nearer it comes to what is reachable, and by the "
    "bonus of the rule."""
    proof = repair(signals, trial)
    if proof > 0 and underfits(signals):
        yield Finding(
            cause,
            "problem",
            f"{says}; a re-run with this alone changed takes the score from {control(signals):.2f} to "
            f"{signals.score_of(trial):.2f}",
            measured,
            limit,
            remedies=(reruns(signals, trial, remedy),),
            explains=explains,
            certainty=0.6 + 0.15 * proof + bonus,
        )
