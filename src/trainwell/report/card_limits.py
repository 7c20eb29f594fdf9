"""Limits of a model that a run has measured, each as a sentence: weak groups, few rows, warnings of the stages."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainwell.report.headline import scores
from trainwell.report.record import Record
from trainwell.words import is_loss, metric_name, number, score, shortened

SUBGROUPS, BEYOND = "Scores by subgroup", "beyond chance"  # the title of the last stage's table, and what it says of each
FEW_ROWS = 200  # test rows, chosen: of fewer, a percentage point of accuracy is less than two rows
MOST_GROUPS = 5  # weak groups that are named, chosen
LONGEST_NAME = 60  # letters of a name in a sentence, chosen


def subgroups(record: Record) -> Sequence[Mapping[str, Any]]:
    """The last stage's scores by subgroup (a row for each level of a category), or none."""
    squeeze = record.evidence.get("squeeze")
    return squeeze.tables.get(SUBGROUPS, ()) if squeeze else ()


def limits(record: Record) -> list[str]:
    """Sentences, the gravest first."""
    return [*_warnings(record), *_baselines(record), *_weak(record), *_few(record), *_unfinished(record)]


def _warnings(record: Record) -> list[str]:
    """What the stages told to look at; a stage that is content may still have advice, which is no limit."""
    found = sorted(
        (evidence for evidence in record.evidence.values() if evidence.verdict != "pass"),
        key=lambda evidence: evidence.verdict != "stop",
    )
    return [
        f"Stage {evidence.stage}: {evidence.summary}." + "".join(f" {said}" for said in evidence.actions[:1])
        for evidence in found
    ]


def _baselines(record: Record) -> list[str]:
    found = scores(record)
    if len(found) < 2:
        return []
    ours, *others = found
    better = others[0].value < ours.value if is_loss(record.metric) else others[0].value > ours.value
    return (
        [f"The simple model {others[0].name} scores better on the same test rows: {score(others[0].value)}."] if better else []
    )


def _weak(record: Record) -> list[str]:
    """Groups that the last stage found to be served worse, or predicted wrongly on average, by more than chance."""
    weak = [row for row in subgroups(record) if row.get(BEYOND)]
    said = [
        f"Subgroup {_short(row.get('subgroup'))}: {_short(row.get(BEYOND))} by more than chance ({_group_score(record, row)}"
        f"{number(row.get('test rows'))} test rows)."
        for row in weak[:MOST_GROUPS]
    ]
    return said + ([f"And {len(weak) - MOST_GROUPS} more subgroups."] if len(weak) > MOST_GROUPS else [])


def _group_score(record: Record, row: Mapping[str, Any]) -> str:
    value = row.get(record.metric)
    return f"{metric_name(record.metric)} {score(value)}, " if isinstance(value, int | float) else ""


def _few(record: Record) -> list[str]:
    ours = next(iter(scores(record)), None)
    look = record.evidence.get("look")
    rows = next((look.measures[name] for name in ("test_rows", "test") if look and name in look.measures), None)
    if not isinstance(rows, int | float) or rows >= FEW_ROWS or ours is None:
        return []
    return [f"Only {rows:,} rows tested it: its score is known no better than {score(ours.low)} to {score(ours.high)}."]


def _unfinished(record: Record) -> list[str]:
    return (
        [f"The run is not finished, stages are missing: {', '.join(record.missing_stages)}."] if record.missing_stages else []
    )


def _short(name: object) -> str:
    return shortened(str(name), LONGEST_NAME)
