"""What ``model.json`` holds, and reading it: files are data, and none is believed unchecked."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainwell.calibration.calibrate import Calibration
from trainwell.calibration.intervals import Difficulty, Intervals
from trainwell.errors import InputError

FORMAT = 3
FIRST_FINGERPRINT = 3  # older ones have no fingerprint of model.json itself
LARGEST = 1 << 28  # bytes, chosen: of model.json; a thousand levels of a thousand letters for each of 200 columns
FIRST_CALIBRATED = 2  # models of format 1 hold no calibration: their predictions are the average as it is


class MemberFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    number: int
    share: float
    structure: dict[str, Any]
    settings: dict[str, float]


class IntervalsFile(BaseModel):
    """Half widths by level and the errors to be expected at predictions, as in `trainwell.calibration.intervals`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rows: int = Field(ge=1)
    half_widths: dict[str, float]
    at: list[float]
    errors: list[float]


class CalibrationFile(BaseModel):
    """What is done to the average of the members before a person sees it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    temperature: float = Field(gt=0, allow_inf_nan=False)
    threshold: float = Field(ge=0, le=1)
    intervals: IntervalsFile | None


class ModelFile(BaseModel):
    """What ``model.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: int = Field(ge=1)
    sha256: str
    trainwell: str
    metric: str
    test_score: float | None
    weights_sha256: str
    calibration: CalibrationFile
    encoder: dict[str, Any]
    members: list[MemberFile]


def described(calibration: Calibration) -> CalibrationFile:
    """A calibration as it is written."""
    found = calibration.intervals
    intervals = None
    if found is not None:
        widths = zip(found.levels, found.half_widths, strict=True)
        intervals = IntervalsFile(
            rows=found.rows,
            half_widths={repr(level): width for level, width in widths},
            at=list(found.difficulty.at),
            errors=list(found.difficulty.errors),
        )
    return CalibrationFile(temperature=calibration.temperature, threshold=calibration.threshold, intervals=intervals)


def calibration_of(file: CalibrationFile, path: Path) -> Calibration:
    """A calibration as it was written; `InputError` where its intervals make no sense."""
    if file.intervals is None:
        return Calibration(file.temperature, file.threshold)
    at, errors = file.intervals.at, file.intervals.errors
    try:
        ordered = sorted((float(level), width) for level, width in file.intervals.half_widths.items())
    except ValueError:
        ordered = [(np.nan, np.nan)]
    levels, widths = [level for level, _ in ordered], [width for _, width in ordered]
    if not (_rises(levels, 0, 1) and _rises(widths, 0, np.inf)):
        raise InputError(f"{path} is damaged at calibration.intervals: half widths must rise with levels between 0 and 1.")
    if len(at) != len(errors) or not _rises(at, -np.inf, np.inf) or not all(0 < error < np.inf for error in errors):
        raise InputError(f"{path} is damaged at calibration.intervals: errors must be numbers above 0 at rising predictions.")
    difficulty = Difficulty(tuple(at), tuple(errors))
    intervals = Intervals(file.intervals.rows, tuple(levels), tuple(widths), difficulty)
    return Calibration(file.temperature, file.threshold, intervals)


def _rises(values: Sequence[float], low: float, high: float) -> bool:
    return all(low <= value < high for value in values) and list(values) == sorted(values)


def fingerprint(content: dict[str, Any]) -> str:
    """The SHA-256 of all that ``model.json`` says beside its own fingerprint, however it is laid out."""
    said = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def written(description: ModelFile) -> bytes:
    """The text of ``model.json``, its fingerprint in it."""
    content = json.loads(description.model_dump_json())
    return json.dumps({**content, "sha256": fingerprint(content)}, indent=1).encode()


def read_description(path: Path) -> tuple[ModelFile, bool]:
    """``model.json``, one of an older format as this one would be written; and whether its own fingerprint vouches for it."""
    content = _content(path)
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        written_by = content.get("trainwell")
        raise InputError(
            f"{path} has format {version}, this trainwell reads up to {FORMAT}: use trainwell {written_by} or later."
        )
    if isinstance(version, int) and version < FIRST_CALIBRATED:
        content["calibration"] = described(Calibration()).model_dump()
    if isinstance(version, int) and version < FIRST_FINGERPRINT:
        content["sha256"] = ""
    try:
        description = ModelFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path} is damaged at {'.'.join(map(str, first['loc'])) or 'the top'}: {first['msg']}.") from None
    return description, fingerprint(content) == description.sha256


def _content(path: Path) -> Any:
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path} is damaged: it has {path.stat().st_size:,} bytes, allowed are {LARGEST:,}.")
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}.") from None
    except RecursionError:
        raise InputError(f"{path} is damaged: its brackets are nested too deep.") from None


def check_shares(members: Sequence[MemberFile], path: Path) -> None:
    if not abs(sum(member.share for member in members) - 1) <= 1e-6 or min(member.share for member in members) < 0:
        raise InputError(f"{path} is damaged: the shares of its members do not add up to 1.")
    if len({member.number for member in members}) < len(members):
        raise InputError(f"{path} is damaged: two of its members have the same number.")
