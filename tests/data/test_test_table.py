"""A given test table: below the other as if both were one file, refused in a sentence where it cannot serve."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trainwell.data.schema import infer_schema, usable_rows
from trainwell.data.tables import Table, read_table
from trainwell.data.test_table import check_test_rows, joined, notes_of_test
from trainwell.errors import InputError

OWN = {"size": [1, 2, 3], "colour": ["red", "blue", None], "y": ["a", "b", "a"]}
GIVEN = {"size": [4, 5], "colour": ["red", "green"], "y": ["b", "b"]}


def files(tmp_path, own: str, given: str) -> tuple[Table, Table]:
    (tmp_path / "train.csv").write_text(own)
    (tmp_path / "test.csv").write_text(given)
    return read_table(tmp_path / "train.csv"), read_table(tmp_path / "test.csv")


def both(own: dict, given: dict) -> dict[str, list]:
    return joined(read_table(own), read_table(given))[0].frame.to_pydict()


def refused(own: Table, given: Table) -> str:
    with pytest.raises(InputError) as caught:
        joined(own, given)
    return str(caught.value)


def test_the_rows_come_below_the_others_and_it_is_said_which_they_are():
    table, of_test = joined(read_table(OWN), read_table(GIVEN))
    assert table.frame.to_pydict() == {
        "size": [1, 2, 3, 4, 5], "colour": ["red", "blue", None, "red", "green"], "y": ["a", "b", "a", "b", "b"]
    }  # fmt: skip
    assert of_test.tolist() == [False] * 3 + [True] * 2


def test_the_order_of_columns_does_not_matter_and_other_columns_are_passed_over():
    turned = {name: GIVEN[name] for name in reversed(GIVEN)} | {"more": [0, 0]}
    assert both(OWN, turned) == both(OWN, GIVEN)


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        ([1, 2], [0.5], [1.0, 2.0, 0.5]),
        (np.array([1, 2], np.int8), np.array([300], np.int64), [1, 2, 300]),
        (np.array([0.5], np.float32), np.array([0.25]), [0.5, 0.25]),
        ([1.0, 2.5, None], ["unknown"], ["1", "2.5", None, "unknown"]),
        (["3", "x"], [3], ["3", "x", "3"]),
        ([True, False], ["True"], ["True", "False", "True"]),
        ([1.5, 2.0], [None, None], [1.5, 2.0, None, None]),
        (np.array([2**63 + 5], np.uint64), [7], [str(2**63 + 5), "7"]),
    ],
)
def test_columns_of_two_types_become_one_that_holds_both(own, given, expected):
    assert both({"x": own}, {"x": given}) == {"x": expected}


def test_dates_of_two_resolutions_stay_dates():
    first, second = (
        pd.DataFrame({"day": pd.to_datetime(["2024-02-03"]).astype(f"datetime64[{unit}]")}) for unit in ("s", "ns")
    )
    table, _ = joined(read_table(first), read_table(second))
    assert pa.types.is_timestamp(table.column("day").type)
    assert len(set(table.column("day").to_pylist())) == 1


@pytest.mark.parametrize("given", [pd.Categorical(["7", "9"]), ["7", "9"], [7, 9]])
def test_a_column_of_categories_stays_one_whatever_the_other_table_holds(given):
    own = pd.DataFrame({"code": pd.Categorical(["7", "8", "8"])})
    table, _ = joined(read_table(own), read_table(pd.DataFrame({"code": given})))
    assert pa.types.is_dictionary(table.column("code").type)
    assert table.column("code").to_pylist() == ["7", "8", "8", "7", "9"]


def test_cells_that_no_type_holds_are_refused():
    own, given = read_table({"x": [1, 2]}), read_table({"x": [[1], [2]]})
    assert refused(own, given) == "column 'x' holds cells of the type list<item: int64> in dict, but dict holds int64 there."


def test_missing_columns_are_named_in_one_sentence_each_with_its_nearest_spelling(tmp_path):
    own, given = files(tmp_path, "size,colour,weight,y\n1,red,3,a\n", "size,color,mass,y\n1,red,3,a\n")
    assert refused(own, given) == (
        f"{given.source} lacks 2 columns of {own.source}: 'colour', did you mean 'color'?; 'weight'."
    )  # fmt: skip
    own, given = files(tmp_path, "size,colour,y\n1,red,a\n", "size,color,y\n1,red,a\n")
    assert refused(own, given) == f"{given.source} lacks a column of {own.source}: 'colour', did you mean 'color'?"


def test_a_test_table_without_the_target_is_refused():
    given = {name: cells for name, cells in GIVEN.items() if name != "y"}
    assert refused(read_table(OWN), read_table(given)) == "dict lacks a column of dict: 'y'."


def test_of_very_many_missing_columns_ten_are_named():
    own = read_table({f"c{i}": [1] for i in range(30)} | {"y": [1]})
    assert refused(own, read_table({"y": [1]})).endswith("'c9' and 20 more.")


def test_a_table_without_rows_is_refused():
    given = read_table(GIVEN).take(np.array([], int))
    assert refused(read_table(OWN), given) == "dict has no rows to test on."


def test_rows_are_called_by_their_number_in_their_own_file(tmp_path):
    own, given = files(tmp_path, "x,y\n1,a\n2,b\n3,a\n", "y,x\nb,4\nb,oops\n")
    table, _ = joined(own, given)
    assert [table.row_number(i) for i in range(5)] == [2, 3, 4, 2, 3]
    assert [table.row_name(i) for i in (0, 4)] == ["2", f"3 of {given.source}"]
    assert table.take(np.array([4, 1])).row_name(0) == f"3 of {given.source}"
    assert table.take(np.array([4, 1])).row_name(1) == "3"


def test_a_cell_that_cannot_be_read_is_said_with_its_file(tmp_path):
    lines = "".join(f"{i}.5,{'ab'[i % 2]}\n" for i in range(40))
    own, given = files(tmp_path, "x,y\n" + lines, "x,y\n1.5,a\noops,b\n")
    table, _ = joined(own, given)
    notes = infer_schema(table, "y")[1]
    assert any(f"no number (for example 'oops' in row 3 of {given.source})" in note.message for note in notes)


def test_notes_of_the_test_table_say_whose_they_are(tmp_path):
    own, given = files(tmp_path, "x,y\n1,a\n2,b\n", "x,y\n?,a\n2,b\n")
    table, _ = joined(own, given)
    assert given.notes
    assert table.notes == (*own.notes, *(f"{given.source}: {note}" for note in given.notes))


def usable(own: dict, given: dict, **options):
    """(usable rows of both, which of them test, the schema) as a run has them."""
    table, of_test = joined(read_table(own, name="own"), read_table(given, name="given"))
    schema = infer_schema(table, "y", **options)[0]
    rows = usable_rows(table, schema)
    return table.take(rows), of_test[rows], schema


def problem(own: dict, given: dict, **options) -> str:
    with pytest.raises(InputError) as caught:
        check_test_rows(*usable(own, given, **options))
    return str(caught.value)


X = np.random.default_rng(0).normal(size=100).round(3).tolist()
TWENTY = {"x": X[:20], "y": ["a", "b"] * 10}


def test_test_rows_that_can_serve_pass():
    checked = usable(TWENTY, {"x": X[20:26], "y": ["a", "b", "b"] * 2})
    check_test_rows(*checked)
    notes = notes_of_test(*checked)
    assert [note.message for note in notes] == ["6 rows of dict are the test rows; they train and choose nothing."]


def test_test_rows_that_cannot_serve_are_refused_and_never_passed_over():
    assert problem(TWENTY, {"x": X[20:23], "y": [None] * 3}) == (
        "dict has no row with a y that can be learnt: there is nothing to test on."
    )
    assert problem(TWENTY, {"x": X[20:26], "y": ["a", "b", "c"] * 2 + []} | {"x": X[20:29], "y": ["a", "b", "c"] * 3}) == (
        "class 'c' of 'y' has no row in dict but others in dict; at least 2 are needed, one each to train and validate."
    )
    assert problem(TWENTY | {"y": ["a"] * 19 + ["b"]}, {"x": X[20:26], "y": ["a", "b"] * 3}).startswith(
        "class 'b' of 'y' has 1 row in dict but others in dict"
    )
    assert problem(TWENTY, {"x": X[20:23], "y": ["a"] * 3}) == (
        "dict has rows of one class only, 'a' in 'y', which measure nothing: give test rows of two classes at least."
    )
    assert problem({"x": X[:6], "y": ["a", "b"] * 3}, {"x": X[20:30], "y": ["a", "b"] * 5}) == (
        "dict has 6 rows with a target; at least 10 are needed to train."
    )


def test_a_group_that_is_in_both_tables_is_said():
    own = TWENTY | {"who": [f"p{i // 2}" for i in range(20)]}
    for names, told in ((["p1", "new"], "1 value of it is"), (["p1", "p2"], "2 values of it are")):
        checked = usable(own, {"x": X[20:24], "y": ["a", "b"] * 2, "who": names * 2}, group="who")
        notes = notes_of_test(*checked)
        assert notes[1].column == "who"
        assert notes[1].message == f"who: {told} in dict and in dict: the test says less of new groups than of these."
    checked = usable(own, {"x": X[20:24], "y": ["a", "b"] * 2, "who": ["new", "newer"] * 2}, group="who")
    assert len(notes_of_test(*checked)) == 1


def test_test_rows_that_are_not_later_than_all_others_are_said():
    own = TWENTY | {"when": list(range(20))}
    late = {"x": X[20:24], "y": ["a", "b"] * 2, "when": [20, 21, 22, 23]}
    assert len(notes_of_test(*usable(own, late, time="when"))) == 1
    notes = notes_of_test(*usable(own, late | {"when": [19, 21, 3, 23]}, time="when"))
    assert (
        notes[1].message == "when: of dict 2 rows are not later than the last of dict: the test says less of what is to come."
    )


@pytest.mark.parametrize("unit", [["cm"] * 3, [7, 7, 7], pd.Categorical(["cm"] * 3)])
def test_columns_that_are_ignored_or_hold_one_value_may_be_left_out_of_the_test(unit):
    own = read_table(pd.DataFrame({**OWN, "unit": unit, "alive": ["yes", "no", "yes"]}))
    assert refused(own, read_table(GIVEN)) == "dict lacks a column of DataFrame: 'alive'."
    table, of_test = joined(own, read_table(GIVEN), ["alive"])
    assert of_test.sum() == 2
    assert table.column("alive").to_pylist() == ["yes", "no", "yes", None, None]
    assert table.column("unit").to_pylist() == [unit[0]] * 5
    mixed = read_table({"size": [1], "colour": ["red"], "unit": [None], "y": ["a"]})
    assert "'unit'" not in refused(own, mixed)
