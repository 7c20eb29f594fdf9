"""The training rows dealt into parts that validate in turn: each row once at most, classes evenly, groups as wholes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.data.folds import deal, other_folds
from trainwell.data.schema import infer_schema
from trainwell.data.split import Split, make_split, split_table
from trainwell.data.tables import read_table

SEEDS = st.integers(0, 2**31 - 1)


def split_of(*sizes: int, kind: str = "random") -> Split:
    """Parts of so many rows, one after the other."""
    ends = np.cumsum([0, *sizes])
    return Split(*(np.arange(ends[i], ends[i + 1]) for i in range(3)), kind)  # type: ignore[arg-type]


def lists(parts) -> list[list[int]]:
    return [part.tolist() for part in parts]


@given(rows=st.integers(12, 300), seed=SEEDS, classes=st.integers(0, 4))
@settings(max_examples=80)
def test_every_training_row_is_dealt_once_at_most_and_all_parts_are_as_large(rows, seed, classes):
    target = np.arange(rows) % classes if classes else np.linspace(0, 1, rows)
    task = "multiclass" if classes else "regression"
    split = make_split(target, task, seed=seed)
    parts = deal(split, target, task, seed=seed)
    dealt = np.concatenate(parts)
    assert len(set(dealt.tolist())) == len(dealt)
    assert set(dealt.tolist()) <= set(split.train.tolist())
    assert len({len(part) for part in parts}) == 1
    assert all((np.diff(part) > 0).all() for part in parts)
    assert len(parts) == round(len(split.train) / len(split.validation))


@pytest.mark.parametrize(("rows", "classes"), [(1000, 0), (1003, 0), (567, 0), (225, 2), (569, 2), (1000, 3)])
def test_a_table_of_some_size_has_five_folds_of_the_same_size_so_that_one_program_serves_all(rows, classes):
    target = np.random.default_rng(3).integers(0, classes, rows) if classes else np.linspace(0, 1, rows)
    task = "multiclass" if classes else "regression"
    split = make_split(target, task, seed=0)
    parts = deal(split, target, task, seed=0)
    assert [len(part) for part in parts] == [len(split.validation)] * 4
    assert len(split.train) - sum(map(len, parts)) <= 4 + 4 * classes, "nearly all rows are held out once"


def test_the_parts_come_from_their_seed_alone():
    split, target = split_of(64, 16, 20), np.zeros(100)
    first, again, other = (lists(deal(split, target, "regression", seed=seed)) for seed in (5, 5, 6))
    assert first == again != other


@given(sizes=st.lists(st.integers(3, 60), min_size=2, max_size=5), seed=SEEDS)
@settings(max_examples=60)
def test_classes_are_dealt_evenly(sizes, seed):
    target = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    if len(target) < 10:
        return
    split = make_split(target, "multiclass", seed=seed)
    parts = deal(split, target, "multiclass", seed=seed)
    counts = np.array([np.bincount(target[part], minlength=len(sizes)) for part in parts])
    assert (np.ptp(counts, axis=0) <= 1).all()
    kept = [np.setdiff1d(np.concatenate([split.train, split.validation]), part) for part in parts]
    assert all(set(target[rows]) == set(range(len(sizes))) for rows in kept), "every class is always trained on"


def test_rows_that_are_in_no_part_are_of_every_class():
    target = np.repeat([0, 1], [44, 44])
    split = Split(np.arange(88), np.arange(88, 88 + 20), np.arange(0), "stratified")
    parts = deal(split, np.append(target, [0] * 20), "binary", seed=0)
    counts = [np.bincount(target[part], minlength=2).tolist() for part in parts]
    assert counts == [[10, 10]] * 4, "8 rows are not dealt, 4 of each class"


@given(groups=st.lists(st.integers(0, 15), min_size=30, max_size=120), seed=SEEDS)
@settings(max_examples=40)
def test_no_group_is_in_two_parts_nor_with_the_rows_of_the_validation(groups, seed):
    values = np.array(groups)
    if len(set(groups)) < 6:
        return
    split = make_split(np.zeros(len(values)), "regression", seed=seed, groups=values)
    parts = deal(split, np.zeros(len(values)), "regression", seed=seed, groups=values)
    if not parts:
        return
    seen = [set(values[part]) for part in (split.validation, split.test, *parts)]
    assert sum(map(len, seen)) == len(set(groups)), "all groups, each once"
    assert sorted(np.concatenate(parts).tolist()) == split.train.tolist(), "groups are dealt as wholes, and all of them"
    assert all(len(part) for part in parts)


def test_many_groups_make_parts_that_are_nearly_equal():
    groups = np.random.default_rng(0).integers(60, size=1000)
    split = make_split(np.zeros(1000), "regression", seed=0, groups=groups)
    parts = deal(split, np.zeros(1000), "regression", seed=0, groups=groups)
    np.testing.assert_allclose([len(part) / len(split.train) for part in parts], 0.25, atol=0.04)


def test_fewer_groups_than_parts_are_not_dealt():
    groups = np.repeat([0, 1, 2, 3, 4], [30, 34, 6, 10, 20])
    split = Split(np.arange(64), np.arange(64, 80), np.arange(80, 100), "group")
    assert deal(split, np.zeros(100), "regression", seed=0, groups=groups) == []
    assert len(deal(split, np.zeros(100), "regression", seed=0, groups=np.arange(100) // 8)) == 4


def test_groups_are_dealt_only_if_every_class_stays_to_train_on():
    groups, target = np.arange(100) // 5, np.zeros(100, int)
    split = split_of(60, 20, 20, kind="group")
    target[:5] = 1  # the second class lives in one group, which trains
    assert deal(split, target, "binary", seed=0, groups=groups) == []
    target[60:65] = 1  # and now in one that validates too
    assert len(deal(split, target, "binary", seed=0, groups=groups)) == 3


def test_of_a_split_by_time_no_row_is_predicted_from_later_ones():
    assert deal(split_of(64, 16, 20, kind="time"), np.zeros(100), "regression", seed=0) == []


def test_as_few_training_rows_as_validation_rows_are_one_part():
    parts = deal(split_of(2, 2, 2), np.zeros(6), "regression", seed=0)
    assert lists(parts) == [[0, 1]]
    assert deal(split_of(1, 4, 1), np.zeros(6), "regression", seed=0) == []


@pytest.mark.parametrize(("how", "folds"), [({"ignore": ["who", "when"]}, 4), ({"group": "who"}, 4), ({"time": "when"}, 0)])
def test_a_table_is_dealt_as_it_was_split(how, folds):
    x = np.random.default_rng(0).normal(size=200)
    table = read_table({"x": x, "who": [f"p{i % 40}" for i in range(200)], "when": np.arange(200), "y": ["a", "b"] * 100})
    schema = infer_schema(table, "y", **how)[0]
    parts = other_folds(split_table(table, schema, seed=0), table, schema, seed=0)
    assert len(parts) == folds
    if "group" in how:
        who = np.array(table.column("who").to_pylist())
        assert sum(len(set(who[part])) for part in parts) == len(set(who[np.concatenate(parts)]))


@pytest.mark.parametrize("by", [{}, {"test_rows": np.arange(20_000) >= 16_000}])
def test_of_very_many_rows_a_tenth_validates_at_a_time(by):
    table = read_table({"x": np.random.default_rng(0).normal(size=20_000).round(6), "y": np.linspace(0, 1, 20_000)})
    schema = infer_schema(table, "y")[0]
    split = split_table(table, schema, seed=0, **by)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [14_400, 1_600, 4_000]
    assert [len(part) for part in other_folds(split, table, schema, seed=0)] == [1_600] * 9
