"""Three parts: disjoint, complete, the same for the same seed, and honest about classes, groups and time."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.data.schema import infer_schema
from trainwell.data.split import Split, make_split, split_table
from trainwell.data.tables import read_table
from trainwell.errors import InputError

NUMBERS = np.random.default_rng(0).normal(size=100)
CLASSES = np.repeat([0, 1, 2], [50, 40, 10])


def parts(split: Split) -> list[list[int]]:
    return [split.train.tolist(), split.validation.tolist(), split.test.tolist()]


def assert_whole(split: Split, rows: int) -> None:
    assert all(len(part) and part.dtype == np.int64 for part in (split.train, split.validation, split.test))
    np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.validation, split.test])), np.arange(rows))


def test_a_split_has_the_wished_shares():
    split = make_split(NUMBERS, "regression", seed=0, test_share=0.3, validation_share=0.1)
    assert_whole(split, 100)
    assert [len(part) for part in parts(split)] == [60, 10, 30]
    assert split.kind == "random"


def test_a_split_comes_from_its_seed_alone():
    for options in ({}, {"groups": np.arange(100) % 9}):
        first, again, other = (make_split(CLASSES, "multiclass", seed=seed, **options) for seed in (7, 7, 8))
        assert parts(first) == parts(again) != parts(other)


def test_each_class_is_cut_by_the_same_shares():
    split = make_split(CLASSES, "multiclass", seed=0)
    assert split.kind == "stratified"
    assert [np.bincount(CLASSES[part]).tolist() for part in parts(split)] == [[32, 26, 7], [8, 6, 1], [10, 8, 2]]


def test_three_rows_of_a_class_are_one_in_each_part():
    target = np.repeat([0, 1], [40, 3])
    split = make_split(target, "binary", seed=0)
    assert [target[part].sum() for part in parts(split)] == [1, 1, 1]


@given(sizes=st.lists(st.integers(3, 30), min_size=2, max_size=6), seed=st.integers(0, 2**32), share=st.floats(0.01, 0.49))
@settings(max_examples=50)
def test_every_class_is_in_every_part(sizes, seed, share):
    target = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    if len(target) < 10:
        return
    split = make_split(target, "multiclass", seed=seed, test_share=share, validation_share=share)
    assert_whole(split, len(target))
    for part in parts(split):
        assert set(target[part]) == set(range(len(sizes)))


@given(groups=st.lists(st.integers(0, 9), min_size=10, max_size=80), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_no_group_and_no_time_is_in_two_parts(groups, seed):
    values = np.array(groups)
    if len(set(groups)) < 3:
        return
    for option in ("groups", "times"):
        split = make_split(np.zeros(len(values)), "regression", seed=seed, **{option: values})
        assert_whole(split, len(values))
        seen = [set(values[part]) for part in parts(split)]
        assert sum(map(len, seen)) == len(set(groups))
        assert split.kind == option[:-1]


def test_groups_come_near_the_wished_shares():
    groups = np.random.default_rng(0).integers(40, size=1000)
    split = make_split(np.zeros(1000), "regression", seed=0, groups=groups)
    np.testing.assert_allclose([len(part) / 1000 for part in parts(split)], [0.64, 0.16, 0.2], atol=0.05)


def test_groups_are_drawn_so_that_every_class_is_trained_on():
    groups = np.repeat(np.arange(10), 10)
    target = (groups >= 8).astype(int)  # the second class lives in two groups of ten
    for seed in range(20):
        assert set(target[make_split(target, "binary", seed=seed, groups=groups).train]) == {0, 1}


def test_a_draw_of_groups_has_two_classes_in_every_part_where_one_can():
    groups = np.repeat(np.arange(20), 10)
    target = ((groups >= 14) & (np.arange(200) % 2 == 0)).astype(int)  # six groups have rows of both classes
    for seed in range(40):
        split = make_split(target, "binary", seed=seed, groups=groups)
        assert [len(np.unique(target[part])) for part in parts(split)] == [2, 2, 2], seed
    numbers = make_split(target.astype(float), "regression", seed=0, groups=groups)
    assert_whole(numbers, 200)


def test_the_latest_rows_are_the_test_and_those_before_them_the_validation():
    times = np.random.default_rng(0).permutation(100).astype(float)
    split = make_split(NUMBERS, "regression", seed=0, times=times)
    assert [sorted(times[part].astype(int)) for part in parts(split)] == [[*range(64)], [*range(64, 80)], [*range(80, 100)]]


def test_three_times_are_one_part_each():
    times = np.repeat([1, 2, 3], [2, 2, 96])
    assert [len(part) for part in parts(make_split(NUMBERS, "regression", seed=0, times=times))] == [2, 2, 96]


def refused(target=NUMBERS, task="regression", **options) -> str:
    with pytest.raises(InputError) as caught:
        make_split(target, task, **{"seed": 0, **options})
    return str(caught.value)


def test_what_cannot_be_split_is_refused():
    assert refused(NUMBERS[:9]) == "9 rows are too few to split in three; at least 10 are needed."
    assert refused(np.repeat([0, 1], [20, 2]), "binary") == (
        "class 1 has 2 rows; a split needs 3, one each to train, validate and test."
    )
    assert refused(groups=np.arange(100) % 2) == (
        "there are 2 different groups; a split by them needs 3, one each to train, validate and test."
    )
    assert refused(times=np.arange(99)) == "there are 99 times for 100 rows."
    assert refused(np.repeat([0, 1], [90, 10]), "binary", times=np.arange(100)) == (
        "a split by time leaves no training row of 1 class (index 1); leave time out or take another column."
    )
    assert refused(np.repeat([0, 1], [90, 10]), "binary", times=np.arange(100), classes=("no", "yes")) == (
        "a split by time leaves no training row of 1 class ('yes'); leave time out or take another column."
    )


@pytest.mark.parametrize("share", [1, -0.1, float("nan")])
def test_shares_are_checked(share):
    assert refused(test_share=share) == (
        f"test_share is {share}, allowed is a share of the rows from 0 on and below 1."
    )  # fmt: skip
    assert (
        refused(validation_share=share) == f"validation_share is {share}, allowed is a share of the rows above 0 and below 1."
    )
    assert refused(test_share=0.5, validation_share=0.5) == "test_share 0.5 and validation_share 0.5 leave no rows to train on."


def test_rows_to_choose_by_cannot_be_left_out():
    assert refused(validation_share=0) == "validation_share is 0, allowed is a share of the rows above 0 and below 1."


@pytest.mark.parametrize("task", ["regression", "multiclass"])
@given(rows=st.integers(10, 400), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_the_training_rows_of_a_table_are_four_times_those_that_validate_or_more(task, rows, seed):
    target = np.zeros(rows, int)
    split = make_split(target, task, seed=seed)
    assert len(split.train) >= 4 * len(split.validation) or rows < 13
    assert abs(len(split.validation) - 0.16 * rows) <= 1


@given(
    rows=st.integers(10, 60), seed=st.integers(0, 99), by=st.sampled_from(["random", "stratified", "group", "time"])
)  # fmt: skip
@settings(max_examples=60)
def test_without_a_test_share_the_rows_are_cut_in_two(rows, seed, by):
    options = {"group": {"groups": np.arange(rows) % 4}, "time": {"times": np.arange(rows)}}.get(by, {})
    target = np.arange(rows) % 2
    task = "binary" if by == "stratified" else "regression"
    split = make_split(target, task, seed=seed, test_share=0.0, validation_share=0.2, **options)
    assert len(split.test) == 0
    assert min(len(split.train), len(split.validation)) > 0
    np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.validation])), np.arange(rows))
    assert split.kind == by


def test_a_cut_in_two_needs_two_of_everything():
    in_two = {"test_share": 0.0, "validation_share": 0.2}
    two_rows = make_split(np.repeat([0, 1], [20, 2]), "binary", seed=0, **in_two)
    assert [(two_rows.train >= 20).sum(), (two_rows.validation >= 20).sum()] == [1, 1]
    assert len(make_split(NUMBERS, "regression", seed=0, groups=np.arange(100) % 2, **in_two).validation) == 50
    assert refused(np.repeat([0, 1], [20, 1]), "binary", **in_two) == (
        "class 1 has 1 row; a split needs 2, one each to train and validate."
    )
    assert refused(groups=np.zeros(100), **in_two) == (
        "there are 1 different groups; a split by them needs 2, one each to train and validate."
    )
    assert refused(NUMBERS[:9], **in_two) == "9 rows are too few to split in two; at least 10 are needed."


def test_a_split_comes_back_from_its_file(tmp_path):
    split = make_split(CLASSES, "multiclass", seed=0)
    split.save(tmp_path / "split.parquet")
    back = Split.load(tmp_path / "split.parquet")
    assert (parts(back), back.kind) == (parts(split), "stratified")
    table = pyarrow.parquet.read_table(tmp_path / "split.parquet")
    assert table.column_names == ["row", "part"]
    assert table["part"][int(split.test[0])].as_py() == "test"


def test_what_is_no_split_is_refused(tmp_path):
    path = tmp_path / "split.parquet"
    for table in (
        pa.table({"row": [0, 1]}),
        pa.table({"row": [0, 1], "part": ["train", "test"]}),
    ):
        pyarrow.parquet.write_table(table, path)
        with pytest.raises(InputError) as caught:
            Split.load(path)
        assert str(caught.value) == f"{path} is no split: it needs the columns 'row' and 'part' and to be whole."
    for rows, named in (([0, 2], ["train", "test"]), ([0, 1], ["train", "dream"]), ([0, 1], ["train", None])):
        table = pa.table({"row": rows, "part": named}).replace_schema_metadata({"kind": "random"})
        pyarrow.parquet.write_table(table, path)
        with pytest.raises(InputError) as caught:
            Split.load(path)
        assert str(caught.value) == f"{path} is no split: every row from 0 on must be in one of train, validation, test."
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="is no split"):
        Split.load(path)


def test_a_table_is_split_as_its_schema_says():
    table = read_table({"x": NUMBERS, "who": [f"p{i % 10}" for i in range(100)], "when": np.arange(100), "y": ["a", "b"] * 50})
    for options, kind in (({"ignore": ["who"]}, "stratified"), ({"group": "who"}, "group"), ({"time": "when"}, "time")):
        split = split_table(table, infer_schema(table, "y", **options)[0], seed=0)
        assert split.kind == kind
        assert_whole(split, 100)


@pytest.mark.parametrize("how", [{"ignore": ["who", "when"]}, {"group": "who"}, {"time": "when"}])
def test_rows_that_were_given_to_test_on_are_the_test_and_the_others_are_cut_in_two(how):
    table = read_table({"x": NUMBERS, "who": [f"p{i % 10}" for i in range(100)], "when": np.arange(100), "y": ["a", "b"] * 50})
    given_rows = np.arange(100) % 5 == 3
    split = split_table(table, infer_schema(table, "y", **how)[0], seed=0, test_rows=given_rows)
    assert_whole(split, 100)
    np.testing.assert_array_equal(split.test, np.flatnonzero(given_rows))
    assert abs(len(split.validation) - 16) <= 4
