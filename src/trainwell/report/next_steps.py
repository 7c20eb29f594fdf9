"""What to do next, from all stages: the gravest first, as the stages ranked it."""

from typing import NamedTuple

from trainwell.report.record import Record

GRAVITY = ("stop", "warn", "pass")


class Step(NamedTuple):
    """One sentence, and the stage that says why."""

    says: str
    stage: str


def next_steps(record: Record) -> list[Step]:
    """Every stage's actions, each sentence once; those of stages that stopped or warned come first."""
    found = sorted(record.evidence.values(), key=lambda evidence: GRAVITY.index(evidence.verdict))
    steps: dict[str, Step] = {}
    for evidence in found:
        for says in evidence.actions:
            steps.setdefault(says, Step(says, evidence.stage))
    return list(steps.values())
