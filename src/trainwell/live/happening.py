"""What a run is doing now, from its diary: one line of words, a share of the stage, the curves of its networks."""

import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainwell.live.curves import merged
from trainwell.live.follower import Follower
from trainwell.recipe.evidence import stages_of
from trainwell.words import duration, metric_name, number, score, things

MOST_LINES = 8  # chosen: of what was noticed last, as many as can be read in passing
LINES = {"note": "message", "finding": "says", "remedied": "says", "widened": "says", "member_failed": "cause"}
STATES = ("not begun", "going on", "finished", "stopped", "interrupted", "ended", "killed")


@dataclass
class Happening:
    """The run so far. `add` takes new events; `message` is what a page needs that has heard all messages before.

    Parameters
    ----------
    folder : of the run.
    """

    folder: Path
    started: Mapping[str, Any] = field(default_factory=dict)
    stage: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    stage_finished: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    finished: Mapping[str, Any] = field(default_factory=dict)
    curves: list[Mapping[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            kind = event["event"]
            if kind == "run_started":
                self.started, self.stage, self.progress, self.finished, self.interrupted = event, {}, {}, {}, False
            elif kind == "stage_started":
                self.stage, self.progress, self.stage_finished = event, {}, {}
            elif kind in ("progress", "stage_finished"):
                setattr(self, kind, event)
            elif kind == "interrupted":
                self.interrupted = True
            elif kind == "run_finished":
                self.finished = event
            elif kind == "curves":
                self.curves.append(event)
            elif kind in LINES:
                self.lines = [*self.lines, _line(event)][-MOST_LINES:]

    def message(self, going_on: bool | None, now: float | None = None) -> dict[str, Any]:
        """What changed, as plain data; the curves are given once."""
        curves, self.curves = merged(self.curves), []
        return {
            "state": self.state(going_on),
            "stage": self.stage.get("stage"),
            "says": self.says(going_on, time.time() if now is None else now),
            "share": self._share(),
            "lines": self.lines,
            "curves": curves,
        }

    def state(self, going_on: bool | None) -> str:
        """One of `STATES`; where nobody knows whether the run is going on (None), it is taken to be."""
        if self.finished:
            if self.interrupted:
                return "interrupted"
            if self.finished.get("model"):
                return "finished"
            return "stopped" if self.stage_finished.get("verdict") == "stop" else "ended"
        if going_on is False:
            return "killed" if self.started or self.stage else "not begun"
        return "going on" if self.started or self.stage else "not begun"

    def says(self, going_on: bool | None, now: float) -> str:
        """The state in a sentence or two."""
        state, stage = self.state(going_on), self.stage.get("stage")
        keep_going = " --keep-going" if state == "stopped" else ""
        again = f"trainwell fit --resume {shlex.quote(str(self.folder))}{keep_going} continues it."
        return {
            "not begun": f"No run has begun in {self.folder} yet; the page fills when one does.",
            "going on": self._how_far(now),
            "finished": f"This run is finished. {self._score()}",
            "stopped": f"Stage {stage} stopped this run: {str(self.stage_finished.get('summary')).rstrip('.')}. {again}",
            "interrupted": f"This run was stopped by Ctrl-C in stage {stage}; {again}",
            "ended": f"This run has ended without a model; {again}",
            "killed": f"This run is not going on: it ended without a word{f' in stage {stage}' if stage else ''}; {again}",
        }[state]

    def _how_far(self, now: float) -> str:
        if not self.stage:
            return "The table is read."
        progress, parts = self.progress, []
        if progress.get("total"):
            parts.append(f"{number(progress.get('done'))} of {number(progress['total'])} networks done")
        elif progress.get("done"):
            parts.append(f"{things(progress['done'], 'network')} done")
        if progress.get("alive"):
            parts.append(f"{number(progress['alive'])} in training")
        if progress.get("best") is not None:
            parts.append(f"best validation {metric_name(progress.get('metric'))} {score(progress['best'])}")
        if (left := self._seconds_left(now)) is not None:
            parts.append(f"at most {duration(left)} left")
        return f"Stage {self._place()}{self.stage.get('stage')}" + (f": {', '.join(parts)}." if parts else ".")

    def _place(self) -> str:
        """ "2 of 3, ": where the stage stands among those of the run's effort; nothing where it is none of them."""
        stages, stage = stages_of(self.started.get("effort")), self.stage.get("stage")
        return f"{stages.index(stage) + 1} of {len(stages)}, " if stage in stages else ""

    def _seconds_left(self, now: float) -> float | None:
        limit = self.started.get("time_limit")
        if not isinstance(limit, int | float) or not isinstance(self.started.get("time"), int | float):
            return None
        return max(0.0, self.started["time"] + limit - now)

    def _share(self) -> float | None:
        """How much of the stage is done; None where it does not say."""
        total, done = self.progress.get("total"), self.progress.get("done")
        return min(1.0, done / total) if total and isinstance(done, int) else None

    def _score(self) -> str:
        found = self.finished
        if not isinstance(found.get("test_score"), int | float):
            return ""
        interval = f", {score(found['low'])} to {score(found['high'])} (95%)" if found.get("low") is not None else ""
        return f"{metric_name(found.get('metric'))} {score(found['test_score'])} on rows that nothing had seen{interval}."


def so_far(folder: Path) -> tuple[Follower, Happening]:
    """A run as its diary has it now, and who reads on from there."""
    follower, happening = Follower(folder / "events.jsonl"), Happening(folder)
    while events := follower.new():
        happening.add(events)
    return follower, happening


def _line(event: Mapping[str, Any]) -> str:
    said, column = str(event.get(LINES[event["event"]])), event.get("column")
    if event["event"] in ("finding", "member_failed"):
        return f"Network {event.get('member')}: {said}"
    return f"{column}: {said}" if column and str(column) not in said else said
