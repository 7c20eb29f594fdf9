"""What the run decided on its way, in order: what it inferred, left out, widened, mended, and where it stopped."""

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
