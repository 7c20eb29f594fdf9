"""The live page over HTTP: on this machine alone, behind a token, with what happens as server-sent events.

Python's own server is enough for the few readers of one run, and the core needs no further package for it. Each reader has a
thread and reads the folder for itself, so that no reader, however slow, keeps the run or another reader waiting.

Who is let in: the address names this machine (a page of another site that has its name lead here, DNS rebinding, is told apart
by its Host header), and the path begins with the token. Nothing is read from the path but the token and one of two names.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import hmac
import json
import os
import secrets
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from trainwell.live.happening import Happening, so_far
from trainwell.live.page import Pages
from trainwell.recipe.running import is_going_on

HERE = ("127.0.0.1", "localhost")
EVERY = 0.5  # seconds between two looks at the folder, chosen: often enough for the eye
STILL_HERE = 15.0  # seconds of silence after which a comment is sent; the standard's advice
PATIENCE = 30.0  # seconds, chosen: a reader that takes nothing for so long is gone
MOST_READERS = 32  # chosen: a person with some windows
FAREWELL = 3.0  # seconds, chosen: what readers are given to get the end of a run whose program ends
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class LiveServer(ThreadingHTTPServer):
    """Serves one run folder at `url` once `serve_forever` runs; `close` ends it when its readers have heard the end."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, folder: Path):
        self.folder, self.token = Path(folder), secrets.token_urlsafe(24)
        self.pages = Pages(self.folder)
        self.closing = threading.Event()
        self._readers, self._changed = 0, threading.Condition()
        super().__init__((HERE[0], 0), Reader)

    @property
    def url(self) -> str:
        return f"http://{HERE[0]}:{self.server_port}/{self.token}/"

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, name="live page", daemon=True).start()

    def close(self) -> None:
        """End, at the latest after `FAREWELL`; `start` or `serve_forever` must have been called."""
        self.closing.set()
        with self._changed:
            self._changed.wait_for(lambda: self._readers == 0, FAREWELL)
        self.shutdown()
        self.server_close()

    def enter(self) -> bool:
        """Whether there is room for one more reader, which then is counted."""
        with self._changed:
            if self._readers >= MOST_READERS:
                return False
            self._readers += 1
            return True

    def leave(self) -> None:
        with self._changed:
            self._readers -= 1
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that went away is no error, and no other one may stand in the middle of a run's lines."""
        if os.environ.get("TRAINWELL_DEBUG") == "1" and not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Reader(BaseHTTPRequestHandler):
    """One request of one reader."""

    server: LiveServer
    timeout = PATIENCE

    def parse_request(self) -> bool:
        """Whether the request is answered at all, whatever its method."""
        if not super().parse_request():
            return False
        host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host") or ""
        given = urlsplit(self.path).path.split("/")[1:2]
        known = hmac.compare_digest("".join(given).encode(), self.server.token.encode())
        if host not in HERE or not known:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "This page needs the whole address that trainwell printed.\n")
            return False
        if self.command != "GET":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", "This page can only be read.\n")
            return False
        return True

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        name = asked.path.partition(self.server.token)[2]
        if name in ("", "/"):
            self._page()
        elif name == "/events":
            self._events(parse_qs(asked.query).get("version", [""])[0])
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There is nothing here.\n")

    def _page(self) -> None:
        _, happening = so_far(self.server.folder)
        state = happening.state(is_going_on(self.server.folder))
        self._answer(HTTPStatus.OK, "text/html", self.server.pages.whole(self.server.pages.version(state)))

    def _events(self, version: str) -> None:
        if not self.server.enter():
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", "Too many windows are open on this run.\n")
            return
        try:
            self._head(HTTPStatus.OK, "text/event-stream")
            self._follow(version)
        finally:
            self.server.leave()

    def _follow(self, version: str) -> None:
        """Send what happens until the run has ended, the server closes, or nobody reads any more."""
        folder, pages = self.server.folder, self.server.pages
        follower, happening = so_far(folder)
        heard: dict[str, Any] = {}
        spoke, last = 0.0, False
        while not last:
            last = self.server.closing.is_set()  # looked at first: what came before it is still sent
            events = follower.new()
            if follower.began_anew:
                happening = Happening(folder)
                self._send("anew", {})
            happening.add(events)
            news = happening.message(is_going_on(folder))
            if news["curves"] or news != heard:
                self._send("news", news)
                heard, spoke = news, time.monotonic()
            if (now := pages.version(news["state"])) != version:
                self._send("body", {"version": now, "html": pages.body(now)})
                version, spoke = now, time.monotonic()
            if news["state"] in ("finished", "stopped", "interrupted", "ended"):
                break
            if time.monotonic() - spoke > STILL_HERE:
                self.wfile.write(b": still here\n\n")
                spoke = time.monotonic()
            self.server.closing.wait(EVERY)
        self._send("end", {})

    def _send(self, kind: str, content: dict[str, Any]) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(content)}\n\n".encode())
        self.wfile.flush()

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        content = text.encode()
        self._head(status, kind, len(content))
        if self.command != "HEAD":
            self.wfile.write(content)

    def _head(self, status: HTTPStatus, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()

    def version_string(self) -> str:
        return "trainwell"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the terminal belongs to the run."""
