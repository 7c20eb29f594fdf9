"""What ``model.json`` and ``weights.safetensors`` hold, and reading them: files are data, and none is believed unchecked."""

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

FORMAT = 2
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

    format: int
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
    at, errors, widths = file.intervals.at, file.intervals.errors, list(file.intervals.half_widths.values())
    try:
        levels = [float(level) for level in file.intervals.half_widths]
    except ValueError:
        levels = [np.nan]
    if not (_rises(levels, 0, 1) and _rises(widths, 0, np.inf)):
        raise InputError(f"{path} is damaged at calibration.intervals: half widths must rise with levels between 0 and 1.")
    if len(at) != len(errors) or not _rises(at, -np.inf, np.inf) or not all(0 < error < np.inf for error in errors):
        raise InputError(f"{path} is damaged at calibration.intervals: errors must be numbers above 0 at rising predictions.")
    difficulty = Difficulty(tuple(at), tuple(errors))
    intervals = Intervals(file.intervals.rows, tuple(levels), tuple(widths), difficulty)
    return Calibration(file.temperature, file.threshold, intervals)


def _rises(values: Sequence[float], low: float, high: float) -> bool:
    return all(low <= value < high for value in values) and list(values) == sorted(values)


def read_description(path: Path) -> ModelFile:
    """``model.json``, checked; one of an older format as this one would be written."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}.") from None
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        written_by = content.get("trainwell")
        raise InputError(
            f"{path} has format {version}, this trainwell reads up to {FORMAT}: use trainwell {written_by} or later."
        )
    if isinstance(version, int) and version < FIRST_CALIBRATED:
        content["calibration"] = described(Calibration()).model_dump()
    try:
        return ModelFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path} is damaged at {'.'.join(map(str, first['loc'])) or 'the top'}: {first['msg']}.") from None


def read_weights(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """The tensors, which must be those that ``model.json`` was written with."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path} is damaged: it is not the file that model.json was written with.")
    try:
        return from_bytes(content)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged: {error}.") from None


def check_shares(members: Sequence[MemberFile], path: Path) -> None:
    if not abs(sum(member.share for member in members) - 1) <= 1e-6 or min(member.share for member in members) < 0:
        raise InputError(f"{path} is damaged: the shares of its members do not add up to 1.")
    if len({member.number for member in members}) < len(members):
        raise InputError(f"{path} is damaged: two of its members have the same number.")
