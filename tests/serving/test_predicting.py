"""What a client asks and is answered: the model's own predictions, in the form that it asked for, or one sentence."""

import asyncio
import csv
import io
import json
import math
import warnings

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

import made_models
from trainwell.model import CellWarning
from trainwell.serving.app import application
from trainwell.serving.bodies import Reader
from trainwell.serving.limits import Limits
from trainwell.serving.worker import Question, Worker

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"


def as_csv(rows: list[dict]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_arrow(rows: list[dict], **options) -> bytes:
    table = pa.Table.from_pylist(rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, **options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def body(rows: list[dict], kind: str) -> str | bytes:
    return {JSON: lambda: json.dumps({"rows": rows}), CSV: lambda: as_csv(rows), ARROW: lambda: as_arrow(rows)}[kind]()


def asked(client, content, kind: str = JSON, accept: str = "*/*", query: str = ""):
    return client.post(f"/predict{query}", content=content, headers={"content-type": kind, "accept": accept})


def read(answer) -> dict[str, list]:
    """The columns of an answer of any form."""
    kind = answer.headers["content-type"].split(";")[0]
    if kind == ARROW:
        return pa.ipc.open_stream(answer.content).read_all().to_pydict()
    found = answer.json()["predictions"] if kind == JSON else list(csv.DictReader(io.StringIO(answer.text)))
    return {name: [row[name] for row in found] for name in found[0]}


@pytest.mark.parametrize("accept", ["*/*", JSON, CSV, ARROW])
@pytest.mark.parametrize("kind", [JSON, CSV, ARROW])
def test_every_form_of_the_same_rows_has_the_answer_that_the_model_gives(client, model, rows, kind, accept):
    answer = asked(client, body(rows[:20], kind), kind, accept)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].split(";")[0] == (kind if accept == "*/*" else accept)
    columns = {name: [row[name] for row in rows[:20]] for name in rows[0]}
    found = read(answer)
    assert list(found) == ["prediction", "probability_no", "probability_yes"]
    assert found["prediction"] == model.predict(columns).tolist()
    probabilities = np.array([found["probability_no"], found["probability_yes"]], float).T
    np.testing.assert_allclose(probabilities, model.predict_proba(columns), rtol=1e-5)


def test_a_missing_column_of_numbers_is_what_null_is_and_unseen_cells_are_noted(client, rows):
    without = {name: value for name, value in rows[1].items() if name not in ("pay", "customer id")}
    whole, short = (asked(client, json.dumps({"rows": [one]})).json() for one in (without | {"pay": None}, without))
    assert whole["predictions"] == short["predictions"]
    assert whole["notes"] == []
    odd = asked(client, json.dumps({"rows": [rows[1] | {"plan": "gold"}]})).json()
    assert odd["notes"] == [
        "1 cell of 'plan' holds a category that training rows had seldom or never (for example 'gold' in row 1): "
        "treated as unknown."
    ]


def test_a_boolean_of_json_is_the_level_that_is_the_same_word():
    table = made_models.columns("binary", 60, seed=6)
    table["flag"] = [str(flag == "on").lower() for flag in table["flag"]]
    reader = Reader(made_models.model("binary", {"numeric_embedding": "none"}, table=table), Limits())
    row = {name: cells[0] for name, cells in table.items() if name != "y"} | {"price": 1234.5}
    for text, flag in (("true", True), ("false", False)):
        found = [reader.read(json.dumps({"rows": [row | {"flag": one}]}).encode(), JSON) for one in (text, flag)]
        arrays = [reader.model.encoder.transform(one, with_target=False) for one in found]
        np.testing.assert_array_equal(arrays[0].numeric, arrays[1].numeric)
        assert [len(one.notes) for one in arrays] == [0, 0]


def test_numbers_have_intervals_where_they_are_asked_for(numbers_model, limits, rows):
    with TestClient(application(numbers_model, limits), base_url="http://127.0.0.1") as client:
        plain = asked(client, body(rows[:3], JSON)).json()["predictions"][0]
        wide = asked(client, body(rows[:3], JSON), query="?interval=0.9").json()["predictions"][0]
        refused = [asked(client, body(rows[:3], JSON), query=f"?interval={level}") for level in ("0.999", "x", "2", "nan")]
    assert list(plain) == ["prediction"]
    assert wide["low"] < wide["prediction"] == plain["prediction"] < wide["high"]
    assert [one.status_code for one in refused] == [422] * 4
    assert refused[0].json()["detail"].startswith("interval is 0.999, which needs 999 validation rows; the model was made with")
    assert refused[1].json()["detail"] == "interval is 'x', allowed are shares such as 0.9 for 90%."


def test_classes_have_no_intervals(client, rows):
    answer = asked(client, body(rows[:1], JSON), query="?interval=0.9")
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "'left' has classes: there are no intervals, use the probabilities.",
    )


