"""What the run decided on its way, in order: what it inferred, left out, widened, mended, and where it stopped."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from trainwell.recipe.events import Event
from trainwell.words import VERDICTS, duration


class Decision(NamedTuple):
    """When (seconds since the start), in which stage, of which kind, and what."""

    at: str
    stage: str
    kind: str
    says: str


SAYS: Mapping[str, tuple[str, Callable[[Event], Any]]] = {
    "note": ("noticed", lambda event: _of_column(event)),
    "remedied": ("mended", lambda event: event.get("says")),
    "widened": ("widened", lambda event: event.get("says")),
    "member_failed": ("failed", lambda event: f"network {event.get('member')}: {event.get('cause')}"),
    "interrupted": ("stopped", lambda event: "Ctrl-C ended the run here."),
    "stage_finished": ("verdict", lambda event: f"{VERDICTS.get(str(event.get('verdict')), 'done')}: {event.get('summary')}"),
}


TOLD_AGAIN = ("note", "widened", "remedied", "finding", "member_failed")  # by a run that goes on


def holding(events: Iterable[Event]) -> list[Event]:
    """The events that hold of a run that was gone on with: without those of stages that were made anew since, and once each.

    A run that goes on tells the stages that are done a second time, in the same words; the first time holds, which says when.
    """
    kept: list[Event] = []
    for event in events:
        if event["event"] == "run_started":
            anew = _made_anew(event)
            kept = [one for one in kept if one.get("stage") not in anew]
        kept.append(event)
    return _once(kept)


def _made_anew(started: Event) -> tuple[str, ...]:
    """The stages that a process makes whether they were done or not; the last one is where nothing was chosen."""
    chosen = started.get("stages")
    return () if not isinstance(chosen, list) else tuple(map(str, chosen)) or ("squeeze",)


def _once(events: Iterable[Event]) -> list[Event]:
    """What is told again in the same words once, and of each stage one end: the first of the same ends, the last of others."""
    kept: dict[object, Event] = {}
    for place, event in enumerate(events):
        key: object = place
        if event["event"] in TOLD_AGAIN:
            key = _words(event)
        elif event["event"] == "stage_finished":
            key = ("stage_finished", str(event.get("stage")))
            if key in kept and _words(kept[key]) != _words(event):
                del kept[key]  # the later one comes at its own place
        kept.setdefault(key, event)
    return list(kept.values())


def _words(event: Event) -> str:
    """Everything of an event but its time."""
    return json.dumps({name: value for name, value in event.items() if name != "time"}, sort_keys=True, default=str)


def decisions(events: Iterable[Event]) -> list[Decision]:
    """The events that a person wants to know of, in the order of the run."""
    started, made = None, []
    for event in events:
        if event["event"] == "run_started":
            started = event.get("time")
        if event["event"] in SAYS:
            kind, says = SAYS[event["event"]]
            made.append(
                Decision(_since(started, event.get("time")), str(event.get("stage") or ""), kind, str(says(event) or ""))
            )
    return made


def _since(started: float | None, now: float | None) -> str:
    return duration(max(0.0, now - started)) if started is not None and now is not None else ""


def _of_column(event: Event) -> str:
    message, column = str(event.get("message") or ""), event.get("column")
    return f"{column}: {message}" if column and column not in message else message
