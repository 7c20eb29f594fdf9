"""Findings, the causes they name, and which of them is the root of the others.

A rule is a function of the signals that yields findings; `rule` declares its cause, limits and sources once, so that the page
`docs/diagnosis.md`, the report and the rule itself speak of the same numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals

Severity = Literal["problem", "warning", "note"]
SEVERITIES = ("problem", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One cause of a training run that goes wrong.

    Parameters
    ----------
    cause : its name on the page of the rules, ``docs/diagnosis.md``.
    severity : ``"problem"`` (it costs score), ``"warning"`` (it may) or ``"note"``.
    says : a sentence with what was measured and where.
    measured, limit : the figure and what it was held against, in the unit of the sentence; None where nothing was counted.
    layer : the layer it is in; empty for the whole network.
    remedies : what to change, the likeliest to help first.
    explains : causes that follow from this one.
    certainty : that it is the root of the others, 0 to 1.
    """

    cause: str
    severity: Severity
    says: str
    measured: float | str | None = None
    limit: float | str | None = None
    layer: str = ""
    remedies: tuple[Remedy, ...] = ()
    explains: tuple[str, ...] = ()
    certainty: float = 0.5


@dataclass(frozen=True)
class Rule:
    """A rule as the page lists it."""

    cause: str
    reads: str
    limits: str
    source: str
    remedy: str
    order: int
    find: Callable[[Signals], Iterator[Finding]] = field(repr=False)


RULES: list[Rule] = []


def rule(cause: str, *, order: int, reads: str, limits: str, source: str, remedy: str):
    """Declares a rule. Of two causes that are as certain, the one with the lower order is nearer the root."""

    def declare(find: Callable[[Signals], Iterator[Finding]]) -> Callable[[Signals], Iterator[Finding]]:
        RULES.append(Rule(cause, reads, limits, source, remedy, order, find))
        return find

    return declare
