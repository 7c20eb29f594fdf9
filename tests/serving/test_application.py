"""Limits, the door, and what the server says of itself."""

import asyncio
import json
import tracemalloc

import pytest
from starlette.testclient import TestClient

from trainwell.errors import InputError
from trainwell.serving.app import Held, application
from trainwell.serving.bodies import Reader
from trainwell.serving.limits import Limits, RequestError

ADDRESS = "http://127.0.0.1"
JSON = {"content-type": "application/json"}
TOKEN = "s3cret"


def rows_of(rows, number: int) -> str:
    return json.dumps({"rows": (rows * 9)[:number]})


def test_too_many_rows_of_any_form_are_refused_with_the_limit(client, rows):
    header = ",".join(rows[0])
    line = ",".join("" if cell is None else str(cell) for cell in rows[1].values())
    for content, kind in ((rows_of(rows, 51), "application/json"), ("\n".join([header, *[line] * 51]), "text/csv")):
        answer = client.post("/predict", content=content, headers={"content-type": kind})
        assert (answer.status_code, answer.json()) == (
            413,
            {"detail": "the body has 51 rows, allowed are 50 in one request: send fewer at a time."},
        )


def test_too_many_bytes_are_refused_whether_or_not_their_number_is_said(client):
    said = client.post("/predict", content=b"x" * 20_001, headers=JSON)
    streamed = client.post("/predict", content=(b"x" * 1000 for _ in range(21)), headers=JSON)
    assert "content-length" not in streamed.request.headers
    for answer in (said, streamed):
        assert (answer.status_code, answer.json()) == (
            413,
            {"detail": "the body has more than 20,000 bytes, the most that one request may have."},
        )


class Stream:
    """A request of so many bytes, in parts; it counts those that were read."""

    def __init__(self, *parts: int, **headers: str):
        self.parts, self.headers, self.read = parts, headers, 0

    async def stream(self):
        for part in self.parts:
            self.read += part
            yield b"x" * part


def test_no_more_is_read_than_may_be_kept():
    async def read(held, request):
        async with held.body(request) as body:
            return len(body)

    held = Held(Limits(bytes=100, rows=1))
    endless = Stream(*[60] * 1000)
    with pytest.raises(RequestError, match="more than 100 bytes"):
        asyncio.run(read(held, endless))
    assert endless.read == 120
    held.bytes = 790
    with pytest.raises(RequestError, match=r"^the server holds as many bytes as it may: try again in a moment\.$") as refused:
        asyncio.run(read(held, Stream(50)))
    assert (refused.value.status, held.bytes) == (503, 790)
    held.bytes = 0
    assert asyncio.run(read(held, Stream(50, 50))) == 100
    assert held.bytes == 0


@pytest.mark.parametrize(("name", "value"), [("bytes", 0), ("rows", -1)])
def test_a_limit_of_nothing_is_refused(name, value):
    with pytest.raises(InputError, match=f"^the most {name} of a request are {value}, allowed is 1 or more\\.$"):
        Limits(**{name: value})


@pytest.fixture(scope="module")
def guarded(model, limits):
    with TestClient(application(model, limits, TOKEN), base_url=ADDRESS) as client:
        yield client


