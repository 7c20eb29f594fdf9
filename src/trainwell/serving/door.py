"""Before any request: is the token right, and how long did the answer take."""

import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from trainwell.serving.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN = ("/health",)  # what a load balancer asks, without a token
PATHS = ("/predict", "/schema", "/health", "/metrics", "/openapi.json")


class Door:
    """Counts every request, and lets in who has the token (everybody where there is none)."""

    def __init__(self, app: Application, token: str | None, metrics: Metrics):
        self.app, self.token, self.metrics = app, token, metrics

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, path, status = time.perf_counter(), scope["path"], 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self.metrics.in_flight.track_inprogress():
            try:
                await (self.app if self._may_enter(scope) else _refusal())(scope, receive, noted)
            finally:
                self.metrics.answered(path if path in PATHS else "other", status, time.perf_counter() - began)

    def _may_enter(self, scope: Message) -> bool:
        if self.token is None or scope["path"] in OPEN:
            return True
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self.token.encode())


def _refusal() -> JSONResponse:
    sentence = "this needs the token of the server: send it as Authorization: Bearer TOKEN."
    return JSONResponse({"detail": sentence}, 401, {"WWW-Authenticate": "Bearer"})
