"""The server of an application: where it listens, to whom, and how it ends."""

import ipaddress
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import uvicorn

from trainwell.errors import InputError
from trainwell.model import Model, load
from trainwell.serving.app import application
from trainwell.serving.limits import Limits

GRACE = 30  # seconds, chosen: how long requests in flight may take after a signal; orchestrators kill after as long
MAX_CONNECTIONS = 1024  # chosen: what the usual limit of open files allows
STOP = (signal.SIGINT, signal.SIGTERM)


def serve(
    run: Path,
    host: str,
    port: int,
    limits: Limits,
    token: str | None = None,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Answer until SIGTERM or Ctrl-C; what is in flight then is finished.

    Parameters
    ----------
    run : a run folder or a model folder.
    host, port : where to listen; port 0 takes a free one.
    limits : of one request.
    token : what clients must send; needed where others than this machine can reach the server.
    ready : called with the address once it listens and the programs are compiled.

    Raises
    ------
    InputError : an address that cannot be used, an open door without a token, no model.
    """
    check_door(host, token)
    model = load(run)
    model.average(*_zeros(model))
    with _listening(host, port) as listening:
        config = uvicorn.Config(
            application(model, limits, token, host=host),
            log_level="warning",
            access_log=False,  # /metrics counts them
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=GRACE,
            server_header=False,
        )
        server = uvicorn.Server(config)

        def stop(number: int, frame: FrameType | None) -> None:
            server.should_exit = True

        before = {number: signal.signal(number, stop) for number in STOP}  # also after uvicorn, which repeats them
        try:
            ready(_address(host, listening.getsockname()[1]))
            server.run([listening])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def check_door(host: str, token: str | None) -> None:
    """`InputError` where others could ask and nothing keeps them out."""
    if token is not None and (not token.isascii() or not token.isprintable() or not token.strip() or " " in token):
        raise InputError("the token is empty or has blanks or letters beyond ASCII, which no header can carry: choose another.")
    if token is None and not is_loopback(host):
        raise InputError(
            f"--host is {host!r}, which other machines can reach: give a --token (or TRAINWELL_TOKEN in the environment), "
            "or leave --host out."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("lab")
    (True, True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _zeros(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """A row of zeros, which compiles the programs that single rows need."""
    encoder = model.encoder
    numeric = np.zeros((1, len(encoder.numeric_names)), np.float32)
    return numeric, np.zeros((1, len(encoder.cardinalities)), np.int32)


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port < 1 << 16:
        raise InputError(f"--port is {port}, allowed are 0 to 65535.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        said = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror  # without the address again
        raise InputError(f"port {port} of {host} cannot be used: {said}.") from None


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
