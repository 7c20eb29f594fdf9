"""What a tracker is told of a run: parameters, figures, curves, texts and files, from the run folder alone."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from trainwell.report.record import Record, read_record

BEST = 10  # chosen: networks whose curves are told; a tracker's page is no place for hundreds
CURVES = ("training_loss", "validation_loss", "validation_score")
FILES = ("report.html", "config.json", "schema.json", "environment.json", "events.jsonl")
FOLDERS = ("model", "evidence")
NEVER_TOLD = ("source", "test", "target", "space", "settings")  # told under other names, or no single value


class Point(NamedTuple):
    """One point of a curve: epoch or count of networks, value, seconds since 1970."""

    step: int
    value: float
    time: float


@dataclass(frozen=True)
class Told:
    """A run as a tracker takes it.

    Parameters
    ----------
    name : of the run, that of its folder.
    began, ended : seconds since 1970.
    parameters : what was decided, by the user or for them.
    figures : what the stages measured, as ``stage.measure``.
    curves : losses and scores of the best networks by epoch, and the best score of the search by networks done.
    texts : the summary of every stage.
    files : what a tracker keeps, by the folder in which it keeps it.
    complete : whether the run came to its end.
    """

    name: str
    began: float
    ended: float
    parameters: Mapping[str, str]
    figures: Mapping[str, float]
    curves: Mapping[str, list[Point]]
    texts: Mapping[str, str]
    files: Mapping[str, list[Path]]
    complete: bool


def told(folder: Path) -> Told:
    """Read a run folder; `InputError` where it is none."""
    record = read_record(folder)
    times = [float(event["time"]) for event in record.events if isinstance(event.get("time"), int | float)] or [0.0]
    return Told(
        name=folder.resolve().name,
        began=times[0],
        ended=times[-1],
        parameters=dict(_parameters(record)),
        figures=dict(_figures(record)),
        curves={name: points for name, points in _curves(record, times[-1]) if points},
        texts={stage: f"{evidence.verdict}: {evidence.summary}" for stage, evidence in record.evidence.items()},
        files={place: paths for place, paths in _files(folder) if paths},
        complete=bool(record.finished),
    )


def _parameters(record: Record) -> Iterator[tuple[str, str]]:
    yield from (("table", record.file), ("target", record.target))
    for name in ("task", "rows", "features", "metric"):
        if record.started.get(name) is not None:
            yield name, str(record.started[name])
    for name, value in record.config.items():
        if value not in (None, [], {}) and name not in NEVER_TOLD:
            yield f"option.{name}", str(value)
    for name, value in (record.config.get("settings") or {}).items():
        yield f"set.{name}", str(value)


def _figures(record: Record) -> Iterator[tuple[str, float]]:
    for stage, evidence in record.evidence.items():
        for name, value in evidence.measures.items():
            if _is_number(value):
                yield f"{stage}.{name}", float(value)  # type: ignore[arg-type]


def _curves(record: Record, ended: float) -> Iterator[tuple[str, list[Point]]]:
    for member in record.ranked_members[:BEST]:
        for curve in CURVES:
            values = enumerate(member.get(curve) or (), start=1)
            yield (
                f"network_{member.get('member')}/{curve}",
                [Point(epoch, float(value), ended) for epoch, value in values if _is_number(value)],
            )
    progress = [event for event in record.events if event["event"] == "progress" and event.get("stage") == "tune"]
    by_done = {event.get("done"): event for event in progress if _is_number(event.get("best"))}
    yield "search/best", [Point(int(done or 0), float(event["best"]), float(event["time"])) for done, event in by_done.items()]


def _files(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    yield "", [folder / name for name in FILES if (folder / name).is_file()]
    for name in FOLDERS:
        yield name, sorted(path for path in (folder / name).glob("[!.]*") if path.is_file())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
