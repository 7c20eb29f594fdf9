"""Groups and clocks: which columns look so, and by how much a random split flatters."""

import numpy as np
import pytest

from trainwell.data.groups import before_number
from trainwell.data.schema import group_values, infer_schema
from trainwell.data.split import split_table
from trainwell.data.tables import read_table
from trainwell.errors import InputError
from trainwell.inspection import candidates
from trainwell.inspection.groups_and_time import compare, remark_of, rows_to_compare
from trainwell.inspection.inspect import inspect
from trainwell.inspection.inspected import read

RANDOM = np.random.default_rng(1)
GROUPS, EACH = 40, 25
ROWS = GROUPS * EACH


def patients() -> dict:
    """What is measured of a patient is nearly the same each time, and says nothing of what is asked, which is the patient's."""
    patient = np.repeat(np.arange(GROUPS), EACH)
    voice = RANDOM.normal(size=(GROUPS, 3))[patient] + 0.05 * RANDOM.normal(size=(ROWS, 3))
    score = RANDOM.normal(20, 8, GROUPS)[patient] + 0.2 * RANDOM.normal(size=ROWS)
    return {"patient": patient, "a": voice[:, 0], "b": voice[:, 1], "c": voice[:, 2], "score": score}


@pytest.fixture(scope="module")
def found(subject):
    return inspect(subject(patients(), "score"))


def test_a_random_split_by_patients_is_found_to_flatter_and_the_option_is_named(found):
    (one,) = found.compared
    assert (one.column, one.kind, one.metric, one.alarm) == ("patient", "group", "R²", True)
    assert one.random > 0.9 > 0.3 > one.apart
    (remark,) = [remark for remark in found.remarks if remark.kind == "groups"]
    assert remark.weight == "warn"
    assert remark.action == "Split with --group 'patient', if the model shall predict other groups."


def test_a_split_that_goes_by_the_group_already_needs_no_comparison(subject):
    assert inspect(subject(patients(), "score", group="patient")).compared == ()


def test_groups_that_say_nothing_of_each_other_raise_no_alarm(subject):
    x = RANDOM.normal(size=ROWS)
    table = {"unit": np.repeat(np.arange(GROUPS), EACH), "x": x, "y": np.sin(2 * x) + 0.1 * RANDOM.normal(size=ROWS)}
    (one,) = inspect(subject(table, "y")).compared
    assert (one.column, one.alarm) == ("unit", False)
    assert one.apart == pytest.approx(one.random, abs=0.05)


def looks_like_groups(subject, **columns) -> list[tuple[str, str]]:
    made = subject({"x": RANDOM.normal(size=ROWS), **columns, "y": RANDOM.normal(size=ROWS)}, "y")
    inspected = read(made.table, made.schema, np.arange(ROWS))
    return [(one.name, one.why) for one in candidates.groups(made.table, made.schema, inspected)]


def test_what_looks_like_a_group(subject):
    shuffled = RANDOM.permutation(np.repeat(np.arange(GROUPS), EACH))
    assert looks_like_groups(subject, k=np.repeat(np.arange(GROUPS), EACH)) == [
        ("k", "rows with the same value stand together")
    ]
    assert looks_like_groups(subject, subject_no=shuffled) == [("subject_no", "its name says so")]
    age, height = RANDOM.integers(20, 30, GROUPS)[shuffled], RANDOM.integers(150, 165, GROUPS)[shuffled]
    assert looks_like_groups(subject, k=shuffled, age=age, height=height) == [
        ("k", "other features never change within one of its values")
    ]
    assert looks_like_groups(subject, k=shuffled, age=age) == []
    assert looks_like_groups(subject, k=shuffled) == []
    assert looks_like_groups(subject, paid=RANDOM.integers(0, 2, ROWS), site=RANDOM.normal(size=ROWS)) == []


def test_labels_that_are_a_name_and_a_number_are_groups_by_the_name(subject):
    names = [f"m{mouse}_{turn}" for mouse in range(GROUPS) for turn in range(EACH)]
    assert looks_like_groups(subject, mouse=names) == [
        ("mouse", "its values are a name and a number, and the names come again")
    ]


@pytest.mark.parametrize("labels", [["a_1", "a_1", "b_1"], ["a_1", "b_1", "c_1"], ["a", "b_1", "b_2"], ["1_", "_1", "-1"], []])
def test_other_labels_are_not(labels):
    assert before_number(read_table({"x": [*labels, None]}).column("x")) is None


def test_a_group_column_of_numbered_names_splits_by_the_names():
    names = [f"{mouse}_{turn}" for mouse in range(30) for turn in range(10)]
    table = read_table({"mouse": names, "x": RANDOM.normal(size=300), "y": RANDOM.normal(size=300)})
    schema, notes = infer_schema(table, "y", group="mouse")
    assert len(np.unique(group_values(table, schema))) == 30
    assert "every mouse is another, but of the form '0_0': a group is what stands before the last number." in [
        note.message for note in notes
    ]
    split = split_table(table, schema, seed=0)
    mice = np.array([name.split("_")[0] for name in names])
    assert not set(mice[split.train]) & set(mice[split.test])
    few = read_table({"mouse": [f"{row % 2}_{row}" for row in range(40)], "x": list(range(40)), "y": RANDOM.normal(size=40)})
    of_two, _ = infer_schema(few, "y", group="mouse", numbers=["x"])
    with pytest.raises(InputError, match="there are 2 different groups"):
        split_table(few, of_two, seed=0)


def test_what_drifts_in_time_is_predicted_worse_later_and_the_option_is_named(subject):
    day = np.datetime64("2024-01-01") + np.sort(RANDOM.integers(0, 700, ROWS)).astype("timedelta64[D]")
    counter = np.arange(ROWS) + RANDOM.normal(size=ROWS)
    table = {"day": day, "x": RANDOM.normal(size=ROWS), "counter": counter, "y": np.sin(counter / 60)}
    made = subject(table, "y")
    (clock,) = candidates.clocks(made.table, made.schema)
    split_by_it, _ = infer_schema(made.table, "y", time="day")
    assert candidates.clocks(made.table, split_by_it) == []
    assert (clock.name, clock.why) == ("day", "it holds dates")
    part = read(made.table, made.schema, rows_to_compare(clock, np.arange(ROWS), 0))
    compared = compare(part, clock, 0)
    assert compared.alarm
    assert remark_of(compared).action == "Split with --time 'day', if the model shall predict what is to come."


def test_two_columns_that_tell_the_same_time_are_one_clock():
    times = np.arange(100.0)
    first, second = (candidates.Candidate(name, "time", times, why) for name, why in (("n", "grows"), ("d", candidates.DATES)))
    other = candidates.Candidate("o", "time", RANDOM.permutation(times), candidates.DATES)
    assert [one.name for one in candidates.different([first, second, other])] == ["d", "o"]
