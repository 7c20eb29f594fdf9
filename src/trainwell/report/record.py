"""What a run folder tells: all of it where the run is finished, as much as there is where it is not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainwell.errors import InputError
from trainwell.recipe.events import Event, read_events
from trainwell.recipe.evidence import STAGES, Evidence, read_evidence
from trainwell.words import is_loss


@dataclass(frozen=True)
class Record:
    """A run folder in memory. Nothing in it is ever missing, but every part may be empty."""

    folder: Path
    config: Mapping[str, Any]
    schema: Mapping[str, Any]
    profile: Mapping[str, Any]
    environment: Mapping[str, Any]
    history: Mapping[str, Any]
    evidence: Mapping[str, Evidence]
    events: Sequence[Event]

    def last(self, kind: str) -> Event:
        """The latest event of a kind, or an empty one."""
        return next((event for event in reversed(self.events) if event["event"] == kind), {})

    @cached_property
    def started(self) -> Event:
        return self.last("run_started")

    @cached_property
    def finished(self) -> Event:
        return self.last("run_finished")

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
    def missing_stages(self) -> tuple[str, ...]:
        return tuple(stage for stage in STAGES if stage not in self.evidence)


def read_record(folder: Path) -> Record:
    """Read a run folder; `InputError` where it is none or where one of its files is damaged."""
    folder = Path(folder)
    if not folder.exists():
        raise InputError(f"There is no run folder {str(folder)!r}.")
    if not (folder / "events.jsonl").is_file():
        raise InputError(f"{str(folder)!r} is not a run folder: it holds no events.jsonl, which every run writes first.")
    named = {name: _read_json(folder / f"{name}.json") for name in ("config", "schema", "profile", "environment")}
    return Record(
        folder=folder,
        history=_read_json(folder / "members" / "history.json"),
        evidence=read_evidence(folder / "evidence"),
        events=read_events(folder / "events.jsonl"),
        **named,
    )


def _read_json(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)  # NaN and infinities: nothing
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: it holds a {type(content).__name__}, not named values.")
    return content
