"""What each column is for, what is said about it, and how it is overruled."""

import datetime
import json

import numpy as np
import pytest

from trainwell.data.schema import Schema, group_values, infer_schema, time_values, usable_rows
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError

ROWS = 200
RANDOM = np.random.default_rng(0)
TARGET = ["yes", "no"] * (ROWS // 2)
FEATURE = RANDOM.normal(size=ROWS)


def table(**columns) -> Table:
    return read_table({"feature": FEATURE, **columns, "y": TARGET}, name="t")


def look(name: str, column, **options) -> tuple[str, list[str]]:
    """Role of one column beside a good feature and a good target, and what was said about it."""
    schema, notes = infer_schema(table(**{name: column}), "y", **options)
    return schema.column(name).role, [note.message for note in notes if note.column == name]


def test_numbers_are_numeric_and_words_are_categories():
    assert look("x", RANDOM.normal(size=ROWS)) == ("numeric", [])
    assert look("x", [str(number) for number in RANDOM.integers(5, size=ROWS)]) == ("numeric", [])
    assert look("x", ["a", "b", "c", "d"] * 50) == ("category", [])
    assert look("x", [True, False] * 100) == ("category", [])


def test_the_levels_of_a_category_are_listed_the_commonest_first():
    schema, _ = infer_schema(table(x=["b"] * 60 + ["c"] * 40 + ["a"] * 40 + ["d"] * 50 + [None] * 10), "y")
    assert schema.column("x").levels == ("b", "d", "a", "c")
    assert (schema.column("x").missing, schema.column("x").distinct) == (10, 4)


def test_few_cells_that_are_no_number_are_missing_and_said():
    texts = [str(number) for number in range(5, ROWS)] + ["abc", "x", "7", "7", "?"]
    assert look("age", texts) == (
        "numeric",
        ["2 cells of 'age' are no number (for example 'abc' in row 196): treated as missing."],
    )
    assert look("age", texts[:-4] + ["8"] * 4)[1] == [
        "1 cell of 'age' is no number (for example 'abc' in row 196): treated as missing."
    ]


def test_infinities_are_missing_and_said():
    numbers = [*RANDOM.normal(size=ROWS - 2), np.inf, -np.inf]
    assert look("x", numbers) == (
        "numeric",
        ["2 cells of 'x' are infinite or too large (for example 'inf' in row 199): treated as missing."],
    )


def test_numbers_with_units_are_read_and_said():
    prices = [f"${number},500" for number in RANDOM.integers(1, 99, ROWS)]
    assert look("price", prices) == ("numeric", [f"price holds numbers written like {prices[0]!r}: read as such."])


def test_dates_are_dates_and_ambiguous_ones_are_said():
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(int(day)) for day in RANDOM.integers(300, size=ROWS)]
    assert look("when", days) == ("date", [])
    assert look("when", [str(day) for day in days[:-3]] + ["soon", "soon", ""]) == (
        "date",
        ["2 cells of 'when' are no date (for example 'soon' in row 198): treated as missing."],
    )
    assert look("when", [f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(ROWS)]) == (
        "date",
        ["when reads as month/day/year, but day and month could be exchanged: write dates as 2024-12-31."],
    )


def test_rows_that_are_numbered_are_identified():
    sequence = ["whole numbers in sequence, one for each row"]
    for numbers in (range(1, ROWS + 1), RANDOM.permutation(ROWS), [str(number) for number in range(ROWS)]):
        assert look("x", list(numbers)) == ("identifier", [f"x looks like an identifier ({sequence[0]}): ignored."])


def test_a_few_rows_in_sequence_are_no_evidence():
    few = read_table({"x": range(19), "feature": FEATURE[:19], "y": TARGET[:19]})
    assert infer_schema(few, "y")[0].column("x").role == "numeric"


@pytest.mark.parametrize("name", ["id", "ID", "customer_id", "PassengerId", "userID", "row.id", "UDI", "Unnamed: 0"])
def test_a_name_helps_to_identify(name):
    numbers = RANDOM.choice(10**6, ROWS, replace=False)
    rule = "a different whole number in each row and a name that says so"
    assert look(name, numbers) == ("identifier", [f"{name} looks like an identifier ({rule}): ignored."])


