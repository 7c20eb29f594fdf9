"""The worst rows, and scores by subgroup."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.explain.subgroups import FEWEST, subgroups
from trainwell.explain.worst_rows import worst_of_classes, worst_of_numbers


def test_the_worst_row_is_the_one_whose_true_class_got_the_least_probability():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3], [0.0, 0.01, 0.99]])
    found = worst_of_classes(probabilities, np.array([2, 2, 0, 0]))
    assert [one.place for one in found] == [3, 0, 2]
    assert [one.probability for one in found] == pytest.approx([0.0, 0.1, 0.3])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_only_rows_where_another_class_was_likelier_are_mistakes(rows):
    probability, target = np.array([[p] for p, _ in rows]), np.array([y for _, y in rows])
    found = worst_of_classes(probability, target, most=100)
    wrong = {place for place, (p, y) in enumerate(rows) if (1 - p if y else p) > 0.5 or ((p if y else 1 - p) < 0.5)}
    assert {one.place for one in found} == wrong
    assert [one.probability for one in found] == sorted(one.probability for one in found)


def test_numbers_are_worst_where_they_are_furthest_off():
    found = worst_of_numbers(np.array([1.0, 5.0, 3.0]), np.array([1.0, 2.0, 4.0]), most=2)
    assert [(one.place, one.error) for one in found] == [(1, 3.0), (2, 1.0)]


def by_accuracy(right: np.ndarray):
    return {"score": lambda rows: float(right[rows].mean()), "resampled": lambda picks: right[picks].mean(axis=1)}


def found_in(groups: np.ndarray, right: np.ndarray, **changes):
    none = np.zeros(len(right))
    given = {
        "target": np.arange(len(right)) % 2,
        "predicted": none,
        "true": none,
        "all_rows": float(right.mean()),
        "classes": True,
    } | changes
    return subgroups({"plan": groups}, {"plan": ("basic", "plus", "max")}, **given, **by_accuracy(right))


def test_each_level_is_scored_by_itself_with_the_interval_of_its_rows():
    groups = np.repeat([1, 2, 3], [400, 100, FEWEST - 1])
    right = np.concatenate([np.tile([1, 1, 1, 0], 100), np.tile([1, 0], 50), np.ones(FEWEST - 1)]).astype(float)
    basic, plus = found_in(groups, right)
    assert (basic.level, basic.rows, basic.score) == ("basic", 400, 0.75)
    assert (plus.level, plus.rows, plus.score) == ("plus", 100, 0.5)
    for one, share in ((basic, 0.75), (plus, 0.5)):
        error = (share * (1 - share) / one.rows) ** 0.5
        assert one.high - one.score == pytest.approx(1.96 * error, rel=0.2)


def test_a_level_is_called_worse_only_beyond_chance():
    groups = np.repeat([1, 2], [1000, 200])
    worse = np.concatenate([np.tile([1] * 9 + [0], 100), np.tile([1, 0], 100)]).astype(float)
    same = np.concatenate([np.tile([1] * 9 + [0], 100), np.tile([1] * 8 + [0, 1], 20)]).astype(float)
    assert [one.worse for one in found_in(groups, worse)] == [False, True]
    assert [one.worse for one in found_in(groups, same)] == [False, False]


def test_a_level_is_off_where_mean_prediction_and_mean_truth_differ_beyond_chance():
    groups, right = np.repeat([1, 2], [400, 400]), np.ones(800)
    true = np.tile([0.0, 1.0], 400)
    predicted = np.where(groups == 1, 0.5, 0.7)
    fair, off = found_in(groups, right, predicted=predicted, true=true)
    assert (fair.off, off.off) == (False, True)
    assert (off.predicted, off.true) == pytest.approx((0.7, 0.5))


def test_a_level_that_is_off_by_next_to_nothing_is_not_called_off():
    groups, right = np.repeat([1, 2], [400, 400]), np.ones(800)
    true = np.linspace(0, 100, 800)
    assert [one.off for one in found_in(groups, right, predicted=true + 0.1, true=true)] == [False, False]
    assert [one.off for one in found_in(groups, right, predicted=true + 5, true=true)] == [True, True]


def test_levels_of_one_class_only_are_left_out_of_a_score_that_needs_two():
    groups, right = np.repeat([1, 2], [100, 100]), np.ones(200)
    target = np.concatenate([np.zeros(100), np.tile([0, 1], 50)])
    assert [one.level for one in found_in(groups, right, target=target)] == ["plus"]
    assert len(found_in(groups, right, target=target, classes=False)) == 2


def test_no_subgroup_is_begun_once_time_is_up():
    groups, right = np.repeat([1, 2], [100, 100]), np.ones(200)
    assert found_in(groups, right, passed=lambda: True) == []
