"""What a run says while it runs: it listens to the run's events and knows nothing else of the run.

In a terminal: one line for each finished stage with what was noticed in it, and below them one live line. Elsewhere (a file, a
pipe): the same lines, plain, and now and then one that says how far the run is.
"""

import shlex
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from trainwell.words import VERDICTS, duration, metric_name, number, printable, score, things

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from trainwell.recipe.events import Event

STYLES = {"pass": "green", "warn": "yellow", "stop": "bold red"}
INDENT = 14  # where the summaries begin
WIDEST = 110  # letters of a line in a wide terminal, chosen: longer ones are hard to follow
MOST_NOTES = 10  # lines under one stage, chosen: all six stages with their notes stay one screen
MOST_NAMES = 6  # columns named in one line, chosen
COLUMN = "\0"  # stands for the column's name while notes are compared
PLAIN_PROGRESS = 15.0  # seconds between two progress lines where no live line can be, chosen


class Terminal:
    """A listener for `trainwell.recipe.events`. Use it in a ``with`` block, which ends the live line whatever happens.

    Parameters
    ----------
    console : where to print; standard output when left out.
    quiet : print nothing.
    """

    def __init__(self, console: "Console | None" = None, quiet: bool = False):
        from rich.console import Console

        self.console = console or Console(highlight=False)
        self.quiet = quiet
        self.folder = ""
        self._live: Live | None = None
        self._notes: list[Event] = []
        self._failures: list[Event] = []
        self._stage: dict[str, Any] = {}
        self._progress: Event = {}
        self._deadline: float | None = None
        self._last_progress_line = 0.0
        self._verdict = ""
        self._steps: list[Event] = []

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop_live()
        if not self.quiet:
            self._print_notes()  # of a stage that did not come to its end

    def __call__(self, event: "Event") -> None:
        if event["event"] == "run_started":
            self.folder = str(event.get("folder") or "")
            self._deadline = event["time"] + event["time_limit"] if event.get("time_limit") else None
        answer = getattr(self, f"_on_{event['event']}", None)
        if answer is not None and not self.quiet:
            answer(event)

    # One method for each kind of event that is shown.

    def _on_run_started(self, event: "Event") -> None:
        parts = [
            f"{event.get('file')} to predict {event.get('target')}",
            str(event.get("task")),
            f"{things(event.get('rows'), 'row')}, {things(event.get('features'), 'feature')}",
            f"seed {event.get('seed')}",
        ]
        if event.get("trials"):
            parts.append(things(event["trials"], "network"))
        if event.get("time_limit"):
            parts.append(f"at most {duration(event['time_limit'])}")
        self._line(" · ".join(parts), "dim")

    def _on_note(self, event: "Event") -> None:
        self._notes.append(event)

    def _on_member_failed(self, event: "Event") -> None:
        self._failures.append(event)

    def _on_stage_started(self, event: "Event") -> None:
        self._stage = {"name": event["stage"], "number": event.get("number"), "started": time.monotonic()}
        self._progress = {}
        if self.console.is_terminal:
            self._start_live()

    def _on_progress(self, event: "Event") -> None:
        self._progress = event
        if not self.console.is_terminal and event["time"] - self._last_progress_line >= PLAIN_PROGRESS:
            self._last_progress_line = event["time"]
            self._line(f"{self._title(event['stage'])}{self._how_far()}")

    def _on_stage_finished(self, event: "Event") -> None:
        self._stop_live()
        verdict = self._verdict = str(event["verdict"])
        title, said = self._title(event["stage"]), printable(event["summary"])
        self._stage_line(title, said, VERDICTS.get(verdict, verdict), STYLES.get(verdict, ""))
        self._print_notes()

    def _on_interrupted(self, event: "Event") -> None:
        self._stop_live()
        self._line(f"Stopped by you in stage {event.get('stage')}; what was trained so far is put together.", "bold yellow")

    def _on_next_steps(self, event: "Event") -> None:
        self._steps = event.get("steps") or []

    def _on_run_finished(self, event: "Event") -> None:
        self._stop_live()
        self._print_notes()
        if event.get("test_score") is not None:
            said = f"{score(event['test_score'])} {metric_name(event.get('metric'))} on rows that nothing had seen"
            if event.get("low") is not None:
                said += f", {score(event['low'])} to {score(event['high'])} (95%)"
            self._pair("score", said, "bold")
        for name in ("model", "report"):
            if event.get(name):
                self._pair(name, str(event[name]))
        for place, step in enumerate(self._steps):
            gain = f" {step['gain']}" if step.get("gain") else ""
            self._pair("" if place else "what next", f"{place + 1}. {step.get('what')}{gain}")
        if not event.get("model") and self.folder:
            again = " --keep-going" if self._verdict == "stop" else ""
            self._pair("no model yet", f"trainwell fit --resume {shlex.quote(self.folder)}{again} continues this run")
        elif self.folder:
            self._pair("next", f"trainwell predict {shlex.quote(self.folder)} new.csv -o predictions.csv", "dim")

    # How things are printed.

    def _print_notes(self) -> None:
        lines = note_lines(self._notes, self._failures)
        self._notes, self._failures = [], []
        shown = lines if len(lines) <= MOST_NOTES else lines[: MOST_NOTES - 1]
        for line in shown:
            self._stage_line("", line, "", "", "dim")
        if hidden := len(lines) - len(shown):
            place = f"in {self.folder}/events.jsonl and in the report" if self.folder else "in the report"
            self._stage_line("", f"and {hidden} notes more, {place}", "", "", "dim")

    def _stage_line(self, title: str, said: str, verdict: str, verdict_style: str, style: str = "") -> None:
        from rich.table import Table
        from rich.text import Text

        if not self.console.is_terminal:
            self._line(f"{title:<{INDENT}}{said}" + (f"  {verdict}" if verdict else ""))
            return
        grid = Table.grid(padding=0)
        grid.width = min(self.console.width, WIDEST)
        grid.add_column(width=INDENT, no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(width=6, justify="right")
        grid.add_row(Text(title, style="bold"), Text(said, style=style), Text(verdict, style=verdict_style))
        self.console.print(grid)

    def _pair(self, name: str, said: str, style: str = "") -> None:
        from rich.text import Text

        self.console.print(Text.assemble((f"{name:<{INDENT}}", "bold"), (printable(said), style)), soft_wrap=True)

    def _line(self, said: str, style: str = "") -> None:
        from rich.text import Text

        self.console.print(Text(printable(said), style=style), soft_wrap=True)

    def _title(self, stage: str) -> str:
        return f"{self._stage.get('number') or ' '} {printable(stage)}".ljust(INDENT)

    # The live line.

    def _how_far(self) -> str:
        """Networks done and alive, best score, time left: what of it is known."""
        progress, parts = self._progress, []
        if progress.get("total"):
            parts.append(f"{number(progress.get('done'))}/{number(progress['total'])}")
        elif progress.get("done"):
            parts.append(things(progress["done"], "network"))
        if progress.get("alive") is not None:
            parts.append(f"{number(progress['alive'])} alive")
        if progress.get("best") is not None:
            parts.append(f"best {metric_name(progress.get('metric'))} {score(progress['best'])}")
        if (left := self._seconds_left()) is not None:
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def _seconds_left(self) -> float | None:
        """Of the whole run where it has a time limit, else of the stage where that knows."""
        if self._deadline is None and self._progress.get("seconds_left") is None:
            return None
        deadline = self._deadline or self._progress["time"] + self._progress["seconds_left"]
        return max(deadline - time.time(), 0.0)

    def _live_line(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        spent = time.monotonic() - self._stage["started"]
        share = self._share(spent)
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_row(
            Text(self._title(str(self._stage.get("name")))[: INDENT - 2], style="bold"),
            ProgressBar(total=1.0, completed=share or 0.0, width=20, pulse=share is None),
            Text(self._how_far() or duration(spent), style="dim"),
        )
        return line

    def _share(self, spent: float) -> float | None:
        """How much of the stage is done, by its networks or else by its time; None where neither is known."""
        if self._progress.get("total"):
            return (self._progress.get("done") or 0) / self._progress["total"]
        left = self._progress.get("seconds_left")
        return None if left is None else spent / max(spent + left, 1e-9)

    def _start_live(self) -> None:
        from rich.live import Live

        self._stop_live()
        self._live = Live(
            get_renderable=self._live_line, console=self.console, transient=True, refresh_per_second=5, redirect_stderr=False
        )
        self._live.start()

    def _stop_live(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def note_lines(notes: "Iterable[Event]", failures: "Iterable[Event]" = ()) -> list[str]:
    """Notes as lines: those that say the same of several columns as one, likewise networks that failed of the same cause."""
    columns: dict[str, list[str]] = {}
    for note in notes:
        column = str(note.get("column") or "")
        pattern = str(note["message"]).replace(column, COLUMN, 1) if column else str(note["message"])
        columns.setdefault(pattern, []).extend([column] if column else [])
    lines = [
        pattern.replace(COLUMN, named(names)) if COLUMN in pattern or not names else f"{named(names)}: {pattern}"
        for pattern, names in columns.items()
    ]
    members: dict[str, list[str]] = {}
    for failure in failures:
        members.setdefault(str(failure.get("cause")), []).append(str(failure.get("member")))
    lines += [f"network{'s' if len(names) > 1 else ''} {named(names)} failed: {cause}" for cause, names in members.items()]
    return [printable(line) for line in lines]


def named(names: list[str]) -> str:
    """All of a few names, the first of many.

    >>> named(["age", "sex"]), named(list("abcdefgh"))
    ('age, sex', 'a, b, c, d, e, f and 2 more')
    """
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
