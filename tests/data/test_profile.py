"""What a person sees of a table before training."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trainwell.data.profile import profile
from trainwell.data.schema import infer_schema, usable_rows
from trainwell.data.tables import read_table


def seen(**columns) -> dict:
    table = read_table({"x": [*range(1, 40), 400], "y": ["a", "b", "b", None] * 10, **columns}, name="t")
    made = profile(table, infer_schema(table, "y")[0])
    assert json.loads(json.dumps(made)) == made
    return made


def column(made: dict, name: str) -> dict:
    return next(found for found in made["columns"] if found["name"] == name)


def test_the_table_and_its_target_are_counted():
    made = seen()
    assert (made["name"], made["source"], made["rows"], made["usable_rows"], made["task"]) == ("t", "dict", 40, 30, "binary")
    assert made["target"] == {"name": "y", "classes": {"a": 10, "b": 20}, "shares": {"a": 1 / 3, "b": 2 / 3}}


def test_numbers_have_quantiles_and_a_histogram():
    x = column(seen(), "x")
    assert x["quantiles"] == {"minimum": 1, "lower_quartile": 10.75, "median": 20.5, "upper_quartile": 30.25, "maximum": 400}
    values = [*range(1, 40), 400]
    np.testing.assert_allclose([x["mean"], x["standard_deviation"]], [np.mean(values), np.std(values)])
    assert sum(x["histogram"]["counts"]) == 40
    assert x["histogram"]["edges"][0] == 1


def test_categories_have_their_commonest_levels_and_dates_their_range():
    made = seen(kind=["u", None, "v", "u"] * 10, day=[f"2024-01-{1 + i % 9:02d}" for i in range(40)], code=["same"] * 40)
    kind, day, code = (column(made, name) for name in ("kind", "day", "code"))
    assert kind["levels"] == {"u": 20, "v": 10}
    assert (kind["role"], kind["missing"], kind["missing_share"], kind["distinct"]) == ("category", 10, 0.25, 2)
    assert (day["first"], day["last"]) == ("2024-01-01T00:00:00", "2024-01-09T00:00:00")
    assert (code["role"], code["why"]) == ("constant", "it is 'same' in every row")


def test_a_number_to_predict_has_quantiles():
    table = read_table({"x": np.arange(30) ** 2, "y": np.linspace(0, 1, 30)})
    target = profile(table, infer_schema(table, "y")[0])["target"]
    assert target["name"] == "y"
    assert target["quantiles"]["median"] == 0.5


def test_the_largest_numbers_do_not_break_it():
    table = read_table({"x": [*np.linspace(0, 1, 28), 1e300, -1.7e308], "y": ["a", "b"] * 15})
    made = profile(table, infer_schema(table, "y")[0])
    assert json.loads(json.dumps(made, allow_nan=False))  # refuses NaN and infinity


def test_a_column_of_which_no_usable_row_knows_a_number_or_a_day_has_no_spread():
    y = [None] * 5 + ["a", "b"] * 15
    table = read_table(
        {
            "x": [1.5, 2.0, 3.5, 4.0, 7.0] + [None] * 30,
            "day": ["2024-01-01", "2024-01-02"] * 2 + ["2024-02-01"] + [None] * 30,
            "y": y,
        }
    )
    schema, _ = infer_schema(table, "y")
    made = profile(table.take(usable_rows(table, schema)), schema)
    for name in ("x", "day"):
        assert {"quantiles", "histogram", "first"}.isdisjoint(column(made, name))


@pytest.mark.parametrize("numbers", [[0.0, 5e-324], [-3e38, 3e38], [1.0, 1.0 + 2.3e-16], [0.0, 1e-320, 5.0]])
def test_numbers_very_far_apart_or_very_near_have_a_spread_that_json_can_hold(numbers):
    rows = len(numbers) * 6
    table = read_table({"x": np.array(numbers * 6), "z": np.sqrt(np.arange(rows)), "y": ["a", "b"] * (rows // 2)})
    schema, _ = infer_schema(table, "y")
    numeric = [replace(c, role="numeric", style="plain") if c.name == "x" else c for c in schema.columns]
    shown = json.loads(json.dumps(profile(table, replace(schema, columns=tuple(numeric))), allow_nan=False))["columns"][0]
    assert shown["quantiles"]["minimum"] == min(numbers)
    assert shown["quantiles"]["maximum"] == max(numbers)
    assert sum(shown["histogram"]["counts"]) == rows


def test_the_share_that_is_missing_is_of_the_rows_that_are_looked_at():
    table = read_table({"x": [None, None, None, *range(27)], "y": [None, None, None, *["a", "b", "b"] * 9]}, name="t")
    schema, _ = infer_schema(table, "y")
    made = profile(table.take(usable_rows(table, schema)), schema)
    assert (column(made, "x")["missing"], column(made, "x")["missing_share"], column(made, "y")["missing_share"]) == (3, 0, 0)
    assert column(profile(table, schema), "x")["missing_share"] == 0.1
