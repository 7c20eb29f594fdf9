"""What the report knows of a run: its folder read into memory, as far as it goes, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainwell.errors import InputError
from trainwell.recipe.events import Event
from trainwell.recipe.evidence import Evidence, stages_of
from trainwell.report.diary import holding
from trainwell.report.reading import ColumnEntry, MemberEntry, fitting, missing_of, read_diary, read_mapping, read_stages
from trainwell.words import is_loss

LEFT_OUT = "named in ignore"  # why a column was left out unread: nothing was counted in it
GIVENS = ("config", "schema", "profile", "environment")  # written as a run begins


@dataclass(frozen=True)
class Record:
    """A run folder in memory. Nothing in it is ever missing, but every part may be empty; ``problems`` are sentences that say
    which files are missing, damaged or cut off. Of ``events`` those that still hold."""

    folder: Path
    config: Mapping[str, Any]
    schema: Mapping[str, Any]
    profile: Mapping[str, Any]
    environment: Mapping[str, Any]
    history: Mapping[str, Any]
    evidence: Mapping[str, Evidence]
    events: Sequence[Event]
    problems: tuple[str, ...] = ()

    def last(self, kind: str) -> Event:
        """The latest event of a kind, or an empty one."""
        return next((event for event in reversed(self.events) if event["event"] == kind), {})

    @cached_property
    def started(self) -> Event:
        return self.last("run_started")

    @cached_property
    def finished(self) -> Event:
        """The end of the run; empty while it goes on, also where it was finished before and goes on again."""
        last = next((event for event in reversed(self.events) if event["event"] in ("run_started", "run_finished")), {})
        return last if last.get("event") == "run_finished" else {}

    @property
    def seconds(self) -> float | None:
        """How long the run took: as its end says; of a run that went on in several processes, what its stages took together."""
        if sum(event["event"] == "run_started" for event in self.events) > 1:
            return sum(evidence.seconds for evidence in self.evidence.values()) or None
        return self.finished.get("seconds")

    @property
    def members(self) -> Sequence[Mapping[str, Any]]:
        return self.history.get("members") or ()

    @property
    def ranked_members(self) -> list[Mapping[str, Any]]:
        """The members that have a score, best first; not those of the last stage, which are scored on other rows."""
        comparable = [member for member in self.members if member.get("stage") != "squeeze"]
        scored = [member for member in comparable if isinstance(member.get("score"), int | float)]
        return sorted(scored, key=lambda member: member["score"], reverse=not is_loss(self.metric))

    @property
    def target(self) -> str:
        return str(self.schema.get("target") or self.started.get("target") or self.config.get("target") or "the target")

    @property
    def file(self) -> str:
        """The table's name, without the folders before it."""
        return Path(str(self.started.get("file") or self.config.get("source") or "the table")).name

    @property
    def metric(self) -> str:
        return str(self.finished.get("metric") or self.history.get("metric") or self.started.get("metric") or "")

    @property
    def planned(self) -> tuple[str, ...]:
        """The stages that a run of this effort has."""
        return stages_of(self.config.get("effort"))

    @property
    def missing_stages(self) -> tuple[str, ...]:
        return tuple(stage for stage in self.planned if stage not in self.evidence)

    @property
    def stopped_by(self) -> str | None:
        """The stage after which training on was no use, where the run ended there."""
        verdicts = [(stage, evidence.verdict) for stage, evidence in self.evidence.items()]
        return verdicts[-1][0] if verdicts and verdicts[-1][1] == "stop" and self.missing_stages else None

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """Sentences on all that is not there: stages that were not reached, files that are missing or damaged."""
        if not self.missing_stages:
            return self.problems
        said = "These stages are" if len(self.missing_stages) > 1 else "This stage is"
        return (f"{said} missing: {', '.join(self.missing_stages)}.", *self.problems)


def read_record(folder: Path) -> Record:
    """Read a run folder as far as it goes; `InputError` where it is none."""
    folder = Path(folder)
    if not folder.exists():
        raise InputError(f"There is no run folder {str(folder)!r}.")
    if not (folder / "events.jsonl").is_file():
        raise InputError(f"{str(folder)!r} is not a run folder: it holds no events.jsonl, which every run writes first.")
    problems = missing_of(folder, [f"{name}.json" for name in GIVENS])
    given = {name: read_mapping(folder / f"{name}.json", problems) for name in GIVENS}
    columns = fitting(given["schema"].get("columns"), ColumnEntry, "Columns in schema.json", problems)
    history = read_mapping(folder / "members" / "history.json", problems)
    members = fitting(history.get("members"), MemberEntry, "Networks in members/history.json", problems)
    return Record(
        folder=folder,
        history={**history, "members": members},
        evidence=read_stages(folder / "evidence", problems),
        events=holding(read_diary(folder / "events.jsonl", problems)),
        config=given["config"],
        schema=_schema(given["schema"], columns),
        profile=given["profile"],
        environment=given["environment"],
        problems=tuple(problems),
    )


def is_sample(record: Record) -> bool:
    """Whether what was counted in the columns is of a part of the rows, for the others were streamed from disk."""
    rows, counted_in = record.started.get("rows"), record.profile.get("rows")
    return isinstance(rows, int) and isinstance(counted_in, int) and counted_in < rows


def _schema(schema: Mapping[str, Any], columns: list[dict[str, Any]]) -> dict[str, Any]:
    classes = schema.get("classes")
    return {
        **schema,
        "columns": columns,
        "task": str(schema.get("task") or ""),
        "classes": [str(one) for one in classes] if isinstance(classes, list) else [],
    }
