"""The first lines of the report: how good the model is, and next to what."""

from collections.abc import Mapping
from typing import Any

from trainwell.recipe.evidence import Evidence
from trainwell.report.record import Record
from trainwell.report.run_figures import Score
from trainwell.words import metric_name, score


def scores(record: Record) -> list[Score]:
    """The model's test score and the baselines', best baseline first; empty where nothing was scored yet."""
    found = sorted(_baselines(record.evidence.get("baselines")), key=lambda one: -one.value)
    ours = record.finished.get("test_score")
    if ours is not None:
        found.insert(0, Score("this model", ours, record.finished.get("low"), record.finished.get("high"), ours=True))
    return found


def lead(record: Record, found: list[Score]) -> str:
    """One or two sentences that a reader in a hurry may stop after."""
    name = metric_name(record.metric)
    ours = next((one for one in found if one.ours), None)
    best = next((one for one in found if not one.ours), None)
    if ours is None:
        return "This run has no final score yet." if record.missing_stages else "This run has no final score."
    said = f"On rows that nothing had seen before, the model reaches {score(ours.value)} {name}"
    if ours.low is not None:
        said += f" (95% interval {score(ours.low)} to {score(ours.high)})"
    return said + (f". The best baseline, {best.name}, reaches {score(best.value)}." if best else ".")


def _baselines(evidence: Evidence | None) -> list[Score]:
    rows: list[Mapping[str, Any]] = []
    for table in (evidence.tables if evidence else {}).values():
        rows += [row for row in table if "baseline" in row]
    return [Score(str(row["baseline"]), float(row["score"])) for row in rows if isinstance(row.get("score"), int | float)]
