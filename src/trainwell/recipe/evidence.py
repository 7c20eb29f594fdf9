"""Evidence: what a stage measured, its verdict and its figures, as plain data. Report and terminal read nothing else."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from trainwell.errors import InputError
from trainwell.files import write_whole

STAGES = ("look", "baselines", "overfit", "regularize", "tune", "squeeze")
STAGES_OF = {"minimal": ("look", "tune", "squeeze")}  # by effort; the others compare, and there nothing is compared
Cell = str | int | float | bool | None


def stages_of(effort: object) -> tuple[str, ...]:
    """The stages of a run of this effort, in their order."""
    return STAGES_OF.get(str(effort), STAGES)


@dataclass(frozen=True)
class Series:
    """One named line, bar group or cloud of points of a figure. ``y`` may hold None where nothing was measured."""

    name: str
    x: Sequence[Cell]
    y: Sequence[Cell]
    emphasis: bool = False


@dataclass(frozen=True)
class Figure:
    """What a figure shows, without saying how it is drawn; ``caption`` is what a reader should see in it.

    A figure of the kind ``"parallel"`` has one axis for each series, whose ``y`` holds one value for each line (``x`` its
    number); the axis with emphasis, the score, says how the lines are told apart.
    """

    kind: Literal["lines", "bars", "points", "heatmap", "parallel"]
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    caption: str = ""
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Evidence:
    """Everything that one stage leaves behind.

    Parameters
    ----------
    stage : one of `STAGES`.
    verdict : ``"pass"``, ``"warn"`` (read on, something deserves a look) or ``"stop"`` (training on would waste time).
    summary : one line for the terminal.
    explanation : one paragraph that needs no background.
    actions : what to do, most useful first; one sentence each.
    measures : figures by name, for machines and for later stages.
    tables : small tables by title; a list of rows, each a mapping of column to cell.
    figures : figures by name.
    seconds : how long the stage took.
    """

    stage: str
    verdict: Literal["pass", "warn", "stop"]
    summary: str
    explanation: str = ""
    actions: Sequence[str] = ()
    measures: Mapping[str, Cell] = dataclasses.field(default_factory=dict)
    tables: Mapping[str, Sequence[Mapping[str, Cell]]] = dataclasses.field(default_factory=dict)
    figures: Mapping[str, Figure] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0


def columns_read(evidence: Mapping[str, Evidence]) -> tuple[str, ...] | None:
    """The columns that networks were given, where the stage overfit found that fewer than all do better; None: all.

    >>> columns_read({"overfit": Evidence("overfit", "pass", "", measures={"columns": '["age", "income"]'})})
    ('age', 'income')
    """
    kept = evidence["overfit"].measures.get("columns") if "overfit" in evidence else None
    return None if kept is None else tuple(json.loads(str(kept)))


def free_name(line: Mapping[str, Cell], name: str) -> str:
    """A heading that no other cell of a table's line stands under, for a feature may be called as one of them.

    >>> free_name({"row": "7"}, "row"), free_name({"row": "7"}, "age")
    ('row (feature)', 'age')
    """
    while name in line:
        name += " (feature)"
    return name


_evidence = TypeAdapter(Evidence)


def finite(evidence: Evidence) -> Evidence:
    """The same with None for every number that is none, as a user's metric may come to: nobody measured it."""
    return _evidence.validate_python(_without_nan(_evidence.dump_python(evidence)))


def rounded(value: float, digits: int = 4) -> float | None:
    """A number as a cell or a point of a figure; None where it is none."""
    return round(value, digits) if math.isfinite(value) else None


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    return [_without_nan(one) for one in value] if isinstance(value, list | tuple) else value


def write_evidence(evidence: Evidence, folder: Path) -> None:
    """Write ``<stage>.json`` into the folder, whole or not at all."""
    text = json.dumps(_evidence.dump_python(evidence, mode="json"), indent=1, allow_nan=False)
    write_whole(folder / f"{evidence.stage}.json", text)


def read_evidence(folder: Path) -> dict[str, Evidence]:
    """The evidence of every stage that has finished, in the recipe's order; `InputError` where a file is damaged."""
    found = {}
    for stage in STAGES:
        path = folder / f"{stage}.json"
        if path.exists():
            try:
                found[stage] = _evidence.validate_json(path.read_bytes())
            except ValidationError as error:
                place = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
                raise InputError(f"{path} is damaged at {place}: {error.errors()[0]['msg']}.") from None
    return found
