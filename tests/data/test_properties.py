"""Whatever the cells are: a table reads or is refused in a sentence, and what is encoded is finite."""

import contextlib
import csv
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainwell.data.encode import Encoder, fit_encoder
from trainwell.data.profile import profile
from trainwell.data.schema import Note, Schema, infer_schema, usable_rows
from trainwell.data.split import split_table
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError

CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "?", "NA", "yes", "no", "inf", "-1e400", "1,234", "1.234,5", "$5", "12%", "2024-02-30", "01/02/2024", '"', "a, b"]
    ),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
)


def read_file(content: bytes) -> Table | str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        path.write_bytes(content)
        try:
            return read_table(path)
        except InputError as problem:
            return str(problem)


def go_all_the_way(table: Table) -> None:
    with contextlib.suppress(InputError):  # a target that cannot be learnt
        schema, notes = infer_schema(table, -1)
        encode_all(table, schema, notes)


def encode_all(table: Table, schema: Schema, notes: tuple[Note, ...]) -> None:
    json.dumps(notes)
    table = table.take(usable_rows(table, schema))
    split = split_table(table, schema, seed=0)
    encoder = fit_encoder(table, schema, split.train)
    assert Encoder.from_json(encoder.to_json()) == encoder
    arrays = encoder.transform(table)
    assert np.isfinite(arrays.numeric).all()
    assert np.isfinite(arrays.target).all()
    assert arrays.numeric.shape == (table.rows, len(encoder.numeric_names))
    reverse = np.arange(table.rows)[::-1]
    np.testing.assert_array_equal(encoder.transform(table.take(reverse)).numeric, arrays.numeric[reverse])
    json.dumps(profile(table, schema), allow_nan=False)


def assert_read_or_refused(content: bytes) -> None:
    found = read_file(content)
    if isinstance(found, str):
        assert found[-1] in ".?)"
        assert "\n" not in found
    else:
        assert found.rows


@given(st.binary(max_size=200))
@example(b"\xa0")  # a blank, but none that bytes.strip() knows
@settings(max_examples=200)
def test_any_bytes_read_or_are_refused(content):
    assert_read_or_refused(content)


@given(st.text(alphabet="ab1.,;\t|\"' \n\r-/é?", max_size=80))
@settings(max_examples=120)
def test_any_text_reads_or_is_refused(content):
    assert_read_or_refused(content.encode())


@given(st.lists(st.lists(st.text(alphabet='abc12.,;|"\n\té ', max_size=6), min_size=3, max_size=3), min_size=3, max_size=12))
@settings(max_examples=200)
def test_a_written_table_reads_as_it_was_written(rows):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["first", "second", "third"], *rows])
    table = read_file(text.getvalue().encode())
    assert isinstance(table, Table)
    stripped = [[cell.strip() for cell in row] for row in rows]
    found = list(zip(*table.frame.to_pydict().values(), strict=True))
    assert [[cell or "" for cell in row] for row in found] == [
        [cell if cell not in (".", "-") else "" for cell in row] for row in stripped
    ]


@given(
    column=st.lists(CELLS, min_size=12, max_size=40),
    target=st.one_of(
        st.lists(st.sampled_from(["a", "b", "c", None]), min_size=12, max_size=12),
        st.lists(st.floats(-1e6, 1e6), min_size=12, max_size=12),
        st.lists(CELLS, min_size=12, max_size=12),
    ),
    repeats=st.integers(1, 4),
)
@settings(max_examples=120)
def test_any_cells_are_encoded_finite_or_refused(column, target, repeats):
    column, target = column * repeats, target * 4 * repeats
    rows = len(column)
    table = read_table({"cells": column, "few": [cell[:1] for cell in column], "n": np.arange(rows) ** 1.5, "y": target[:rows]})
    go_all_the_way(table)


@example([65520.0] * 2 + [0.0] * 3 + [65520.0] * 3 + [3.402823466385289e38] * 3 + [65520.0] * 2, 2)  # infinite in float16
@example(
    [0.0, 2.2250738585072014e-308, 4.0] + [0.0] * 9, 0
)  # two values in the rows that are trained on, too close to divide by
@given(st.lists(st.floats(width=64), min_size=12, max_size=60), st.integers(0, 3))
@settings(max_examples=150)
def test_any_numbers_are_encoded_finite(numbers, kind):
    with np.errstate(over="ignore"):
        array = np.array(numbers).astype([np.float64, np.float32, np.float16, np.float64][kind])
    with_target = np.arange(len(numbers)) % 3 if kind < 2 else numbers[::-1]
    go_all_the_way(read_table({"x": array, "z": np.sqrt(np.arange(len(numbers))), "y": with_target}))