@pytest.mark.parametrize("name", ["paid", "width", "idle", "valid", "x"])
def test_other_names_do_not(name):
    assert look(name, RANDOM.choice(10**6, ROWS, replace=False))[0] == "numeric"


def test_a_measurement_is_no_identifier():
    assert look("id", RANDOM.normal(size=ROWS))[0] == "numeric"
    assert look("id", RANDOM.integers(50, size=ROWS))[0] == "numeric"


def test_texts_that_are_nearly_all_different_are_identifiers():
    assert look("code", [f"A-{i}" for i in range(ROWS)]) == (
        "identifier",
        ["code looks like an identifier (200 different values in 200 rows): ignored."],
    )
    assert look("code", [f"A-{i % 101}" for i in range(ROWS)])[0] == "identifier"
    assert look("code", [f"A-{i % 100}" for i in range(ROWS)])[0] == "category"


def test_long_different_texts_are_free_text():
    assert look("review", [f"this is what customer {i} wrote to us" for i in range(ROWS)]) == (
        "text",
        ["review is free text: ignored."],
    )
    assert look("plan", [f"the plan of {5 + i % 3} gigabytes a month" for i in range(ROWS)])[0] == "category"


def test_constants_and_empty_columns_are_ignored():
    assert look("x", [3] * ROWS) == ("constant", ["x is constant (it is '3' in every row): ignored."])
    assert look("x", ["a"] * ROWS) == ("constant", ["x is constant (it is 'a' in every row): ignored."])
    assert look("x", ["2024-01-01"] * ROWS)[0] == "constant"
    assert look("x", [None, "?"] * 100) == ("ignored", ["x is of no use (every cell is missing): ignored."])
    assert look("x", [np.inf] * ROWS)[0] == "ignored"
    assert look("x", [np.inf] * ROWS)[1][-1] == "x is of no use (no cell holds a finite number): ignored."
    assert look("x", [[1, 2]] * ROWS) == ("ignored", ["x is of no use (its cells are of the type list<item: int64>): ignored."])


def test_one_value_or_nothing_is_information():
    assert look("pool", ["yes", None] * 100)[0] == "category"
    assert look("pool", [1, None] * 100)[0] == "numeric"


def test_a_copy_of_another_column_is_ignored():
    assert look("copy", FEATURE) == ("ignored", ["copy repeats feature in every row: ignored."])
    schema, _ = infer_schema(
        table(a=["x", "z", None, "z"] * 50, b=["x", "z", None, "z"] * 50, c=["x", None, "z", "z"] * 50), "y"
    )
    assert [schema.column(name).role for name in "abc"] == ["category", "ignored", "category"]


def test_very_many_categories_are_said():
    names = [f"c{i}" for i in range(1500)] * 3
    small = read_table({"feature": RANDOM.normal(size=4500), "city": names, "y": ["a", "b"] * 2250})
    schema, notes = infer_schema(small, "y")
    assert schema.column("city").role == "category"
    assert schema.column("city").levels is None
    assert [note.message for note in notes if note.column == "city"] == [
        "city has 1,500 categories: the commonest are told apart, the rest share one place."
    ]


def test_every_inference_can_be_overruled():
    codes = RANDOM.integers(4, size=ROWS)
    assert look("code", codes, categories=["code"]) == ("category", [])
    assert look("code", codes, ignore=["code"]) == ("ignored", [])
    assert look("code", codes, group="code") == ("group", [])
    assert look("code", codes, time="code") == ("time", [])
    assert look("code", range(ROWS), numbers=["code"]) == ("numeric", [])
    assert look("code", [f"A{i}" for i in range(ROWS)], categories="code") == ("category", [])


def refused(target="y", columns=None, **options) -> str:
    with pytest.raises(InputError) as caught:
        infer_schema(table(**(columns or {})), target, **options)
    return str(caught.value)


def test_misspelt_columns_get_their_nearest_name():
    assert refused("Y2", {"churn": TARGET}) == "dict has no column 'Y2' to predict, did you mean 'y'?"
    assert refused("zebra") == "dict has no column 'zebra' to predict; its columns are 'feature', 'y'."
    assert refused(7) == "the target is column 7, but dict has 2 columns (0 is the first)."
    for option in ("ignore", "categories", "numbers"):
        assert refused(**{option: ["faeture"]}) == f"{option} names 'faeture', which dict has not, did you mean 'feature'?"
    for option in ("group", "time"):
        assert refused(**{option: "faeture"}) == f"{option} names 'faeture', which dict has not, did you mean 'feature'?"


