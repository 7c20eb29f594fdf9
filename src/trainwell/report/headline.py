"""The first lines of the report: how good the model is, and next to what."""

from trainwell.report.record import Record
from trainwell.report.run_figures import Score
from trainwell.words import is_loss, metric_name, score, shortened

ENDING = ".test_score"  # "linear.test_score" among the measures of the last stage: that baseline on the same rows
LONGEST_NAME = 60  # letters, chosen: of a name in a headline


def scores(record: Record) -> list[Score]:
    """The model's score on the test rows and the baselines' on the same rows, best baseline first; empty without a score."""
    squeeze = record.evidence.get("squeeze")
    measures = squeeze.measures if squeeze else {}
    ours = measures.get("test_score", record.finished.get("test_score"))
    if not isinstance(ours, int | float):
        return []
    low, high = (_number(measures.get(end, record.finished.get(end))) for end in ("low", "high"))
    others = [
        Score(name.removesuffix(ENDING), float(value))
        for name, value in measures.items()
        if name.endswith(ENDING) and isinstance(value, int | float)
    ]
    others.sort(key=lambda one: one.value, reverse=not is_loss(record.metric))
    return [Score("this model", float(ours), low, high, ours=True), *others]


def headline(record: Record, found: list[Score]) -> str:
    """What was reached, in one line."""
    target = shortened(record.target, LONGEST_NAME)
    if found:
        ours, *others = found
        said = f"{target}: {_reached(metric_name(record.metric), ours.value)}"
        return said + (f", {_beside(ours, others[0], record.metric)}" if others else "")
    if record.stopped_by:
        return f"{target}: training on is no use, says stage {record.stopped_by}"
    return f"{target}: a run without a score" + (" yet" if record.missing_stages else "")


def lead(record: Record, found: list[Score]) -> str:
    """One or two sentences that a reader in a hurry may stop after."""
    if not found:
        return "This run has no final score yet." if record.missing_stages else "This run has no final score."
    ours, *others = found
    name = metric_name(record.metric)
    said = f"On rows that nothing had seen before, the model reaches {_scored(name, ours.value)}"
    if ours.low is not None:
        said += f" (95% interval {score(ours.low)} to {score(ours.high)})"
    if not others:
        return said + "."
    said += f". The best baseline, {others[0].name}, reaches {score(others[0].value)} on the same rows."
    if ours.low is not None and ours.high is not None and ours.low <= others[0].value <= ours.high:
        said += " That lies within the interval: on so many test rows the two cannot be told apart for sure."
    return said


def _beside(ours: Score, other: Score, metric: str) -> str:
    """How the model stands to the best baseline, without claiming more than the interval says."""
    gain = (other.value - ours.value) if is_loss(metric) else (ours.value - other.value)
    if ours.low is not None and ours.high is not None and ours.low <= other.value <= ours.high:
        return f"level with {other.name} ({score(other.value)})"
    return f"{score(abs(gain))} {'better' if gain > 0 else 'worse'} than {other.name}"


def _reached(name: str, value: float) -> str:
    """ "0.856 AUC" and "0.95 accuracy"."""
    return f"{score(value)} {name}"


def _scored(name: str, value: float) -> str:
    """ "0.856 AUC", but "an accuracy of 0.95": short names follow the figure, words go before it."""
    if name == name.lower():
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name} of {score(value)}"
    return f"{score(value)} {name}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
