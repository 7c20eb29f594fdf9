"""The task, the classes, and the rows that are left to learn from."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from trainwell.data.schema import Schema, infer_schema, target_values, usable_rows
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError


def table(target) -> Table:
    return read_table({"x": np.random.default_rng(0).normal(size=len(target)), "y": target})


def infer(target, **options) -> tuple[Schema, list[str]]:
    schema, notes = infer_schema(table(target), "y", **options)
    return schema, [note.message for note in notes if note.column == "y"]


def positive(label: str) -> str:
    return f"y: the positive class is {label!r} (the class that sorts last)."


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (["No", "Yes"] * 20, ("No", "Yes")),
        ([1, 0] * 20, ("0", "1")),
        (["10", "9"] * 20, ("9", "10")),
        ([True, False] * 20, ("False", "True")),
        ([2.0, 1.0] * 20, ("1", "2")),
        (["  >50K", "<=50K "] * 20, ("<=50K", ">50K")),
    ],
)
def test_two_values_are_binary_and_the_last_is_positive(target, classes):
    schema, notes = infer(target)
    assert (schema.task, schema.classes) == ("binary", classes)
    assert notes == [positive(classes[1])]


def test_words_are_classes():
    schema, notes = infer(["b", "a", "c"] * 20)
    assert (schema.task, schema.classes, notes) == ("multiclass", ("a", "b", "c"), [])


def test_few_whole_numbers_that_come_often_are_classes_and_that_is_said():
    schema, notes = infer(list(range(3, 9)) * 20)
    assert (schema.task, schema.classes) == ("multiclass", ("3", "4", "5", "6", "7", "8"))
    assert notes == ["y holds 6 whole numbers: taken as classes (task regression takes them as a number)."]
    assert infer(list(range(3, 9)) * 20, task="regression")[0].task == "regression"


@pytest.mark.parametrize(
    "target", [list(range(21)) * 30, list(range(5)) * 19, [0.5, 1.0, 2.0] * 40, [f"{i / 7:.3f}" for i in range(50)]]
)
def test_other_numbers_are_quantities(target):
    schema, notes = infer(target)
    assert (schema.task, schema.classes, notes) == ("regression", (), [])


def test_rows_without_a_target_are_dropped_counted_and_said():
    target = ["a", None, "b", "?", "a", "b"] * 5
    schema, notes = infer(target)
    assert notes == ["10 rows have no y: dropped.", positive("b")]
    kept = usable_rows(table(target), schema)
    assert kept.dtype == np.int64
    assert kept.tolist() == [row for row in range(30) if target[row] in ("a", "b")]
    assert target_values(table(target).take(kept), schema).tolist() == [0, 1, 0, 1] * 5
    assert infer([*["a", "b"] * 6, None])[1][0] == "1 row has no y: dropped."


def test_rows_of_a_rare_class_are_dropped_and_said():
    target = ["a", "b", "c"] * 5 + ["d", "e", "e"]
    schema, notes = infer(target)
    assert schema.classes == ("a", "b", "c")
    assert notes == [
        "class 'e' of y has 2 rows, too few to train and test on: dropped.",
        "class 'd' of y has 1 row, too few to train and test on: dropped.",
    ]
    assert len(usable_rows(table(target), schema)) == 15


def test_infinite_and_unreadable_targets_are_dropped_and_said():
    target = [*map(str, np.linspace(0, 1, 60)), "inf", "soon"]
    schema, notes = infer(target)
    assert schema.task == "regression"
    assert notes == [
        "1 cell of 'y' is no number (for example 'soon' in row 62): dropped.",
        "1 cell of 'y' is infinite or too large (for example 'inf' in row 61): dropped.",
    ]
    assert usable_rows(table(target), schema).tolist() == list(range(60))


def test_two_classes_are_binary_whatever_was_asked_for():
    assert infer(["a", "b"] * 10, task="multiclass")[0].task == "binary"


def refused(target, **options) -> str:
    with pytest.raises(InputError) as caught:
        infer(target, **options)
    return str(caught.value)


def test_targets_that_cannot_be_learnt_are_refused():
    nothing = "there is nothing to learn."
    assert refused([None, "?"] * 10) == f"the target 'y' is missing in every row of dict; {nothing}"
    assert refused(["a"] * 20) == f"the target 'y' has one class only, 'a'; {nothing}"
    assert refused([5] * 20) == f"the target 'y' has one class only, '5'; {nothing}"
    assert refused([5] * 20, task="regression") == f"the target 'y' has one value only, 5, in dict; {nothing}"
    assert refused([np.inf] * 20, task="regression") == f"the target 'y' holds no finite number in dict; {nothing}"
    assert refused(["a"] * 20 + ["b"]) == "class 'b' of the target 'y' has 1 row; at least two classes need 3 rows each."
    assert refused(["a"] * 20 + ["b", "b"]) == "class 'b' of the target 'y' has 2 rows; at least two classes need 3 rows each."


def test_a_date_is_no_target():
    days = [datetime.date(2024, 1, 1 + i % 30) for i in range(60)]
    rule = "the target 'y' holds dates; allowed are numbers and classes (a duration in days is a number)."
    assert refused(days) == refused([str(day) for day in days]) == rule


def test_too_many_classes_are_refused():
    rule = "allowed are 1,000, and fewer than half the rows (is another column meant?)."
    assert refused([f"n{i}" for i in range(40)]) == f"the target 'y' has 40 classes in 40 rows; {rule}"
    assert refused([f"n{i}" for i in range(1001)] * 3) == f"the target 'y' has 1,001 classes in 3,003 rows; {rule}"


def test_a_task_that_does_not_fit_is_refused():
    assert refused(["a", "b", "c"] * 9, task="binary") == "the task 'binary' needs two classes, but 'y' has 3: 'a', 'b', 'c'."
    assert refused(["1", "b", "c"] * 9, task="regression") == (
        "the target 'y' is no number in row 2 ('b'); regression needs numbers, "
        "allowed tasks for classes are 'binary' and 'multiclass'."
    )


def test_a_new_table_with_a_wrong_target_is_refused():
    classes, _ = infer(["a", "b"] * 10)
    numbers, _ = infer(list(np.linspace(0, 1, 30)))
    for target, schema, says in (
        (["a", "B"], classes, "'y' in row 2 is 'B', allowed is one of 'a', 'b'."),
        (["a", None], classes, "'y' in row 2 is None, allowed is one of 'a', 'b'."),
        ([1.0, np.inf], numbers, "'y' in row 2 is inf, allowed is a finite number."),
    ):
        with pytest.raises(InputError) as caught:
            target_values(table(target), schema)
        assert str(caught.value) == says
    with pytest.raises(InputError, match=r"^dict has no column 'y', did you mean 'Y'\?$"):
        target_values(read_table({"Y": [1, 2]}), classes)


def test_cells_that_are_no_value_of_a_target_of_numbers_are_dropped_and_said():
    infinite = "of 'y' are infinite or too large (for example 'inf' in row {}): dropped."
    words = "4 cells of 'y' are no number (for example 'unknown' in row 121): dropped"
    schema, notes = infer(["0", "1"] * 60 + ["unknown"] * 4)
    assert (schema.task, schema.classes, schema.column("y").missing) == ("binary", ("0", "1"), 4)
    assert notes == [f"{words} (task multiclass takes them as classes).", positive("1")]
    assert len(usable_rows(table(["0", "1"] * 60 + ["unknown"] * 4), schema)) == 120
    schema, notes = infer([0.0, 1.0] * 20 + [np.inf, -np.inf, np.inf])
    assert (schema.task, schema.classes) == ("binary", ("0", "1"))
    assert notes == ["3 cells " + infinite.format(41), positive("1")]
    schema, notes = infer([0.0, 1.0, 2.0, 3.0, 4.0] * 30 + [np.inf] * 5)
    assert (schema.task, schema.classes) == ("multiclass", ("0", "1", "2", "3", "4"))
    assert notes[0] == "y holds 5 whole numbers: taken as classes (task regression takes them as a number)."
    assert notes[1] == "5 cells " + infinite.format(151)
    schema, notes = infer(["0", "1"] * 60 + ["unknown"] * 4, task="binary")
    assert (schema.classes, notes) == (("0", "1"), [f"{words}.", positive("1")])


def test_words_among_numbers_are_a_class_where_they_may_be_meant_as_one():
    assert infer(["0"] * 97 + ["bad"] * 3)[0].classes == ("0", "bad")
    assert infer(["0", "1"] * 60 + ["unknown"] * 4, task="multiclass")[0].classes == ("0", "1", "unknown")
    assert infer(["0", "1"] * 20 + ["unknown"] * 4)[0].classes == ("0", "1", "unknown")


def test_a_target_without_a_number_that_is_finite_is_refused():
    assert refused([np.inf] * 20) == "the target 'y' holds no finite number; there is nothing to learn."


def test_of_many_rare_classes_it_is_said_how_many_more_there_are():
    rare = [f"r{i:02d}" for i in range(23)]
    _, notes = infer(["a", "b"] * 20 + rare + rare[-1:])
    assert notes[0] == "class 'r22' of y has 2 rows, too few to train and test on: dropped."
    assert notes[20:] == ["3 more classes of y with 3 rows in all are as rare: dropped.", positive("b")]
    assert sum("too few" in note for note in notes) == 20


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.struct([("a", pa.int64())])])
def test_lists_and_structures_are_no_target_and_no_group(kind):
    cell = [1] if pa.types.is_list(kind) else {"a": 1}
    odd = pa.table({"x": np.arange(20.0), "y": pa.array([cell] * 20, kind), "z": ["a", "b"] * 10})
    with pytest.raises(InputError) as caught:
        infer_schema(read_table(odd), "y")
    assert str(caught.value) == (
        f"the target 'y' holds cells of the type {kind} in DataFrame; allowed are numbers and classes."
    )
    with pytest.raises(InputError) as caught:
        infer_schema(read_table(odd), "z", group="y")
    assert str(caught.value) == f"the group column 'y' holds cells of the type {kind}; allowed are text, numbers and dates."
