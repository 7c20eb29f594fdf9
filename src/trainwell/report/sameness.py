"""What a run is of, and how the questions of several runs differ, in plain sentences."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from trainwell.report.record import Record
from trainwell.words import metric_name

UNKNOWN = "unknown"
LEFT_OUT = "named in ignore"  # why a column was left out unread


class Question(NamedTuple):
    """What a run's score is an answer to.

    Parameters
    ----------
    table, target, task, metric : names; empty where the run did not come so far.
    rows : of the table; None where unknown.
    contents : what was counted in each column, by column: missing cells and different values, as far as they were counted.
    tested_on : a digest of which rows are kept for the test; empty where unknown.
    """

    table: str
    target: str
    task: str
    metric: str
    rows: int | None
    contents: Mapping[str, Mapping[str, Any]]
    tested_on: str

    def same_as(self, other: "Question") -> bool:
        """Whether the scores of two runs can stand beside each other."""
        return (self.target, self.task, self.metric) == (other.target, other.task, other.metric) and self.same_table(other)

    def same_table(self, other: "Question") -> bool:
        """Whether both were made from the same rows, by their number and by what both counted in the columns that both have."""
        if self.contents and other.contents:
            both = set(self.contents) & set(other.contents)
            pairs = [(self.contents[name], other.contents[name]) for name in both]
            return self.rows == other.rows and bool(both) and all(_same(one, another) for one, another in pairs)
        return (self.table, self.rows) == (other.table, other.rows)


def question_of(record: Record) -> Question:
    """What a run is of, as far as its folder says it."""
    rows = record.profile.get("rows", record.started.get("rows"))
    split = record.folder / "split.parquet"
    return Question(
        record.file,
        record.target,
        str(record.schema.get("task") or record.started.get("task") or UNKNOWN),
        metric_name(record.metric),
        rows if isinstance(rows, int) else None,
        _contents(record),
        hashlib.sha256(split.read_bytes()).hexdigest() if split.is_file() else "",
    )


def _contents(record: Record) -> dict[str, dict[str, Any]]:
    """What was counted in each column; the role is left out, which is the run's choice and not the table's."""
    columns: Any = record.schema.get("columns") or ()
    return {str(column["name"]): _counted(column) for column in columns}


def _counted(column: Mapping[str, Any]) -> dict[str, Any]:
    """The counts that a run made: none in a column that it was told to ignore, and of times not how many there are."""
    if column.get("role") == "ignored" and column.get("why") == LEFT_OUT:
        return {}
    counts = {name: column.get(name) for name in ("missing", "distinct")}
    return counts if counts["distinct"] else {"missing": counts["missing"]}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in set(one) & set(other))


def what_differs(questions: Mapping[str, Question], runs: Mapping[str, Record]) -> list[str]:
    """A sentence for each way in which the runs are not of one question, and for what makes their scores less alike."""
    first, *others = questions
    found = []
    for name in others:
        one, other = questions[first], questions[name]
        if one.target != other.target:
            found.append(
                f"{first} predicts {one.target!r} and {name} predicts {other.target!r}: their scores are not compared."
            )
        elif one.task != other.task:
            found.append(f"{first} is a {one.task} task and {name} a {other.task} one: their scores are not compared.")
        elif not one.same_table(other):
            found.append(_tables(first, name, one, other))
        elif one.metric != other.metric:
            found.append(
                f"{first} is scored by {one.metric} and {name} by {other.metric}: no score of one can stand beside the other's."
            )
        elif not one.tested_on or not other.tested_on:
            missing = first if not one.tested_on else name
            found.append(f"{missing} does not say which rows it was tested on; that they are the same is not known.")
        elif one.tested_on != other.tested_on:
            found.append(
                f"{first} and {name} were tested on different rows of the same table{_seeds(runs[first], runs[name])}: "
                "part of their difference is that of the rows."
            )
    return found + _versions(runs)


def _tables(first: str, name: str, one: Question, other: Question) -> str:
    if one.table != other.table:
        return f"{first} was made from {one.table} and {name} from {other.table}: scores on different rows are not compared."
    return f"{first} and {name} were made from {one.table}, but what it held was not the same: their scores are not compared."


def _seeds(one: Record, other: Record) -> str:
    seeds = [record.config.get("seed") for record in (one, other)]
    return f" (seeds {seeds[0]} and {seeds[1]})" if seeds[0] != seeds[1] else ""


def _versions(runs: Mapping[str, Record]) -> list[str]:
    """A sentence where the runs are of different versions of the program."""
    versions: dict[str, list[str]] = {}
    for name, record in runs.items():
        libraries = record.environment.get("libraries")
        version = (libraries if isinstance(libraries, dict) else record.environment).get("trainwell", UNKNOWN)
        versions.setdefault(str(version), []).append(name)
    if len(versions) < 2:
        return []
    made = "; ".join(f"{', '.join(names)} by {version}" for version, names in versions.items())
    return [f"The runs were made by different versions of trainwell ({made}): what one does not tell may be missing here."]
