"""The web application: /predict, /schema, /health, /metrics, and /openapi.json, which is the table's schema."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

import trainwell
from trainwell.calibration.intervals import check_level
from trainwell.errors import InputError
from trainwell.model import Model
from trainwell.serving import answers
from trainwell.serving.bodies import ARROW, CSV, JSON, Reader
from trainwell.serving.columns import Problem, answer_model
from trainwell.serving.door import Door
from trainwell.serving.limits import MAX_HELD, MAX_WAITING, Limits, RequestError, too_many_bytes
from trainwell.serving.metrics import Metrics
from trainwell.serving.openapi import described
from trainwell.serving.worker import Question, Worker

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def application(
    model: Model,
    limits: Limits | None = None,
    token: str | None = None,
    together: int | None = None,
    host: str | None = None,
) -> FastAPI:
    """An application that answers with the predictions of a model.

    Parameters
    ----------
    model : as `trainwell.load` gives it.
    limits : the largest body and the most rows of one request.
    token : what clients must send as ``Authorization: Bearer``. Without one only requests to this machine's own names are
        answered, so that no page in a browser can reach the server under a name of its own.
    together : requests that are predicted at once, at most.
    host : where the server listens, which is another name of this machine.
    """
    limits = limits or Limits()
    metrics, reader = Metrics(), Reader(model, limits)
    held = Held(limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.worker = Worker(model, reader, metrics.predicted, together)
        yield
        app.state.worker.close()

    guards = [Middleware(Door, token=token, metrics=metrics)]
    if token is None:
        own = [] if host is None else [f"[{host}]" if ":" in host else host]
        guards.append(Middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL_HOSTS, *own]))
    app = FastAPI(
        title=f"trainwell: {model.schema.target}",
        version=trainwell.__version__,
        description=f"Predicts {model.schema.target} ({model.schema.task}).",
        lifespan=lifespan,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        middleware=guards,
    )
    answer = answer_model(model)
    schema = _schema(model, reader, answer)

    @app.post("/predict", summary="Predict rows", response_model=answer)
    async def predict(request: Request) -> Response:
        content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if content_type not in answers.MEDIA_TYPES:
            allowed = f"{JSON}, {CSV} and {ARROW}"
            raise RequestError(415, f"the content type is {content_type!r}, allowed are {allowed}.")
        interval = _interval(request, model)
        kind = answers.chosen(request.headers.get("accept", ""), content_type)
        worker: Worker = app.state.worker
        if worker.waiting >= MAX_WAITING:
            raise RequestError(503, "the server has more requests than it can answer: try again in a moment.")
        async with held.body(request) as body:
            content, _ = await worker.ask(Question(body, content_type, kind, interval))
        return Response(content, media_type=kind)

    @app.get("/schema", summary="The table and the model")
    async def table_schema() -> dict[str, Any]:
        return schema

    @app.get("/health", summary="Whether it answers")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", summary="Figures for Prometheus")
    async def figures() -> Response:
        return Response(metrics.text(), headers={"content-type": metrics.media_type})

    @app.exception_handler(RequestError)
    async def refused(request: Request, error: RequestError) -> Response:
        headers = {"Retry-After": "1"} if error.status == 503 else {}
        if error.status in (413, 503):
            headers["Connection"] = "close"  # the rest of the body is not read
        return JSONResponse({"detail": str(error)}, error.status, headers)

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, error: ClientDisconnect) -> Response:
        return JSONResponse({"detail": "the client left before its request was whole."}, 400)  # for the figures alone

    @app.exception_handler(InputError)
    async def mistaken(request: Request, error: InputError) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return JSONResponse({"detail": f"{first['loc'][-1]}: {first['msg']}."}, 422)

    app.openapi = lambda: described(app, reader, answer, Problem, token is not None)  # type: ignore[method-assign]
    return app


class Held:
    """Bodies in memory: each up to the limit, and all together up to a few times that."""

    def __init__(self, limits: Limits):
        self.limits, self.bytes = limits, 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request, counted as it comes, whatever its header says."""
        said = request.headers.get("content-length", "")
        if said.isdecimal() and int(said) > self.limits.bytes:
            raise too_many_bytes(self.limits)
        parts, size = [], 0
        try:
            async for part in request.stream():
                size += len(part)
                self.bytes += len(part)
                if size > self.limits.bytes:
                    raise too_many_bytes(self.limits)
                if self.bytes > MAX_HELD * self.limits.bytes:
                    raise RequestError(503, "the server holds as many bytes as it may: try again in a moment.")
                parts.append(part)
            yield b"".join(parts)
        finally:
            self.bytes -= size


def _interval(request: Request, model: Model) -> float | None:
    """The level of the intervals that are asked for; refused before anything is predicted."""
    text = request.query_params.get("interval")
    if text is None:
        return None
    try:
        level = check_level(float(text))
    except ValueError as error:
        said = str(error) if isinstance(error, InputError) else f"interval is {text!r}, allowed are shares such as 0.9 for 90%."
        raise RequestError(422, said) from None
    model.interval(np.zeros(0), level)
    return level


def _schema(model: Model, reader: Reader, answer: Any) -> dict[str, Any]:
    return {
        "target": model.schema.target,
        "task": model.schema.task,
        "classes": list(model.classes),
        "metric": model.metric,
        "test_score": model.test_score,
        "limits": {"bytes": reader.limits.bytes, "rows": reader.limits.rows},
        "row": reader.row.model_json_schema(),
        "answer": answer.model_json_schema(),
    }
