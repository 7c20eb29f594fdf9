"""What to do next: a run's evidence as a list of steps, ranked by what each can be expected to gain.

What casts doubt on the score comes first, for a better score is worth nothing while it is not to be believed. Then come the
steps whose gain was measured on this very table, largest first: more rows, a longer search, more networks, a regularizer that
the search does not draw. Last come those that only a person can judge.

A pure function of the evidence: terminal, report and run folder say the same.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trainwell.recipe.evidence import Evidence
from trainwell.words import is_loss, metric_name, score

DOUBT, MEASURED, JUDGED = 0, 1, 2  # the order of the kinds
WORTH_IT = 0.001  # chosen: of the score, a gain below which nobody needs to act
OFF = 0.05  # chosen: a probability that is off by more than this on average misleads who reads it
MORE_TIME = "More time buys more networks"  # how the last stage begins to say so, where nothing was measured
OVERLAP = 0.5  # chosen: share of a forecast's interval that must lie above 0, for it to be called a gain


@dataclass(frozen=True)
class NextStep:
    """One thing to do.

    Parameters
    ----------
    what : the step, a sentence that says what to do.
    why : the measurement it comes from, a sentence.
    gain : what it can be expected to gain, in the unit of the metric, larger is better; None where nobody measured it.
    low, high : 95% interval of the gain, where there is one.
    stage : where it was measured.
    kind : `DOUBT`, `MEASURED` or `JUDGED`.
    """

    what: str
    why: str
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    stage: str = ""
    kind: int = MEASURED

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def next_steps(evidence: Mapping[str, Evidence]) -> list[NextStep]:
    """Every step that the evidence of the stages asks for, most useful first; empty without evidence."""
    steps = [step for find in (_doubts, _more_rows, _longer_search, _more_networks, _regularizer, _calibration, _judged)
             for step in find(evidence)]  # fmt: skip
    told: dict[str, NextStep] = {}
    for step in steps:
        told.setdefault(step.what, step)
    return sorted(told.values(), key=lambda step: (step.kind, -(step.gain or 0.0)))


def gain_said(step: NextStep, metric: object) -> str:
    """ "+0.004 AUC (0.001 to 0.008)", "RMSE lower by 12.3", or nothing where no gain was measured."""
    if step.gain is None:
        return ""
    name, gain = metric_name(metric), _short(step.gain)
    said = f"{name} lower by {gain}" if is_loss(metric) else f"+{gain} {name}"
    return said if step.low is None or step.high is None else f"{said} ({_short(step.low)} to {_short(step.high)})"


def _doubts(evidence: Mapping[str, Evidence]) -> Iterator[NextStep]:
    """What a stage warned of or stopped for, before the search: the score may not be what it seems."""
    for stage in ("look", "baselines"):
        found = evidence.get(stage)
        if found is None or found.verdict == "pass":
            continue
        grave = [
            _number(found, name) for name in ("stops", "warnings")
        ]  # as many of its actions, which come first, are of these
        most = len(found.actions) if None in grave else int(sum(one or 0.0 for one in grave))
        for action in list(found.actions)[:most]:
            yield NextStep(action, f"Stage {stage} says: {found.summary}.", stage=stage, kind=DOUBT)
    squeeze = evidence.get("squeeze")
    wrong, expected = (_number(squeeze, name) for name in ("sure_mistakes", "sure_mistakes_expected"))
    if wrong is not None and expected is not None and wrong > expected + 3 * max(1.0, math.sqrt(max(0.0, expected))):
        yield NextStep(
            "Check the labels of the worst mistakes.",
            f"{wrong:.0f} test rows are wrong though the model is more than 95% sure; about {expected:.0f} should be.",
            stage="squeeze",
            kind=DOUBT,
        )


def _more_rows(evidence: Mapping[str, Evidence]) -> Iterator[NextStep]:
    found = evidence.get("regularize")
    gain, low, high = (_number(found, f"doubled_rows_{name}") for name in ("gain", "low", "high"))
    if gain is None or low is None or high is None or not _worth_it(gain, evidence):
        return
    if high - low > 0 and high / (high - low) < OVERLAP:
        return
    yield NextStep(
        "Gather twice as many rows like these.",
        "The learning curve over an eighth to all of the training rows still rises.",
        gain, low, high, "regularize",
    )  # fmt: skip


def _longer_search(evidence: Mapping[str, Evidence]) -> Iterator[NextStep]:
    found = evidence.get("tune")
    gain = _number(found, "doubled_search_gain")
    if gain is None or not _worth_it(gain, evidence):
        return
    trials = _number(found, "trials")
    networks = "networks" if trials is None else f"{trials:.0f} networks"
    yield NextStep(
        "Search for twice as long (--time-limit or --trials).",
        f"The last doubling of the {networks} bought as much on the validation rows; the next one seldom buys more.",
        gain,
        stage="tune",
    )


def _more_networks(evidence: Mapping[str, Evidence]) -> Iterator[NextStep]:
    found = evidence.get("squeeze")
    gain = _number(found, "more_members_gain")
    if gain is None or not _worth_it(gain, evidence):
        return
    yield NextStep(
        "Average twice as many networks (--effort best).",
        "The score of averages rises with the number of networks as a - b/k, on rows that none of them was trained on.",
        gain,
        stage="squeeze",
    )


def _regularizer(evidence: Mapping[str, Evidence]) -> Iterator[NextStep]:
    found = evidence.get("regularize")
    gain, name = _number(found, "other_regularizer_gain"), found.measures.get("other_regularizer") if found else None
    if gain is None or not _worth_it(gain, evidence):
        return
    how = next((action.rsplit(": try ", 1)[1] for action in found.actions if ": try --set" in action), "") if found else ""
    yield NextStep(
        f"Try {name} for all networks{f' ({how.rstrip(chr(46))})' if how else ''}.",
        "It did better on the validation rows than every regularizer that the search draws, in one network each.",
        gain,
        stage="regularize",
    )


def _calibration(evidence: Mapping[str, Evidence]) -> Iterator[NextStep]:
    found = evidence.get("squeeze")
    error = _number(found, "calibration_error")
    if error is not None and error > OFF:
        yield NextStep(
            "Do not read the probabilities as they are: keep more rows for validation, which calibrate them.",
            f"On the test rows they are off by {100 * error:.1f} percentage points on average.",
            stage="squeeze",
            kind=JUDGED,
        )


def _judged(evidence: Mapping[str, Evidence]) -> Iterator[NextStep]:
    """What stages advise without a measured gain, and what is not done by the search that followed them."""
    measured = _number(evidence.get("tune"), "doubled_search_gain") is not None  # says better what more time buys
    for stage in ("squeeze", "tune", "look"):
        found = evidence.get(stage)
        if found is None:
            continue
        for action in found.actions:
            if not (measured and action.startswith(MORE_TIME)):
                yield NextStep(action, f"Stage {stage} advises it.", stage=stage, kind=JUDGED)


def _worth_it(gain: float, evidence: Mapping[str, Evidence]) -> bool:
    """Whether a gain is more than nothing: a thousandth of the score's own size."""
    score = _number(evidence.get("squeeze"), "test_score")
    return gain > WORTH_IT * max(abs(score), 1e-12) if score is not None else gain > 0


def _number(found: Evidence | None, name: str) -> float | None:
    value = found.measures.get(name) if found is not None else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _short(value: float) -> str:
    return score(value)
