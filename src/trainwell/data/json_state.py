"""Frozen dataclasses to JSON and back; what comes back is checked as strictly as what a stranger sends."""

import json
from dataclasses import asdict
from typing import Any, TypeVar

from trainwell.errors import InputError

State = TypeVar("State")


def dump(state: Any) -> dict[str, Any]:
    """The state in JSON's own types."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(state), allow_nan=False))
    return plain


def load(kind: type[State], state: dict[str, Any] | str | bytes, what: str) -> State:
    """An object of this kind from its JSON, parsed or not; an `InputError` with the first place that does not fit."""
    from pydantic import TypeAdapter, ValidationError

    text = state if isinstance(state, str | bytes) else json.dumps(state)
    try:
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the whole"
        says = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{what} is damaged or was changed: {place}: {says}.") from None
