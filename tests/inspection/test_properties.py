"""Whatever a table holds, an inspection ends, says finite figures, and its texts are what they were given as."""

import dataclasses
import json
import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainwell.errors import InputError
from trainwell.inspection import drift, labels, leaks, missing, outliers, parts_of_target
from trainwell.inspection.inspect import inspect
from trainwell.inspection.inspected import Inspected
from trainwell.inspection.remarks import MOST_LETTERS, quoted, short

CELLS = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(["", "a", "b", "<b>", "=1+1", "3.5", "2024-01-01", "x_1", "x_2", "\U0001f600"]),
)
NAMES = st.one_of(
    st.text(min_size=1, max_size=8), st.sampled_from(["<script>", "=SUM(A1)", "'", '"', "\U0001f600", "n" * 10_000])
)


@st.composite
def tables(draw) -> dict:
    rows = draw(st.integers(10, 60))
    kinds = st.one_of(
        st.lists(CELLS, min_size=rows, max_size=rows),
        st.sampled_from([list(range(rows)), [1] * rows, [None] * rows, [f"id {row}" for row in range(rows)]]),
        st.integers(1, 4).map(lambda levels: [row % levels for row in range(rows)]),
        st.sampled_from([0.1, 1e30, 1e-30]).map(lambda scale: (scale * np.random.default_rng(0).normal(size=rows)).tolist()),
    )
    columns = draw(st.dictionaries(NAMES.filter(lambda name: name.strip() and name != "y"), kinds, min_size=1, max_size=5))
    return columns | {"y": draw(kinds)}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(table=tables())
def test_every_table_that_is_no_mistake_is_inspected_to_the_end(subject, table):
    try:
        made = subject(table, "y")
    except InputError:
        return
    found = inspect(made)
    assert {name for remark in found.remarks for name in remark.columns} <= set(made.table.columns)
    for remark in found.remarks:
        assert remark.says[0].isupper() or not remark.says[0].isalpha()
        assert remark.says.endswith(".")
        assert len(remark.says) < 1000
    finite(dataclasses.asdict(found))


def finite(plain) -> None:
    """Every figure can be written as JSON: no NaN, no infinity."""
    if isinstance(plain, dict):
        plain = list(plain.values())
    if isinstance(plain, list | tuple):
        for one in plain:
            finite(one)
    elif isinstance(plain, float):
        assert math.isfinite(plain)
    else:
        json.dumps(plain)


@settings(max_examples=30)
@given(
    st.integers(1, 30), st.integers(0, 3), st.sampled_from(["binary", "multiclass", "regression"]), st.integers(0, 2**31),
    st.sampled_from(["constant", "missing", "huge", "noise"]),
)  # fmt: skip
def test_a_single_row_one_class_and_nothing_but_gaps_are_no_reason_to_fail(rows, columns, task, seed, kind):
    random = np.random.default_rng(seed)
    values = {
        "constant": np.ones((rows, columns)),
        "missing": np.full((rows, columns), np.nan),
        "huge": 1e38 * random.normal(size=(rows, columns)),
        "noise": np.where(random.random((rows, columns)) < 0.3, np.nan, random.normal(size=(rows, columns))),
    }[kind]
    target = (
        random.normal(size=rows)
        if task == "regression"
        else random.integers(0, 1 + seed % (2 if task == "binary" else 3), rows).astype(np.int32)
    )
    made = Inspected(tuple("abc"[:columns]), values, np.zeros(columns, bool), target, task, np.arange(rows))
    found = [
        leaks.alone(made, "score", 0), leaks.copies_of_the_target(made), parts_of_target.parts_of_the_target(made),
        missing.find(made), outliers.spreads(made), outliers.pairs(made), labels.find(made, 0), drift.find(made, made, 0),
    ]  # fmt: skip
    for one in found:
        finite(dataclasses.asdict(one) if dataclasses.is_dataclass(one) else [])
    assert len(found) == 8


@given(st.lists(st.text(max_size=200), min_size=1, max_size=12))
def test_names_in_sentences_are_short_and_whole_where_they_can_be(names):
    assert all(len(short(name)) <= MOST_LETTERS for name in names)
    assert all(short(name) == name for name in names if len(name) <= MOST_LETTERS)
    assert len(quoted(names)) <= 10 * MOST_LETTERS * 6
