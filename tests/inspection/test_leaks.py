"""Features that are the target, or parts of it, are found; strong honest ones are left in peace."""

import shlex

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from trainwell.inspection.leaks import LEAK, alone, copies_of_the_target, suspects
from trainwell.inspection.parts_of_target import parts_of_the_target

ROWS = 2000


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_the_score_alone_is_that_of_the_mean_of_each_level_on_rows_it_was_not_learned_on(inspected, random):
    levels = random.integers(0, 4, ROWS)
    target = random.random(ROWS) < np.array([0.1, 0.4, 0.5, 0.9])[levels]
    found = alone(inspected(target, x=levels, noise=random.normal(size=ROWS)), "AUC", seed=0)
    assert list(found.scores) == ["x", "noise"]
    assert found.scores["x"] == pytest.approx(roc_auc_score(target, np.array([0.1, 0.4, 0.5, 0.9])[levels]), abs=0.03)
    assert found.scores["noise"] == pytest.approx(0.5, abs=0.06)


def test_a_number_that_orders_the_target_in_a_curve_tells_it_alone(inspected, random):
    x = random.uniform(-3, 3, ROWS)
    found = alone(inspected(x**2, "regression", x=x), "R²", seed=0)
    assert found.scores["x"] > LEAK
    (remark,) = suspects(found, set())
    assert remark.says == f"'x' alone predicts the target with R² {found.scores['x']:.4f} on held-out rows."
    assert suspects(found, {"x"}) == []


def test_the_most_related_of_many_features_are_scored(inspected, random):
    target = random.integers(0, 2, 60)
    columns = {f"x{place}": random.normal(size=60) for place in range(1100)} | {"same": target + 0.0}
    found = alone(inspected(target, **columns), "AUC", seed=0)
    assert found.left_out == 101
    assert next(iter(found.scores)) == "same"


def test_a_column_that_renames_the_classes_is_the_target_in_other_words(inspected, random):
    target = random.integers(0, 3, ROWS)
    table = inspected(
        target, "multiclass", ("a", "b"), a=np.array([2, 0, 1])[target], b=target // 2, c=random.normal(size=ROWS)
    )
    (remark,) = copies_of_the_target(table)
    assert (remark.weight, remark.columns, remark.action) == ("stop", ("a",), "Leave it out: --ignore 'a'.")
    assert remark.says == "'a' is the target in other words: one follows from the other in all 2,000 rows looked at."


def test_where_the_rows_are_of_one_class_nothing_constant_is_a_copy(inspected, random):
    table = inspected(np.zeros(ROWS), x=np.ones(ROWS), y=random.normal(size=ROWS))
    assert copies_of_the_target(table) == []


def test_one_row_that_disagrees_makes_it_no_copy(inspected, random):
    target = random.integers(0, 2, ROWS)
    column = target.copy()
    column[0] = 1 - column[0]
    table = inspected(target, x=column, y=random.normal(size=ROWS))
    assert copies_of_the_target(table) == []
    assert [remark.weight for remark in suspects(alone(table, "AUC", 0), set())] == ["warn"]


def test_the_target_in_another_unit_is_found_and_an_only_feature_does_not_stop(inspected, random):
    celsius = random.normal(15, 8, ROWS).round(1)
    table = inspected(celsius * 1.8 + 32, "regression", celsius=celsius, noise=random.normal(size=ROWS))
    assert [(remark.weight, remark.columns) for remark in copies_of_the_target(table)] == [("stop", ("celsius",))]
    assert [remark.weight for remark in copies_of_the_target(table.without({"noise"}))] == ["warn"]


def test_addends_of_the_target_are_found_with_their_signs(inspected, random):
    fare, tip, extra = (random.integers(1, 4000, ROWS) / 100 for _ in range(3))
    table = inspected(fare, "regression", total=fare + tip + extra, tip=tip, extra=extra, other=random.normal(size=ROWS))
    (remark,) = parts_of_the_target(table)
    assert remark.weight == "stop"
    assert set(remark.columns) == {"total", "tip", "extra"}
    assert "'total' - " in remark.says
    assert "exactly, in 2,000 rows looked at" in remark.says


def test_fixed_amounts_beside_the_sum_do_not_hide_it(inspected, random):
    fare, tip = random.integers(250, 9000, ROWS) / 100, random.integers(0, 2000, ROWS) / 100
    fees = random.choice([0.5, 0.8, 3.3, 3.8], ROWS)
    (remark,) = parts_of_the_target(inspected(fare, "regression", total=fare + tip + fees, tip=tip, n=random.normal(size=ROWS)))
    assert remark.says == "'total' - 'tip' is the target, but for one of 4 fixed amounts, in 2,000 rows looked at."


def test_a_sum_with_noise_is_no_leak(inspected, random):
    a, b = random.normal(size=(2, ROWS)).round(2)
    assert parts_of_the_target(inspected(a + b + random.normal(0, 0.1, ROWS).round(2), "regression", a=a, b=b)) == []


def test_an_exact_linear_combination_warns_and_names_no_spare_column(inspected, random):
    a, b, c, d = random.normal(size=(4, ROWS))
    (remark,) = parts_of_the_target(inspected(2 * a - 0.3 * b + 7 * c, "regression", a=a, b=b, c=c, d=d))
    assert remark.weight == "warn"
    assert set(remark.columns) == {"a", "b", "c"}


def test_flags_that_together_are_the_rare_class_are_parts_of_it_and_so_is_a_rare_flag_among_them(inspected, random):
    heat, power, strain = (random.random(ROWS) < 0.02 for _ in range(3))
    table = inspected(
        heat | power, x=random.normal(size=ROWS), heat=heat, power=power, strain=strain, common=random.integers(0, 2, ROWS)
    )
    (remark,) = parts_of_the_target(table)
    assert remark.columns == ("heat", "power", "strain")
    assert "together they cover 100% of it. 'strain' stands among them" in remark.says


def test_flags_of_a_common_class_or_of_half_of_a_rare_one_are_honest(inspected, random):
    a, b, other = (random.random(ROWS) < 0.03 for _ in range(3))
    assert parts_of_the_target(inspected(a | b | other, a=a, b=b, x=random.normal(size=ROWS))) == []
    often = random.random((2, ROWS)) < 0.3
    assert parts_of_the_target(inspected(often[0] | often[1], a=often[0], b=often[1])) == []


def test_columns_that_spell_the_class_are_its_parts(inspected, random):
    target = random.integers(0, 4, ROWS)
    table = inspected(target, "multiclass", ("drug", "gene"), drug=target % 2, gene=target // 2, x=random.normal(size=ROWS))
    (remark,) = parts_of_the_target(table)
    assert (remark.weight, remark.columns) == ("stop", ("drug", "gene"))
    (remark,) = parts_of_the_target(table.without({"gene"}))
    assert remark.weight == "warn"


def test_the_option_that_leaves_a_column_out_can_be_pasted_whole(inspected, random):
    target = random.integers(0, 2, ROWS)
    name = "the day's " + "long " * 20 + "name"
    table = inspected(target, **{name: target, "y": random.normal(size=ROWS)})
    (remark,) = copies_of_the_target(table)
    assert shlex.split(remark.action.removesuffix("."))[-2:] == ["--ignore", name]
    (remark,) = suspects(alone(table, "AUC", 0), set())
    assert shlex.split(remark.action.split("(")[1].split(")")[0]) == ["--ignore", name]
