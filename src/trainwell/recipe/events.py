"""The run's diary: one JSON line for everything that happens, in the order it happens.

The progress bar, the live page and the report all read these events; nothing else tells them what the run does. An event
has ``time`` (seconds since 1970), ``event`` (its kind) and the kind's own fields:

======================  ============================================================================================
run_started             file, target, task, rows, features, folder, seed, time_limit, trials, metric, effort,
                        stages: those chosen with --only or --from, none where the whole recipe is made
note                    stage, message; column where it speaks of one
stage_started           stage, number (1 to 6)
progress                stage, done, total, alive, best, metric, seconds_left
curves                  stage, members: of each network that trained on (member, after, training_loss, validation_loss, state)
compiled                program, seconds, background
waited_for_programs     stage, seconds
member_finished         member, stage, epochs, score, settings
member_failed           member, stage, cause
finding                 member, stage, cause, severity, layer, measured, limit, says, remedies
remedied                stage, cause, says
widened                 stage, name, end, before, after, says
stage_finished          stage, verdict, summary, seconds
interrupted             stage
next_steps              steps: the first of them, each with what and gain
run_finished            test_score, low, high, metric, seconds, model, report
======================  ============================================================================================
"""

import json
import math
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from trainwell.recipe.running import hold

Event = dict[str, Any]
Listener = Callable[[Event], None]


class EventLog:
    """Appends events to a file (or to none) and passes each on to the listeners. Safe to call from several threads."""

    def __init__(self, path: Path | None = None, listeners: Iterable[Listener] = ()):
        self.path = path
        self.listeners = tuple(listeners)
        self._lock = threading.Lock()
        if path is not None and path.exists() and not path.read_bytes().endswith(b"\n"):
            with path.open("a") as file:  # a kill cut the last line off: what comes next gets a line of its own
                file.write("\n")
        self._held = None if path is None else hold(path)

    def add(self, event: str, **fields: Any) -> None:
        entry = {"time": round(time.time(), 3), "event": event, **{name: _plain(value) for name, value in fields.items()}}
        with self._lock:
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry, allow_nan=False) + "\n")
            for listener in self.listeners:
                listener(entry)

    def close(self) -> None:
        """Let others know that the run is no longer going on; `add` works all the same."""
        if self._held is not None:
            self._held.close()

    def note(self, stage: str, message: str, column: str | None = None) -> None:
        self.add("note", stage=stage, message=message, **({"column": column} if column is not None else {}))


def read_events(path: Path) -> list[Event]:
    """All whole events of a file; a last line that a kill cut off is left out."""
    if not path.exists():
        return []
    events = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return [event for event in events if isinstance(event, dict) and "event" in event]


def closed_by_ctrl_c(folder: Path) -> bool:
    """Whether Ctrl-C ended what came to the last stage of a run last; stages that were made alone since then change nothing."""
    closing = interrupted = found = False
    for event in read_events(folder / "events.jsonl"):
        if event["event"] == "run_started":
            closing = interrupted = False
        closing = closing or (event["event"] == "stage_started" and event.get("stage") == "squeeze")
        interrupted = interrupted or event["event"] == "interrupted"
        if closing:
            found = interrupted
    return found


def _plain(value: Any) -> Any:
    """JSON has no NaN and no NumPy numbers: None and Python's own instead."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
