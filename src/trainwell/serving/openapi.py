"""The OpenAPI description: FastAPI's, with the table's own columns as the body of /predict."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from trainwell.serving.bodies import ARROW, CSV, JSON, Reader

PROBLEMS = {
    401: "There is no token, or a wrong one.",
    413: "The body has too many bytes or rows.",
    415: "The content type is none of those that are read.",
    422: "A column, a cell or the form of the body is not as the schema says.",
    503: "The server has too many requests at once.",
}
BINARY = {"type": "string", "format": "binary"}


def described(
    app: FastAPI, reader: Reader, answer: type[BaseModel], problem: type[BaseModel], with_token: bool
) -> dict[str, Any]:
    """The description, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    models = [(reader.rows, "validation"), (answer, "serialization"), (problem, "serialization")]
    _, defined = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    components = made.setdefault("components", {})
    components["schemas"] = defined["$defs"]
    predict = made["paths"]["/predict"]["post"]
    predict["requestBody"] = {"required": True, "content": {JSON: _of(reader.rows), CSV: _text(), ARROW: {"schema": BINARY}}}
    predict["responses"]["200"]["content"] = {JSON: _of(answer), CSV: _text(), ARROW: {"schema": BINARY}}
    predict["responses"] = {"200": predict["responses"]["200"]} | _problems(problem, 413, 415, 422, 503)
    if reader.model.calibration.intervals is not None:
        predict["parameters"] = [_interval(reader)]
    made["paths"]["/metrics"]["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    if with_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, ways in made["paths"].items():
            for way in ways.values():
                if path != "/health":
                    way["security"] = [{"token": []}]
                    way["responses"] |= _problems(problem, 401)
    app.openapi_schema = made
    return made


def _of(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}


def _text() -> dict[str, Any]:
    return {"schema": {"type": "string"}}


def _problems(problem: type[BaseModel], *statuses: int) -> dict[str, Any]:
    return {str(status): {"description": PROBLEMS[status], "content": {JSON: _of(problem)}} for status in statuses}


def _interval(reader: Reader) -> dict[str, Any]:
    found = reader.model.calibration.intervals
    assert found is not None
    highest = found.levels[-1] if found.levels else 0.0
    bounds = {"type": "number", "exclusiveMinimum": 0, "maximum": highest}
    says = "Probability with which low and high shall hold the truth, such as 0.9; left out, they are null."
    return {"name": "interval", "in": "query", "required": False, "description": says, "schema": bounds}