@pytest.mark.parametrize(
    "header", [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_without_the_token_nothing_is_told_but_that_it_is_healthy(guarded, header):
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    for path in ("/schema", "/metrics", "/openapi.json", "/nothing"):
        answer = guarded.get(path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["detail"] == "this needs the token of the server: send it as Authorization: Bearer TOKEN."
    assert guarded.post("/predict", content="{", headers=headers).status_code == 401
    assert guarded.get("/health", headers=headers).json() == {"status": "ok"}


def test_with_the_token_everything_is_open_under_any_name_of_the_machine(guarded, rows):
    headers = {"authorization": f"Bearer {TOKEN}", "host": "models.example.com", **JSON}
    assert guarded.post("/predict", content=rows_of(rows, 1), headers=headers).status_code == 200
    assert guarded.get("/openapi.json", headers=headers).json()["paths"]["/schema"]["get"]["security"] == [{"token": []}]


def test_without_a_token_a_page_in_a_browser_cannot_reach_it_under_its_own_name(client):
    assert client.get("/schema", headers={"host": "evil.example.com"}).status_code == 400
    assert client.get("/schema", headers={"host": "localhost:8000"}).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.2", "0:0:0:0:0:0:0:1"])
def test_the_host_that_it_listens_on_is_a_name_of_its_own(model, limits, host):
    name = f"[{host}]" if ":" in host else host
    with TestClient(application(model, limits, host=host), base_url=f"http://{name}:8000") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/schema", headers={"host": "evil.example.com"}).status_code == 400


def test_a_client_that_leaves_before_its_request_is_whole_is_no_failure_of_the_server(model, limits):
    said = iter([{"type": "http.request", "body": b'{"rows"', "more_body": True}, {"type": "http.disconnect"}])
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "headers": headers,
        "query_string": b"",
        "http_version": "1.1",
    }

    async def receive():
        return next(said)

    async def send(message):
        pass

    with TestClient(application(model, limits), base_url=ADDRESS) as client:
        asyncio.run(client.app(scope, receive, send))
        counted = client.get("/metrics").text
    assert 'trainwell_requests_total{path="/predict",status="400"} 1.0' in counted
    assert 'status="500"' not in counted


def test_the_schema_is_the_tables_own(client):
    described = client.get("/openapi.json").json()
    row = described["components"]["schemas"]["Row"]
    assert list(row["properties"]) == ["customer id", "age", "pay", "phone", "plan", "town", "since", "left"]
    assert row["required"] == ["age", "phone", "since"]
    assert row["additionalProperties"] is False
    assert row["properties"]["age"]["type"] == "number"
    assert {kind["type"] for kind in row["properties"]["pay"]["anyOf"]} == {"number", "null"}
    assert row["properties"]["plan"]["examples"] == ["basic", "max", "plus"]
    assert row["properties"]["since"]["format"] == "date"
    assert row["properties"]["customer id"]["description"].startswith("Not used: ")
    assert described["components"]["schemas"]["Rows"]["properties"]["rows"]["maxItems"] == 50
    assert described["components"]["schemas"]["Prediction"]["properties"]["prediction"]["enum"] == ["no", "yes"]
    assert client.get("/schema").json()["row"] == row
    assert client.get("/schema").json()["classes"] == ["no", "yes"]


def test_the_figures_count_requests_rows_and_batches(model, limits, rows):
    with TestClient(application(model, limits), base_url=ADDRESS) as client:
        client.post("/predict", content=rows_of(rows, 3), headers=JSON)
        client.post("/predict", content="{", headers=JSON)
        client.get("/a/path/of/a/stranger")
        text = client.get("/metrics").text
    for line in (
        'trainwell_requests_total{path="/predict",status="200"} 1.0',
        'trainwell_requests_total{path="/predict",status="422"} 1.0',
        'trainwell_requests_total{path="other",status="404"} 1.0',
        "trainwell_rows_total 3.0",
        "trainwell_batch_requests_count 1.0",
        "trainwell_requests_in_flight 1.0",
    ):
        assert f"\n{line}\n" in text, text


def _grown(reader: Reader, body: bytes) -> tuple[str, int]:
    """(the refusal of a body, bytes of Python's that were taken at most to come to it)."""
    tracemalloc.start()
    try:
        with pytest.raises(RequestError) as refused:
            reader.rows_of(body)
        return str(refused.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"rows":[' + b",".join([b"{}"] * 60_000) + b"]}", "the body has 60,000 rows, allowed are 50,000 in one request"),
        (b'{"rows":[' + b",".join([b"{}"] * 50_000) + b"]}", "row 1 lacks the column 'age'."),
        (b'{"rows":[{' + b",".join(b'"%d":0' % name for name in range(30_000)) + b"}]}", "row 1 has the column '0', which"),
        (b'{"rows":[{}],' + b",".join(b'"%d":0' % name for name in range(30_000)) + b"}", "the body is not {"),
    ],
)
def test_a_refused_body_takes_little_more_memory_than_its_own_however_much_is_wrong_with_it(model, body, said):
    sentence, taken = _grown(Reader(model, Limits(rows=50_000)), body)
    assert sentence.startswith(said)
    assert taken < 60 * len(body)  # 3 bytes of an empty row are a mapping of 64; each mistake that was kept would take 500


def test_what_a_column_that_is_not_used_holds_is_not_kept(model, rows):
    row = rows[1] | {"customer id": [[]] * 1000}
    (read,) = Reader(model, Limits()).rows_of(json.dumps({"rows": [row]}).encode())
    assert read.model_dump(by_alias=True) == row | {"customer id": None}
