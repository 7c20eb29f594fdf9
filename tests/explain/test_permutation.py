"""Permutation importance and partial dependence, held against scikit-learn's for a model that both can ask."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import partial_dependence as reference_dependence
from sklearn.inspection import permutation_importance as reference_importance
from sklearn.linear_model import LinearRegression

from trainwell.data.encode import Arrays, fit_encoder
from trainwell.data.reading import read_column
from trainwell.data.schema import infer_schema
from trainwell.data.tables import read_table
from trainwell.explain.columns import Place, permuted, places, replaced
from trainwell.explain.partial_dependence import labels, partial_dependence, values_of
from trainwell.explain.permutation import permutation_importance

ROWS = 80
THREE = {name: Place((place,)) for place, name in enumerate("abc")}


@pytest.fixture(scope="module")
def rows() -> Arrays:
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 3)).astype(np.float32)
    return Arrays(x, np.zeros((ROWS, 0), np.int32), (3 * x[:, 0] + x[:, 1] ** 2).astype(np.float32))


@pytest.fixture(scope="module")
def models(rows):
    return [
        LinearRegression().fit(rows.numeric, rows.target),
        RandomForestRegressor(8, random_state=0).fit(rows.numeric, rows.target),
    ]


def networks(models):
    return lambda numeric, categories: np.stack([model.predict(numeric)[:, None] for model in models])


def negative_errors(target):
    return lambda averages: -((averages[:, :, 0] - target) ** 2).mean(axis=1)


def measured(models, rows, **changes):
    given = {"shuffles": 40, "together": 4 * ROWS, "seed": 0} | changes
    shares = np.full(len(models), 1 / len(models))
    return permutation_importance(networks(models), shares, rows, THREE, negative_errors(rows.target), **given)


def test_it_is_that_of_scikit_learn(models, rows):
    linear = models[:1]
    found = measured(linear, rows)
    expected = reference_importance(
        linear[0], rows.numeric, rows.target, scoring="neg_mean_squared_error", n_repeats=40, random_state=1
    )
    for place, name in enumerate("abc"):
        error = 4 * (expected.importances_std[place] + found[name].shuffles.std()) / 40**0.5
        assert found[name].loss == pytest.approx(expected.importances_mean[place], abs=max(error, 1e-6))
    assert next(iter(found)) == "a"


def test_each_network_is_measured_by_itself_and_the_ensemble_as_a_whole(models, rows):
    found = measured(models, rows)
    alone = [measured([model], rows) for model in models]
    for name in "abc":
        np.testing.assert_allclose(found[name].networks, [one[name].loss for one in alone], rtol=1e-6)
    assert found["a"].loss != pytest.approx(found["a"].networks.mean(), rel=1e-3)


def test_how_many_rows_are_predicted_together_changes_nothing(models, rows):
    one_by_one, all_at_once = measured(models, rows, together=1), measured(models, rows, together=10**6)
    assert {name: one.loss for name, one in one_by_one.items()} == pytest.approx(
        {name: one.loss for name, one in all_at_once.items()}
    )


def test_a_feature_that_the_time_did_not_suffice_for_is_left_out(models, rows):
    left = iter((False, False, True))
    found = measured(models[:1], rows, shuffles=2, together=ROWS, passed=lambda: next(left))
    assert list(found) == ["a"]


def table():
    random = np.random.default_rng(1)
    count = 60
    return read_table(
        {
            "age": random.normal(40, 10, count).round(1).tolist(),
            "plan": random.choice(["basic", "plus", "max"], count).tolist(),
            "city": random.choice([f"city {place}" for place in range(12)], count).tolist(),
            "since": [f"2024-{1 + month:02d}-15" for month in random.integers(0, 12, count)],
            "paid": random.choice([10, 20], count).tolist(),
            "left": random.choice(["no", "yes"], count).tolist(),
        }
    )


def encoded():
    read = table()
    schema, _ = infer_schema(read, "left")
    encoder = fit_encoder(read, schema, np.arange(read.rows))
    return read, encoder, encoder.transform(read)


def test_a_feature_moves_with_all_columns_that_it_was_encoded_as():
    read, encoder, arrays = encoded()
    order = np.random.default_rng(2).permutation(read.rows)
    for name, place in places(encoder).items():
        moved = permuted(arrays, place, order)
        columns = {other: read.column(other) for other in read.columns}
        columns[name] = columns[name].take(order)
        again = encoder.transform(read_table({other: cells.to_pylist() for other, cells in columns.items()}))
        np.testing.assert_array_equal(moved.numeric, again.numeric, err_msg=name)
        np.testing.assert_array_equal(moved.categories, again.categories, err_msg=name)


def test_every_column_belongs_to_one_feature():
    _, encoder, arrays = encoded()
    found = places(encoder)
    assert sorted(number for place in found.values() for number in place.numeric) == list(range(arrays.numeric.shape[1]))
    assert [place.category for place in found.values() if place.category is not None] == list(range(arrays.categories.shape[1]))


@pytest.mark.parametrize("name", ["age", "plan", "city", "since", "paid"])
def test_a_feature_set_to_its_own_value_stays_as_it_was(name):
    read, encoder, arrays = encoded()
    column = next(one for one in encoder.columns if one.name == name)
    cells = read_column(column, read)
    place = places(encoder)[name]
    for row in range(5):
        if column.kind == "embedded" and cells.values[row] == 0:
            continue
        own = replaced(arrays, column, place, float(cells.values[row]))
        np.testing.assert_allclose(own.numeric[row], arrays.numeric[row], atol=1e-6)
        np.testing.assert_array_equal(own.categories[row], arrays.categories[row])


def test_values_of_a_feature_are_its_levels_or_steps_of_its_order():
    read, encoder, _ = encoded()
    named = {}
    for column in encoder.columns:
        values = values_of(column, read_column(column, read))
        named[column.name] = labels(column, values)
    assert named["plan"] == ["basic", "max", "plus"]
    assert named["paid"] == [10, 20]
    assert len(named["age"]) == 12
    assert named["age"] == sorted(named["age"])
    assert set(named["since"]) <= {f"2024-{month:02d}-15" for month in range(1, 13)}
    assert all(str(city).startswith("city ") for city in named["city"])


def test_partial_dependence_is_that_of_scikit_learn(models):
    read = read_table(
        {"x": np.random.default_rng(3).normal(size=ROWS).tolist(), "z": np.arange(ROWS).tolist(), "y": [1.5, 2.5] * (ROWS // 2)}
    )
    schema, _ = infer_schema(read, "y", task="regression", ignore=())
    encoder = fit_encoder(read, schema, np.arange(ROWS))
    arrays = encoder.transform(read)
    assert encoder.numeric_names[0] == "x"
    model = RandomForestRegressor(10, random_state=0).fit(arrays.numeric, arrays.numeric[:, 0] * 2)
    column = encoder.columns[0]
    values = np.array([-1.0, 0.0, 1.0])
    found = partial_dependence(
        networks([model, model]), np.array([0.5, 0.5]), arrays, column, places(encoder)["x"], values, together=2 * ROWS
    )
    grid = np.unique(column.scaling(values.copy()))
    expected = reference_dependence(model, arrays.numeric, [0], custom_values={0: grid}, method="brute", kind="average")
    np.testing.assert_allclose(found.average[:, 0], expected["average"][0], rtol=1e-6)
    np.testing.assert_allclose(found.networks[1, :, 0], expected["average"][0], rtol=1e-6)


def test_a_curve_that_the_time_did_not_suffice_for_is_none(models, rows):
    _, encoder, arrays = encoded()
    column = encoder.columns[0]
    none = partial_dependence(
        networks([]), np.zeros(0), arrays, column, places(encoder)["age"], np.arange(3.0), together=1, passed=lambda: True
    )
    assert none is None
