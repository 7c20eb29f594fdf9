"""Frozen dataclasses to JSON and back; what comes back is checked as strictly as what a stranger sends."""

import json
from dataclasses import asdict
from typing import Any, TypeVar

from trainwell.errors import InputError

State = TypeVar("State")


def dump(state: Any) -> str:
    return json.dumps(asdict(state), ensure_ascii=False, allow_nan=False, indent=1)


def load(kind: type[State], text: str | bytes, what: str) -> State:
    """An object of this kind, or an `InputError` with the first place in the JSON that does not fit."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise InputError(f"{what} is damaged or was changed: {place}: {first['msg']}.") from None
