"""What a run is of, and how the questions of several runs differ, in plain sentences."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trainwell.report.record import LEFT_OUT, Record, is_sample
from trainwell.words import metric_name

UNKNOWN = "unknown"


class Question(NamedTuple):
    """What a run's score is an answer to.

    Parameters
    ----------
    table, target, task, metric : names; empty where the run did not come so far.
    rows : of the table; None where unknown.
    contents : what was counted in each column, by column: its role, missing cells and different values, as far as they were
        counted.
    tested_on : a digest of which rows are kept for the test; empty where unknown.
    test_file : the file whose rows were given to test on; empty where they are of the table itself.
    own_rows : of the table without those; None where unknown.
    sampled : whether the contents are those of a part of the rows, drawn with the run's seed.
    """

    table: str
    target: str
    task: str
    metric: str
    rows: int | None
    contents: Mapping[str, Mapping[str, Any]]
    tested_on: str
    test_file: str
    own_rows: int | None
    sampled: bool

    def same_as(self, other: "Question") -> bool:
        """Whether the scores of two runs can stand beside each other."""
        return (self.target, self.task, self.metric) == (other.target, other.task, other.metric) and self.same_table(other)

    def same_table(self, other: "Question") -> bool:
        """Whether both were made from the same rows, by their number and by what both counted in the columns that both have.

        Where other rows were counted, because a file of test rows is counted with the table or because the counts are those of
        a sample, the table's name, its own rows and the names of its columns have to do.
        """
        if self.same_rows(other):
            return True
        if self.test_file != other.test_file or self.sampled or other.sampled:
            return self.own_rows is not None and self._outside() == other._outside()
        return False

    def same_rows(self, other: "Question") -> bool:
        """Whether both counted the same in the same number of rows."""
        if self.contents and other.contents:
            both = set(self.contents) & set(other.contents)
            pairs = [(self.contents[name], other.contents[name]) for name in both]
            return self.rows == other.rows and bool(both) and all(_same(one, another) for one, another in pairs)
        return (self.table, self.rows) == (other.table, other.rows)

    def same_test(self, other: "Question") -> bool:
        """Whether both were tested on the same rows of the same."""
        return self.tested_on == other.tested_on and self.same_rows(other)

    def _outside(self) -> tuple[str, int | None, frozenset[str]]:
        return self.table, self.own_rows, frozenset(self.contents)


def question_of(record: Record) -> Question:
    """What a run is of, as far as its folder says it."""
    counted_in, rows = record.profile.get("rows"), record.started.get("rows")
    sampled = is_sample(record)
    test_file = Path(str(record.config.get("test") or "")).name
    tested_on, own_rows = _split(record.folder / "split.parquet")
    rows = rows if counted_in is None or sampled else counted_in
    return Question(
        record.file,
        record.target,
        str(record.schema.get("task") or record.started.get("task") or UNKNOWN),
        metric_name(record.metric),
        rows if isinstance(rows, int) else None,
        _contents(record),
        tested_on,
        test_file,
        own_rows if test_file else rows if isinstance(rows, int) else None,
        sampled,
    )


def _split(path: Path) -> tuple[str, int | None]:
    """(a digest of which rows are kept for the test, how many others there are)."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet

    if not path.is_file():
        return "", None
    try:
        table = pyarrow.parquet.read_table(path)
        test = table.filter(pc.equal(table["part"].cast(pa.string()), "test"))["row"].to_numpy()
    except (pa.ArrowException, KeyError, OSError):  # damaged; such files are the same where all of them is
        return hashlib.sha256(path.read_bytes()).hexdigest(), None
    return hashlib.sha256(test.astype("int64").tobytes()).hexdigest(), table.num_rows - len(test)


def _contents(record: Record) -> dict[str, dict[str, Any]]:
    """What was counted in each column; the role is the run's choice and not the table's."""
    columns: Any = record.schema.get("columns") or ()
    return {str(column["name"]): _counted(column) for column in columns}


def _counted(column: Mapping[str, Any]) -> dict[str, Any]:
    """The counts that a run made: none in a column that it was told to ignore, and of times not how many there are."""
    if column.get("role") == "ignored" and column.get("why") == LEFT_OUT:
        return {}
    counts = {name: column.get(name) for name in ("role", "missing", "distinct")}
    return counts if counts["distinct"] else {"role": counts["role"], "missing": counts["missing"]}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the counts agree; those of two roles are of different things, such as cells that are no numbers."""
    if one.get("role") != other.get("role"):
        return True
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
        elif not one.same_test(other):
            found.append(
                f"{first} and {name} were tested on {_which(one, other, runs[first], runs[name])}: "
                "part of their difference is that of the rows."
            )
    return found + _versions(runs)


def _tables(first: str, name: str, one: Question, other: Question) -> str:
    if one.table != other.table:
        return f"{first} was made from {one.table} and {name} from {other.table}: scores on different rows are not compared."
    return f"{first} and {name} were made from {one.table}, but what it held was not the same: their scores are not compared."


def _which(one: Question, other: Question, first: Record, second: Record) -> str:
    """Which rows were tested on, where they are not the same."""
    if one.test_file == other.test_file:
        return f"different rows of the same table{_seeds(first, second)}"
    files = (f"those of {question.test_file}" if question.test_file else "rows of the table" for question in (one, other))
    return f"different rows, {' and '.join(files)}"


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
