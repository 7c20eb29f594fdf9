"""Files of a run folder, read as far as they go: what is damaged, cut off or of another version is left out and said.

What a file must hold is declared once, as the records below; whatever does not fit them never reaches the page.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from trainwell.recipe.events import Event
from trainwell.recipe.evidence import STAGES, Evidence
from trainwell.words import shortened

MOST_DIGITS = 300  # of a whole number, chosen: longer ones are no measurements, and no float can hold them
_PARTS = ("figures", "tables", "measures", "actions")  # of evidence: one that cannot be read leaves the others
_evidence = TypeAdapter(Evidence)


class _Entry(BaseModel):
    """Known fields are checked, unknown ones (of a newer version) are kept as they are."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)


class ColumnEntry(_Entry):
    """One column of ``schema.json``."""

    name: str
    role: str = ""
    why: str = ""
    missing: int | float | None = None
    distinct: int | float | None = None
    levels: list[Any] | None = None


class MemberEntry(_Entry):
    """One network of ``members/history.json``."""

    member: int | str | None = None
    stage: str = ""
    structure: str = ""
    settings: dict[str, Any] = {}
    epochs: int | float | None = None
    score: int | float | None = None
    status: str = ""
    training_loss: list[float | None] = []
    validation_loss: list[float | None] = []


class EventEntry(_Entry):
    """One line of ``events.jsonl``."""

    event: str
    time: float | None = None
    stage: str | None = None
    stages: list[Any] | None = None
    member: int | str | None = None
    seconds: float | None = None
    time_limit: float | None = None
    rows: int | float | None = None
    features: int | float | None = None
    test_score: float | None = None
    low: float | None = None
    high: float | None = None
    message: str | None = None
    says: str | None = None
    cause: str | None = None
    column: str | None = None
    severity: str | None = None
    remedies: list[Any] | None = None
    file: str | None = None
    target: str | None = None
    metric: str | None = None


def read_mapping(path: Path, problems: list[str]) -> dict[str, Any]:
    """The named values in a JSON file; none where it is missing, and a sentence more where it is damaged."""
    if not path.exists():
        return {}
    content, problem = _parsed(path)
    if problem:
        problems.append(f"{_named(path)} is damaged and left out: {problem}.")
        return {}
    return content


def read_stages(folder: Path, problems: list[str]) -> dict[str, Evidence]:
    """What each stage left, in the recipe's order, without those parts that cannot be read."""
    found = {}
    for stage in STAGES:
        path = folder / f"{stage}.json"
        if path.exists():
            evidence = _evidence_of(path, problems)
            if evidence is not None:
                found[stage] = evidence
    return found


def read_diary(path: Path, problems: list[str]) -> list[Event]:
    """All whole events, in order; a sentence more where lines were cut off or damaged."""
    events: list[Event] = []
    lost = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        try:
            events.append(_fitted(EventEntry, _loads(line)))
        except (ValueError, RecursionError):
            lost += 1
    if lost:
        lines = "1 line of events.jsonl is" if lost == 1 else f"{lost:,} lines of events.jsonl are"
        problems.append(f"{lines} cut off or damaged and left out.")
    return events


def fitting(entries: object, kind: type[BaseModel], said: str, problems: list[str]) -> list[dict[str, Any]]:
    """The entries of a list that are what they should be, as plain dicts; a sentence more where some are not."""
    if entries is None:
        return []
    kept, listed = [], entries if isinstance(entries, list) else [entries]
    for entry in listed:
        try:
            kept.append(_fitted(kind, entry))
        except ValidationError:
            continue
    if len(kept) < len(listed):
        problems.append(f"{said}: {len(listed) - len(kept):,} of {len(listed):,} cannot be read and are left out.")
    return kept


def _fitted(kind: type[BaseModel], entry: object) -> dict[str, Any]:
    """The entry with its fields in their types; an event keeps only the fields that it has, others get their defaults."""
    return kind.model_validate(entry).model_dump(exclude_unset=kind is EventEntry)


def _evidence_of(path: Path, problems: list[str]) -> Evidence | None:
    content, problem = _parsed(path)
    if problem:
        problems.append(f"{_named(path)} is damaged and left out: {problem}.")
        return None
    content = {"summary": "", **content, "stage": path.stem}
    while True:
        try:
            return _evidence.validate_python(content)
        except ValidationError as error:
            place = error.errors()[0]["loc"]
            said = f"{place[0]}.{place[1]}" if len(place) > 1 else str(place[0]) if place else "the whole file"
            if not _without(content, place):
                problems.append(f"{_named(path)} is damaged at {shortened(said, 80)} and left out: {error.errors()[0]['msg']}.")
                return None
            problems.append(f"{_named(path)}: {shortened(said, 80)} cannot be read by this version and is left out.")


def _without(content: dict[str, Any], place: tuple[int | str, ...]) -> bool:
    """Take the part that does not fit out of evidence; False where the rest would be none without it."""
    if len(place) > 1 and place[0] in _PARTS:
        del content[str(place[0])][place[1]]
        return True
    if not place or place[0] in ("stage", "verdict"):
        return False
    if place[0] == "summary":
        content["summary"] = ""
        return True
    return content.pop(str(place[0]), None) is not None


def _parsed(path: Path) -> tuple[dict[str, Any], str]:
    """(content, what is wrong with it)."""
    try:
        content = _loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        return {}, str(error)
    except OSError as error:
        return {}, str(error.strerror)
    if not isinstance(content, dict):
        return {}, f"it holds a {type(content).__name__}, not named values"
    return content, ""


def _loads(text: str) -> Any:
    """JSON in which NaN, infinities and numbers beyond all measure are nothing."""
    return json.loads(text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_countable)


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _countable(text: str) -> int | None:
    return int(text) if len(text) <= MOST_DIGITS else None


def _named(path: Path) -> str:
    """A file by its place in the run folder."""
    return f"{path.parent.name}/{path.name}" if path.parent.name in ("evidence", "members") else path.name


def missing_of(folder: Path, names: Iterable[str]) -> list[str]:
    """One sentence that names the files which a run writes as it begins, and which are not there; or none."""
    missing = [name for name in names if not (folder / name).exists()]
    if not missing:
        return []
    return [
        f"{' and '.join(filter(None, [', '.join(missing[:-1]), missing[-1]]))} {'are' if len(missing) > 1 else 'is'} missing."
    ]