def test_a_target_may_be_given_by_position():
    assert infer_schema(table(), -1)[0].target == "y"
    assert infer_schema(table(), 1)[0].target == "y"


def test_contradictions_are_refused():
    assert refused(ignore=["y"]) == "ignore names 'y', which is the target already."
    assert refused(ignore=["feature"], group="feature") == "group names 'feature', which is named in ignore already."
    assert refused(columns={"g": TARGET}, group="g", time="feature") == (
        "group and time are both given; a split is either by group or by time, leave one out."
    )
    assert refused(task="regresion") == (
        "the task is 'regresion', did you mean 'regression'? allowed is one of 'binary', 'multiclass', 'regression'."
    )


def test_a_time_must_be_a_number_or_a_date():
    assert refused(columns={"when": ["soon"] * ROWS}, time="when") == (
        "the time column 'when' holds neither numbers nor dates (for example 'soon'); write dates as 2024-12-31."
    )


def test_a_table_without_features_is_refused():
    assert refused(ignore=["feature"]) == "dict has no column to learn 'y' from; left out are 'feature (ignored)'."
    with pytest.raises(InputError, match=r"^dict has no column to learn 'y' from; it has no other column\.$"):
        infer_schema(read_table({"y": TARGET}), "y")


@pytest.mark.parametrize(("rows", "without", "words"), [(1, 0, "1 row"), (9, 0, "9 rows"), (12, 3, "9 rows with a target")])
def test_too_few_rows_are_refused(rows, without, words):
    target = [*RANDOM.normal(size=rows - without), *[None] * without]
    with pytest.raises(InputError) as caught:
        infer_schema(read_table({"x": FEATURE[:rows], "y": target}), "y")
    assert str(caught.value) == f"dict has {words}; at least 10 are needed to train and test."


def test_rows_without_time_are_dropped_and_rows_without_group_are_one_group():
    made = table(when=["2024-01-01", None, "2023-01-01", "later"] + ["2022-01-01"] * 196, who=["a", None, "b", None] * 50)
    schema, notes = infer_schema(made, "y", time="when", ignore=["who"])
    assert ("when", "2 rows have no when to split by: dropped.") in notes
    kept = made.take(usable_rows(made, schema))
    assert kept.rows == 198
    times = time_values(kept, schema)
    assert times is not None
    assert times[0] - times[1] == 365 * 86400
    schema, _ = infer_schema(made, "y", group="who", ignore=["when"])
    groups = group_values(made, schema)
    assert groups is not None
    assert len(set(groups[[1, 3, 5, 7]])) == 1
    assert len(set(groups)) == 3


def test_a_schema_comes_back_from_json():
    schema, _ = infer_schema(table(x=["a", None] * 100), "y")
    state = schema.to_json()
    assert Schema.from_json(json.loads(json.dumps(state))) == schema
    assert Schema.from_json(json.dumps(state)) == schema


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop("task"), "the schema is damaged or was changed: task: Field required."),
        (lambda state: state.update(task="guess"), "task: Input should be 'binary', 'multiclass' or 'regression'."),
        (lambda state: state.update(target="x"), "no single column has the role of the target 'x'."),
        (lambda state: state.update(classes=["a"]), "1 classes do not fit the task 'binary'."),
        (lambda state: state.update(classes=["a", "a"]), "2 classes do not fit the task 'binary'."),
        (lambda state: state.update(run="rm"), "run: Unexpected keyword argument."),
        (lambda state: state["columns"][0].update(missing="3"), "columns.0.missing: Input should be a valid integer."),
        (lambda state: state["columns"][0].update(role="boss"), "columns.0.role: Input should be 'numeric', "),
        (lambda state: state["columns"][0].pop("name"), "columns.0.name: Field required."),
    ],
)
def test_a_changed_schema_is_refused(change, says):
    state = infer_schema(table(), "y")[0].to_json()
    change(state)
    with pytest.raises(InputError) as caught:
        Schema.from_json(state)
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", b"\xff"])
def test_what_is_no_schema_is_refused(text):
    with pytest.raises(InputError, match=r"^the schema is damaged or was changed: the whole: "):
        Schema.from_json(text)
