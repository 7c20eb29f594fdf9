"""The other looks: duplicates, gaps, far-off values, suspect labels, drift, the target, the tensors, all at once."""

import numpy as np
import pytest

from trainwell.data.encode import Arrays
from trainwell.data.split import Split
from trainwell.inspection import drift, duplicates, labels, missing, outliers, target
from trainwell.inspection.inspect import inspect
from trainwell.inspection.quick_models import filled

ROWS = 1000


@pytest.fixture
def random():
    return np.random.default_rng(0)


def arrays(numeric, target) -> Arrays:
    numeric = np.asarray(numeric, np.float32)
    return Arrays(numeric, np.zeros((len(numeric), 0), np.int32), np.asarray(target))


def test_a_row_repeats_another_only_if_its_target_does_too():
    table = arrays([[1.0], [1.0], [1.0], [2.0]], [0, 0, 1, 0])
    found = duplicates.find(table, Split(np.array([0, 3]), np.array([1]), np.array([2]), "random"))
    assert (found.whole, found.contradicted, found.validation, found.test) == (1, 3, 1, 0)
    assert duplicates.duplicate_rows(table) == 1
    first, second = duplicates.remarks(found, "binary")
    assert first.says == (
        "1 row repeats another row in every feature and the target; 1 of the validation and test rows repeat a training row."
    )
    assert second.says == "3 rows have the features of another row but another class: no model is right on all."


def test_the_bits_of_rows_are_equal_for_equal_rows_alone(random):
    numeric = random.integers(0, 2, (3000, 9)).astype(np.float32)
    numeric[0] = -0.0
    numeric[1] = 0.0
    bits = duplicates.row_hashes(arrays(numeric, np.zeros(3000, int)))
    assert len(np.unique(bits)) == len(np.unique(numeric, axis=0))
    assert bits[0] == bits[1]


def test_gaps_that_tell_of_the_target_and_gaps_in_the_same_rows_are_found(inspected, random):
    y = random.random(ROWS) < 0.4
    gone = random.random(ROWS) < np.where(y, 0.6, 0.1)
    a, b, c, whole = random.normal(size=(4, ROWS))
    a[gone], b[gone] = np.nan, np.nan
    c[random.random(ROWS) < 0.3] = np.nan
    found = missing.find(inspected(y, a=a, b=b, c=c, whole=whole))
    assert set(found.shares) == {"a", "b", "c"}
    assert set(found.tells) == {"a", "b"}
    assert found.tells["a"] == pytest.approx(abs(np.corrcoef(gone, y)[0, 1]))
    assert found.together == (("a", "b"),)


def test_far_off_values_and_long_tails_are_measured_as_their_sources_say(inspected, random):
    plain = random.normal(size=ROWS)
    far = plain.copy()
    far[:20] = 100.0
    tail = random.lognormal(0, 1.2, ROWS)
    found = outliers.spreads(inspected(plain > 0, plain=plain, far=far, tail=tail))
    by_name = {one.name: one for one in found}
    assert set(by_name) == {"far", "tail"}
    lower, upper = np.quantile(far, (0.25, 0.75))
    assert by_name["far"].far_off == 0.02
    assert by_name["far"].farthest == pytest.approx((100 - upper) / (upper - lower))
    assert by_name["tail"].skewness == pytest.approx(((tail - tail.mean()) ** 3).mean() / tail.std() ** 3)


def test_numbers_that_order_the_rows_alike_are_a_pair(inspected, random):
    a, b = random.normal(size=(2, ROWS))
    found, matrix = outliers.pairs(inspected(a > 0, a=a, b=b, exp=np.exp(a)))
    assert [(one.first, one.second, one.correlation) for one in found] == [("a", "exp", pytest.approx(1.0))]
    assert matrix.names == ("a", "exp")
    assert outliers.pairs(inspected(a > 0, a=a, b=b)) == ([], None)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_wrong_labels_come_first_among_the_suspects(inspected, random, task):
    x = random.normal(size=(ROWS, 3))
    right = {"binary": x[:, 0] > 0, "multiclass": np.digitize(x[:, 0], (-1, 1)), "regression": 10 * x[:, 0]}[task]
    given = np.array(right, float)
    sure = np.flatnonzero(np.abs(x[:, 0]) > 1.5)[:8]
    given[sure] = {"binary": 1 - given, "multiclass": 2 - given, "regression": -given}[task][sure]
    found = labels.find(inspected(given, task, a=x[:, 0], b=x[:, 1], c=x[:, 2]), seed=0)
    assert {one.row for one in found.suspects[:6]} <= set(sure)
    assert 6 <= found.count <= 60
    assert found.rows == ROWS


