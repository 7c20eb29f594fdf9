"""Requests that a machine makes up from the API's own description, right ones and wrong ones, find nothing.

Schemathesis checks that no answer is a server's error, that right bodies are taken and wrong ones refused, and that every
answer is as described.
"""

import json
import threading
import time

import pyarrow as pa
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import ProjectConfig, ProjectsConfig, SchemathesisConfig

from trainwell.serving.app import application

ROW = {"age": "41.5", "pay": "2500", "phone": "1", "plan": "plus", "town": "a", "since": "2013-02-15"}
NUMBERS = st.floats(-1e6, 1e6).map(repr)
CELLS = {
    "age": NUMBERS,
    "pay": NUMBERS | st.just(""),
    "phone": st.sampled_from("01"),
    "plan": st.sampled_from(["max", "", "new"]),
}


@st.composite
def tables(draw):
    return [ROW | {name: draw(cell) for name, cell in CELLS.items()} for _ in range(draw(st.integers(1, 3)))]


def as_csv(rows) -> bytes:
    return "\n".join([",".join(ROW), *(",".join(row.values()) for row in rows)]).encode()


def as_arrow(rows) -> bytes:
    sink, table = pa.BufferOutputStream(), pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


schemathesis.openapi.media_type("text/csv", tables().map(as_csv))
schemathesis.openapi.media_type("application/vnd.apache.arrow.stream", tables().map(as_arrow))


@pytest.fixture(scope="module")
def described(model, limits):
    """The description of a server that runs."""
    app = application(model, limits)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    project = ProjectConfig(base_url=f"http://127.0.0.1:{port}")
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    yield schemathesis.openapi.from_dict(json.loads(json.dumps(app.openapi())), config=config)
    server.should_exit = True
    thread.join()


REQUESTS = [("/predict", "POST", mode) for mode in GenerationMode]
REQUESTS += [(path, "GET", GenerationMode.POSITIVE) for path in ("/schema", "/health", "/metrics")]  # they read nothing


@pytest.mark.parametrize(("path", "method", "mode"), REQUESTS)
def test_nothing_is_found(described, path, method, mode):
    strategy = described[path][method].as_strategy(generation_mode=mode)

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def check(case):
        assert case.call_and_validate().status_code < 500

    check()