GOOD = {"age": 41.5, "pay": 2500, "phone": 1, "plan": "plus", "town": "a", "since": "2013-02-15"}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({**GOOD, "age": "41"}, "row 1: 'age' is '41', allowed is a finite number."),
        ({**GOOD, "age": None}, "row 1: 'age' is null, allowed is a finite number."),
        ({**GOOD, "age": True}, "row 1: 'age' is True, allowed is a finite number."),
        ({**GOOD, "age": 1e300}, "row 1: 'age' is 1e+300, allowed is a finite number."),
        ({**GOOD, "age": math.nan}, "row 1: 'age' is nan, allowed is a finite number."),
        ({**GOOD, "pay": [1]}, "row 1: 'pay' is [1], allowed is a finite number or null."),
        ({**GOOD, "plan": {"a": 1}}, "row 1: 'plan' is {'a': 1}, allowed is a text or null."),
        ({**GOOD, "since": "15.02.2013"}, "row 1: 'since' is '15.02.2013', allowed is a date as 2024-12-31."),
        ({**GOOD, "since": 3}, "row 1: 'since' is 3, allowed is a date as 2024-12-31."),
        ({**GOOD, "twon": "a"}, "row 1 has the column 'twon', which the model does not know, did you mean 'town'?"),
        ({**GOOD, "x" * 3: 1}, "row 1 has the column 'xxx', which the model does not know."),
        ({name: GOOD[name] for name in ("age", "phone")}, "row 1 lacks the column 'since'."),
        ({"agee": 1, **{name: GOOD[name] for name in ("phone", "since")}},
         "row 1 lacks the column 'age', did you mean 'agee'?"),
        (5, 'the body is not {"rows": [{...}, ...]} with at least one row, each a mapping of column to cell.'),
    ],
)  # fmt: skip
def test_a_wrong_row_of_json_gets_the_sentence(client, row, sentence):
    answer = asked(client, json.dumps({"rows": [row]}))
    assert (answer.status_code, answer.json()) == (422, {"detail": sentence})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the body is no JSON: EOF while parsing a value at line 1 column 0."),
        ("{", "the body is no JSON: EOF while parsing an object at line 1 column 1."),
        ('{"rows": []}', 'the body is not {"rows": [{...}, ...]} with at least one row, each a mapping of column to cell.'),
        ("[]", 'the body is not {"rows": [{...}, ...]} with at least one row, each a mapping of column to cell.'),
        ('{"row": []}', 'the body is not {"rows": [{...}, ...]} with at least one row, each a mapping of column to cell.'),
    ],
)
def test_a_body_that_is_no_rows_gets_the_sentence(client, text, sentence):
    answer = asked(client, text)
    assert (answer.status_code, answer.json()) == (422, {"detail": sentence})