def test_clean_labels_raise_hardly_a_suspicion(inspected, random):
    x = random.normal(size=(ROWS, 2))
    y = x[:, 0] + 0.5 * random.normal(size=ROWS)
    assert labels.find(inspected(y, "regression", a=x[:, 0], b=x[:, 1]), 0).count <= 0.02 * ROWS


def test_test_rows_from_elsewhere_are_told_apart_and_by_which_column(subject, random):
    def rows(shift: float) -> dict:
        x = random.normal(size=(600, 2))
        return {"a": x[:, 0], "moved": x[:, 1] + shift, "y": np.where(x[:, 0] > 0, "u", "v")}

    alike, moved = (inspect(subject(rows(0.0), "y", test=rows(shift))) for shift in (0.0, 3.0))
    assert alike.drift.auc == pytest.approx(0.5, abs=0.1)
    assert not alike.drift.alarm
    assert moved.drift.auc > 0.95
    assert next(iter(moved.drift.columns)) == "moved"
    (remark,) = [remark for remark in moved.remarks if remark.kind == "drift"]
    assert "most of all by 'moved'" in remark.says


def test_too_few_rows_say_nothing_of_drift(inspected):
    few = inspected([0, 1] * 5, x=range(10))
    assert drift.find(few, few, 0) is None


def test_rare_classes_and_piles_of_numbers_are_noted(random):
    (rare,) = target.remarks(np.repeat([0, 1], [980, 20]), ("yes", "no"))
    assert rare.says == "Class 'no' has only 2.0% of the rows."
    capped = np.minimum(random.normal(size=ROWS), 1.0)
    (pile,) = target.remarks(capped, ())
    assert "of the rows have the largest target there is, 1." in pile.says


def test_what_is_missing_lies_below_all_that_is_known():
    found = filled(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]]))
    assert found[1, 0] < 1.0
    assert (found[:, 1] == 0).all()


def test_the_tensors_stand_beside_the_cells_that_they_were_made_of(subject, random):
    table = {"x": random.normal(size=100), "plan": random.choice(["a", "b", "c"], 100), "y": random.choice(["n", "p"], 100)}
    made = subject(table, "y")
    found = inspect(made).tensors
    rows = made.split.train[:3]
    assert found.row_names == tuple(str(row + 1) for row in rows)
    by_name = {one.name: one for one in found.inputs}
    assert by_name["x"].raw == tuple(str(table["x"][row]) for row in rows)
    assert by_name["x"].encoded == pytest.approx(made.arrays.numeric[rows, 0])
    assert by_name["plan = a"].encoded == tuple(float(table["plan"][row] == "a") for row in rows)


def test_without_time_only_the_looks_that_fit_nothing_are_made(subject, random):
    x = random.normal(size=300)
    found = inspect(subject({"x": x, "copy": np.where(x > 0, 1, 0), "y": np.where(x > 0, "b", "a")}, "y"), left=lambda: 0.0)
    assert [remark.kind for remark in found.remarks if remark.weight == "stop"] == ["copy of the target"]
    assert found.left_out == ("groups and time", "suspected labels", "outliers", "correlated columns")
    assert (found.labels, found.compared, found.pairs) == (None, (), ())


def test_an_inspection_is_the_same_every_time_and_changes_nothing(subject, random):
    table = {"x": random.normal(size=400), "k": random.choice(list("abc"), 400), "y": random.choice(["n", "p"], 400)}
    made = subject(table, "y")
    before = made.arrays.numeric.copy()
    assert inspect(made) == inspect(made)
    np.testing.assert_array_equal(before, made.arrays.numeric)
