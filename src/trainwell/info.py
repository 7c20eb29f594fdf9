"""``trainwell info``: what a model is, from what data, how good, with which versions, in plain lines; without JAX."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainwell.data.encoders import ColumnEncoder, Date, Embedded, Measurement, Switches, TwoNumbers
from trainwell.errors import listed
from trainwell.model import Model, load, model_folder
from trainwell.model_file import read_description
from trainwell.words import printable

MOST_LEVELS = 6  # chosen: levels named of a category, and structures of an ensemble
Line = tuple[str, str]


def describe(run: str | Path) -> str:
    """What there is to say of the model in a run folder or a model folder; `InputError` where there is none."""
    folder = Path(run)
    model, own = load(folder), model_folder(folder)
    lines = [
        *_model(model, own),
        *(_run(folder) if own != folder else [("data", "unknown: this is a model without its run folder")]),
        *_quality(model, folder if own != folder else None),
        *_networks(model, own),
        *_versions(folder),
        ("columns", f"{len(model.encoder.columns)}"),
        *((f"  {column.name}", _kind(column)) for column in model.encoder.columns),
    ]
    width = min(24, max(len(name) for name, _ in lines))
    return "\n".join(printable(f"{name:<{width}}  {said}") for name, said in lines)


def _model(model: Model, own: Path) -> Iterator[Line]:
    description, _ = read_description(own / "model.json")
    yield "model", f"{own}, format {description.format}, written by trainwell {description.trainwell}"
    schema = model.schema
    yield "predicts", f"{schema.target!r}, {schema.task}" + (f": {listed(schema.classes, 20)}" if schema.classes else "")


def _run(folder: Path) -> Iterator[Line]:
    config, schema = _json(folder / "config.json"), _json(folder / "schema.json")
    look = _json(folder / "evidence" / "look.json").get("measures", {})
    rows = f", {look['rows']:,} rows" if isinstance(look.get("rows"), int) else ""
    unused = [
        str(one.get("name"))
        for one in schema.get("columns", [])
        if one.get("role") in ("ignored", "identifier", "text", "constant")
    ]
    yield "data", f"{config.get('source') or 'a table in memory'}{rows}" + (f"; not used: {listed(unused)}" if unused else "")


def _quality(model: Model, folder: Path | None) -> Iterator[Line]:
    found = _json(folder / "evidence" / "squeeze.json") if folder is not None else {}
    measures: dict[str, Any] = found.get("measures", {})
    score = model.test_score
    said = (
        "not measured" if score is None else f"{measures.get('metric', model.metric)} {score:.4g} on rows that nothing had seen"
    )
    if isinstance(measures.get("low"), float) and isinstance(measures.get("high"), float):
        said += f", {measures['low']:.4g} to {measures['high']:.4g} (95%)"
    yield "score", said
    if model.classes:
        threshold = f", threshold {model.calibration.threshold:.4g}" if len(model.classes) == 2 else ""
        error = measures.get("calibration_error")
        of_it = f", expected calibration error {error:.3g} on the test rows" if isinstance(error, float) else ""
        yield "calibration", f"temperature {model.calibration.temperature:.4g}{threshold}{of_it}"
    elif model.calibration.intervals is None:
        yield "intervals", "none"
    else:
        held = measures.get("interval_90_held")
        of_it = f", those of 90% held {held:.1%} of the test rows" if isinstance(held, float) else ""
        intervals = model.calibration.intervals
        yield "intervals", f"up to {intervals.highest_level:.4g}, from {intervals.rows:,} rows not seen{of_it}"


def _networks(model: Model, own: Path) -> Iterator[Line]:
    kinds: dict[str, int] = {}
    for member in model.members:
        one = member.architecture
        kind = f"{'-'.join(map(str, one.widths)) or 'linear'} {one.activation}, {one.numeric_scaling}, {one.numeric_embedding}"
        kind += f", {one.adapters} adapters" if one.adapters else ""
        kinds[kind] = kinds.get(kind, 0) + 1
    shown = "; ".join(f"{count} x {kind}" for kind, count in list(kinds.items())[:MOST_LEVELS])
    more = f"; {len(kinds) - MOST_LEVELS} more kinds" if len(kinds) > MOST_LEVELS else ""
    count = len(model.members)
    yield "networks", f"{count} network{'s' if count > 1 else ''}: {shown}{more}"
    weights = sum(value.size for member in model.members for value in member.weights.values())
    held = sum((own / name).stat().st_size for name in ("model.json", "weights.safetensors"))
    yield "size", f"{weights:,} weights, {held / 1e6:.2f} MB"


def _versions(folder: Path) -> Iterator[Line]:
    found = _json(folder / "environment.json")
    libraries = found.get("libraries")
    if isinstance(libraries, dict):
        named = ", ".join(f"{name} {version}" for name, version in libraries.items())
        yield "trained with", f"Python {found.get('python')}, {named}"


def _kind(column: ColumnEncoder) -> str:
    missing = ", may be missing" if column.missing and not isinstance(column, Embedded) else ""
    if isinstance(column, Measurement):
        return f"number, middle {column.scaling.median:.4g}{missing}"
    if isinstance(column, TwoNumbers):
        return f"number, {column.low:g} or {column.high:g}{missing}"
    if isinstance(column, Switches):
        return f"category: {listed(column.levels)}{missing}"
    if isinstance(column, Date):
        return f"date, {column.style}{missing}"
    return f"embedded category, {len(column.levels)} levels: {listed(column.levels, MOST_LEVELS)}"


def _json(path: Path) -> dict[str, Any]:
    """A mapping of the run folder; an empty one where there is none, since a model may lie alone."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