HEAD = "age,pay,phone,plan,town,since"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the body is empty; a table needs a line of column names and rows below it."),
        (HEAD, "the body has no rows."),
        (f"{HEAD}\n4x,1,1,plus,a,2013-02-15", "row 2: 'age' is '4x', allowed is a finite number."),
        (f"{HEAD}\n41,1,1,plus,a,2013-02-15\n,1,1,plus,a,2013-02-15", "row 3: 'age' is null, allowed is a finite number."),
        (f"{HEAD}\n41,1,1,plus,a,2013-02-31", "row 2: 'since' is '2013-02-31', allowed is a date as 2024-12-31."),
        (f"{HEAD}\n41,1,1", "the body, line 2: 3 cells ('41,1,1'), but the first line has 6; every line needs as many."),
        (f"{HEAD},age\n41,1,1,plus,a,2013-02-15,2",
         "the body has more than one column named 'age'; every column needs its own name."),
        ("age,pay\n1,2", "the body lacks the columns 'phone', 'plan', 'town', 'since'."),
        ("age,pay,phone,plan,town,sinec\n41,1,1,plus,a,2013-02-15", "the body lacks the column 'since', did you mean 'sinec'?"),
        (f"{HEAD},xyz\n41,1,1,plus,a,2013-02-15,2", "the body has the column 'xyz', which the model does not know."),
        (b"\x00\x01\x02" * 50,
         "the body is not a text file (it holds bytes that no text has); allowed are CSV (also .gz) and Parquet."),
    ],
)  # fmt: skip
def test_a_wrong_csv_gets_the_sentence(client, text, sentence):
    answer = asked(client, text, CSV)
    assert (answer.status_code, answer.json()) == (422, {"detail": sentence})


def test_a_damaged_compressed_or_odd_arrow_stream_gets_a_sentence(client, rows):
    stream = as_arrow(rows[:2])
    packed = as_arrow(rows[:40], options=pa.ipc.IpcWriteOptions(compression="zstd"))
    nested = as_arrow([row | {"plan": [1]} for row in rows[:2]])
    said = [asked(client, content, ARROW) for content in (b"", b"PK\x03\x04", stream[:-300], packed, nested)]
    assert [answer.status_code for answer in said] == [422] * 5
    sentences = [answer.json()["detail"] for answer in said]
    assert all(sentence.startswith("the body is no Arrow IPC stream: ") for sentence in sentences[:3])
    assert sentences[3] == "the body is a compressed Arrow IPC stream: send it without compression."
    assert sentences[4].startswith("column 'plan' of the body holds cells of the type list<")


def test_no_change_of_a_byte_of_an_arrow_stream_is_more_than_a_refusal(client, rows):
    stream, chance = as_arrow(rows[:2]), np.random.default_rng(0)
    found = set()
    for place in chance.choice(len(stream), 60, replace=False):
        changed = bytearray(stream)
        changed[place] ^= 1 << int(chance.integers(8))
        found.add(asked(client, bytes(changed), ARROW).status_code)
    assert found <= {200, 413, 422}


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data"])
def test_another_content_type_is_refused_with_those_that_are_read(client, kind):
    answer = asked(client, "x", kind)
    assert (answer.status_code, answer.json()["detail"]) == (
        415,
        f"the content type is {kind!r}, allowed are application/json, text/csv and application/vnd.apache.arrow.stream.",
    )


def test_requests_that_come_together_are_answered_each_for_itself(model, limits, rows):
    """Many at once, among them a wrong one and one with an unseen category: each has its own answer, as if it were alone."""

    async def all_at_once(bodies):
        worker = Worker(model, Reader(model, limits), lambda requests, rows: batches.append((requests, rows)))
        questions = [Question(one.encode(), JSON, JSON) for one in bodies]
        try:
            return await asyncio.gather(*(worker.ask(one) for one in questions), return_exceptions=True)
        finally:
            worker.close()

    batches: list[tuple[int, int]] = []
    sent = [rows[number : number + 1 + number % 3] for number in range(40)]
    sent[7] = [rows[7] | {"plan": "gold"}]
    sent[20] = [rows[20] | {"since": "2013-02-31"}]
    found = asyncio.run(all_at_once([body(one, JSON) for one in sent]))
    assert str(found[20]) == "row 1: 'since' is '2013-02-31', allowed is a date as 2024-12-31."
    for number, one in enumerate(found):
        if number != 20:
            answer = json.loads(one[0])
            columns = {name: [row[name] for row in sent[number]] for name in rows[0]}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CellWarning)
                np.testing.assert_allclose(
                    [row["probability_yes"] for row in answer["predictions"]], model.predict_proba(columns)[:, 1], rtol=1e-4
                )
            assert len(answer["notes"]) == (number == 7)
    assert sum(requests for requests, _ in batches) == 39
    assert len(batches) < 39
