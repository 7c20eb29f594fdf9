"""What the network is fed: fitted on training rows, the same for a row whatever rows are beside it, always finite."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trainwell.data.encode import Arrays, Encoder, fit_encoder
from trainwell.data.schema import infer_schema
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError

ROWS = 200
ALL = np.arange(ROWS)
RANDOM = np.random.default_rng(0)
FEATURE = RANDOM.normal(size=ROWS)
LETTERS = [chr(97 + i % 10) for i in range(ROWS)]
TARGET = ["no", "yes"] * (ROWS // 2)


def table(target=TARGET, **columns) -> Table:
    return read_table({"feature": FEATURE[: len(target)], **columns, "y": target})


def fit(given: Table, rows=ALL, **options) -> Encoder:
    return fit_encoder(given, infer_schema(given, "y", **options)[0], rows)


def encoded(name: str, column, rows=ALL, **options) -> tuple[list[str], np.ndarray]:
    """Names and values of what one column becomes, beside a feature that is left out here."""
    given = table(**{name: column})
    encoder = fit(given, rows, **options)
    chosen = [i for i, found in enumerate(encoder.numeric_names) if found != "feature"]
    return [encoder.numeric_names[i] for i in chosen], encoder.transform(given).numeric[:, chosen]


def squash(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_numbers_are_scaled_by_the_quartiles_of_training_rows_and_clipped_smoothly():
    train = ALL[:120]
    lower, median, upper = np.quantile(FEATURE[:120], (0.25, 0.5, 0.75))
    arrays = fit(table(), train).transform(table())
    np.testing.assert_allclose(arrays.numeric[:, 0], squash((FEATURE - median) / (upper - lower)), rtol=1e-5, atol=1e-6)
    assert np.abs(fit(table()).transform(table(feature=FEATURE * 1e30)).numeric).max() <= 3


def test_equal_quartiles_fall_back_on_the_distance_of_the_other_values_and_equal_values_on_zero():
    numbers = [0] * 180 + [10] * 8 + [4] * 12
    _, values = encoded("x", numbers)
    np.testing.assert_allclose(values[:, 0], squash(np.array(numbers) / 8), rtol=1e-6)  # twice the median distance, 4
    _, values = encoded("x", [7] * 100 + [8, 9] * 50, rows=ALL[:100])
    assert not values.any()


def test_the_smallest_and_largest_numbers_stay_finite():
    for numbers in ([5e-324, 0.0, 1e-310, 3e38] * 50, [1e-300 * i for i in range(199)] + [1e30], [-3e38, 3e38, 0, 1] * 50):
        _, values = encoded("x", numbers)
        assert np.isfinite(values).all()
        encoder = fit(table(target=np.array(numbers)), ALL[:120], task="regression")
        assert np.isfinite(encoder.transform(table(target=np.array(numbers))).target).all()


def test_large_offsets_cost_no_precision():
    times = 1.7e9 + np.arange(ROWS) ** 2 / 7
    _, values = encoded("x", times)
    lower, median, upper = np.quantile(times, (0.25, 0.5, 0.75))
    np.testing.assert_allclose(values[:, 0], squash((times - median) / (upper - lower)), rtol=1e-4, atol=1e-5)


def test_a_missing_number_is_the_median_and_says_so_in_its_own_column():
    cells = [None if place < 20 and place % 2 else place for place in range(ROWS)]  # where they are missing y is yes
    names, values = encoded("x", cells)
    assert names == ["x", "x is missing"]
    assert values[1].tolist() == [0, 1]
    assert values[:, 1].tolist() == [cell is None for cell in cells]
    assert encoded("x", cells, rows=ALL[20:])[0] == ["x"]  # no training row lacks it


def test_of_few_rows_only_missing_cells_that_go_with_the_target_are_told():
    cells = [None if place < 20 else place for place in range(ROWS)]
    names, values = encoded("x", cells)
    assert names == ["x"]
    assert not values[:20].any(), "the median all the same"
    assert fit(table(x=cells)).columns[1].missing, "it is no news that a cell is missing"
    many = {"feature": np.tile(FEATURE, 10), "x": [*cells, *range(9 * ROWS)], "y": TARGET * 10}
    assert "x is missing" in fit(read_table(many), np.arange(10 * ROWS)).numeric_names


def test_two_numbers_are_a_switch():
    names, values = encoded("x", [1, 2, None, 2] * 50)
    assert names == ["x", "x is missing"]
    assert values[:4].tolist() == [[0, 0], [1, 0], [0.5, 1], [1, 0]]
    encoder = fit(table(x=[0, 1] * 100))
    assert encoder.transform(table(x=[-5, 0.25, 9, 0] * 50)).numeric[:4, 1].tolist() == [0, 0.25, 1, 0]


def test_two_levels_are_a_switch():
    names, values = encoded("x", ["no", "yes", None, "yes"] * 50)
    assert names == ["x = yes", "x is missing"]
    assert values[:4].tolist() == [[0, 0], [1, 0], [0.5, 1], [1, 0]]


SPELLED = [["false", "true"], ["FALSE", "TRUE"], ["False", "True"], [False, True]]


@pytest.mark.parametrize("trained", SPELLED)
def test_a_boolean_is_the_level_that_is_the_same_word_in_any_case(trained):
    encoder = fit(table(member=trained * 100))
    for given in SPELLED:
        arrays = encoder.transform(table(member=given * 100))
        assert (arrays.numeric[:2, -1].tolist(), arrays.notes) == ([0, 1], ())


def test_of_two_spellings_that_are_levels_each_is_its_own():
    encoder = fit(table(member=["true", "TRUE", "no", "no"] * 50))
    rows = encoder.transform(read_table({"feature": [1.0] * 3, "member": ["TRUE", "true", "True"]}), with_target=False)
    assert rows.numeric[:, 1:].tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert rows.notes[0].message.startswith("1 cell of 'member' holds a category that training rows had seldom or never")


def test_up_to_eight_levels_have_a_column_each():
    names, values = encoded("x", ["b", "a", None, "c"] * 50)
    assert names == ["x = a", "x = b", "x = c", "x is missing"]
    assert values[:4].tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    assert fit(table(x=[str(i % 8) + "x" for i in ALL])).cardinalities == ()
    assert fit(table(x=[str(i % 9) + "x" for i in ALL])).cardinalities == (10,)


def test_more_levels_are_numbered_the_commonest_first_and_rare_ones_share_zero():
    levels = ["z"] * 50 + LETTERS[:140] + ["rare", "rare", *["three"] * 3, None, *["z"] * 4]
    given = table(x=levels)
    encoder = fit(given)
    arrays = encoder.transform(given)
    assert encoder.category_names == ("x",)
    assert encoder.cardinalities == (13,)
    codes = dict(zip(levels, arrays.categories[:, 0].tolist(), strict=True))
    assert codes == {"z": 1, **{letter: 2 + i for i, letter in enumerate("abcdefghij")}, "three": 12, "rare": 0, None: 0}


def test_a_hundred_thousand_levels_fit_in_a_thousand_slots():
    many = RANDOM.permutation(np.repeat(np.arange(100_000), 2 + (np.arange(100_000) < 1200)))
    cities = read_table({"n": RANDOM.normal(size=len(many)), "city": [f"c{i}" for i in many], "y": many % 2})
    encoder = fit(cities, np.arange(len(many)))
    assert encoder.cardinalities == (1001,)
    arrays = encoder.transform(cities)
    assert np.bincount(arrays.categories[:, 0]).tolist() == [len(many) - 3000, *[3] * 1000]
    assert [note.message.split(" hold ")[0] for note in arrays.notes] == ["198,200 cells of 'city'"]


def test_dates_become_what_goes_on_and_what_goes_round():
    days = [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in ALL]
    names, values = encoded("when", days)
    rounds = [f"when {part} {wave}" for part in ("month", "day", "weekday") for wave in ("sine", "cosine")]
    assert names == ["when days", *rounds]  # one year and no hour: nothing to learn from those
    assert (np.abs(values) <= 3).all()
    assert "when hour sine" in encoded("when", [f"{day} {i % 24:02d}:00" for i, day in enumerate(days)])[0]


def test_parts_of_dates_that_only_rounding_tells_apart_are_left_out():
    names, values = encoded("when", [f"2024-{1 + 6 * (i % 2):02d}-01 {12 * (i // 2 % 2):02d}:00" for i in ALL])
    assert names == ["when days", "when month cosine", "when hour cosine"]  # both sines are 0, and both days Mondays
    assert len(np.unique(values[:, 1])) == 2


def test_measurements_come_first():
    given = table(
        a=[1, 2] * 100,
        b=[None if place < 20 and place % 2 else place for place in range(ROWS)],
        c=["x", "y", "z", "x"] * 50,
        d=LETTERS,
    )
    encoder = fit(given, numbers=["b"])
    assert encoder.numeric_names == ("feature", "b", "a", "b is missing", "c = x", "c = y", "c = z")
    assert encoder.continuous == 2
    assert encoder.continuous_names == ("feature", "b")
    arrays = encoder.transform(given)
    assert arrays.numeric.shape == (ROWS, 7)
    assert arrays.categories.shape == (ROWS, 1)
    assert (arrays.numeric.dtype, arrays.categories.dtype) == (np.float32, np.int32)


def test_classes_are_numbered_and_numbers_standardized_by_training_rows():
    assert fit(table()).transform(table()).target.tolist() == [0, 1] * 100
    prices = RANDOM.lognormal(size=ROWS)
    encoder = fit(table(target=prices), ALL[:50])
    assert (encoder.target_mean, encoder.target_scale) == (prices[:50].mean(), prices[:50].std())
    target = encoder.transform(table(target=prices)).target
    assert target.dtype == np.float32
    np.testing.assert_allclose(target * encoder.target_scale + encoder.target_mean, prices, rtol=1e-5)


def test_no_row_but_the_training_rows_is_looked_at():
    train = ALL[:150]
    given = table(x=[None if i % 7 == 0 else i % 23 for i in ALL], l=LETTERS)
    strange = table(
        x=[None if i % 7 == 0 else i % 23 if i < 150 else 1000 + i for i in ALL],
        l=[*LETTERS[:150], *["new"] * 50],
        feature=[*FEATURE[:150], *[1e9] * 50],
    )
    schema = infer_schema(given, "y")[0]
    assert fit_encoder(given, schema, train) == fit_encoder(strange, schema, train)


def test_rows_keep_their_order_and_do_not_see_each_other():
    given = table(x=[None if i % 7 == 0 else i % 23 for i in ALL], l=LETTERS, w=[f"2024-01-{1 + i % 28:02d}" for i in ALL])
    encoder = fit(given)
    whole = encoder.transform(given)
    chosen = RANDOM.permutation(ROWS)[:37]
    for some in (encoder.transform(given.take(chosen)), whole.take(chosen)):
        np.testing.assert_array_equal(some.numeric, whole.numeric[chosen])
        np.testing.assert_array_equal(some.categories, whole.categories[chosen])
        np.testing.assert_array_equal(some.target, whole.target[chosen])


def test_a_row_without_a_target_can_be_encoded():
    arrays = fit(table()).transform(read_table({"feature": [1.0]}), with_target=False)
    assert len(arrays.target) == 0
    assert len(arrays.take(np.array([0])).target) == 0


def test_other_columns_are_passed_over_and_their_order_is_free():
    given = table(x=LETTERS)
    encoder = fit(given)
    other = read_table({"new": ["?"] * ROWS, "x": LETTERS, "feature": FEATURE})
    np.testing.assert_array_equal(encoder.transform(other, with_target=False).numeric, encoder.transform(given).numeric)


def test_a_table_is_encoded_alike_however_it_was_stored(tmp_path):
    frame = pd.DataFrame(
        {
            "number": FEATURE,
            "few": [1.0, 2.0, np.nan, 3.0] * 50,
            "flag": [True, False] * 100,
            "code": LETTERS,
            "kind": pd.Categorical([i % 11 for i in ALL]),
            "when": pd.date_range("2024-01-01", periods=ROWS, freq="7h"),
            "y": TARGET,
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    stored, text = read_table(frame), read_table(tmp_path / "t.csv")
    for trained in (stored, text):
        encoder = fit(trained, categories=["few", "kind"])
        one, other = encoder.transform(stored), encoder.transform(text)
        np.testing.assert_allclose(one.numeric, other.numeric, atol=1e-6)
        np.testing.assert_array_equal(one.categories, other.categories)
        assert one.notes == other.notes == ()


def says(encoder: Encoder, given: Table) -> list[str]:
    return [note.message for note in encoder.transform(given, with_target=False).notes]


def test_cells_that_do_not_fit_are_missing_and_said():
    encoder = fit(table(age=[20 + i % 50 for i in ALL], job=[f"j{i % 3}" for i in ALL], code=LETTERS))
    new = read_table(
        {
            "feature": ["1", "x", "inf", "2"],
            "age": ["20", "?", "old", "elder"],
            "job": ["j1", "j9", None, "j2"],
            "code": ["a", "q", "r", None],
        }
    )
    seldom = "a category that training rows had seldom or never"
    assert says(encoder, new) == [
        "1 cell of 'feature' is infinite or too large (for example 'inf' in row 3): treated as missing.",
        "1 cell of 'feature' is no number (for example 'x' in row 2): treated as missing.",
        "2 missing in 'feature', none in training rows: the middle of the training rows is used.",
        "2 cells of 'age' are no number (for example 'old' in row 3): treated as missing.",
        "3 missing in 'age', none in training rows: the middle of the training rows is used.",
        "1 missing in 'job', none in training rows: no level is used.",
        f"1 cell of 'job' holds {seldom} (for example 'j9' in row 2): treated as unknown.",
        f"2 cells of 'code' hold {seldom} (for example 'q' in row 2): treated as unknown.",
    ]
    arrays = encoder.transform(new, with_target=False)
    assert arrays.numeric[1:3, 0].tolist() == [0, 0]
    assert arrays.numeric[1:3, 2:].tolist() == [[0] * 3] * 2
    assert arrays.categories[:, 0].tolist() == [1, 0, 0, 0]


def test_a_table_that_cannot_be_encoded_is_refused():
    encoder = fit(table(age=[20 + i % 50 for i in ALL], when=[f"2024-01-{1 + i % 28:02d}" for i in ALL]))
    good = {"feature": [1.0, 2.0], "age": [30, 40], "when": ["2024-01-01", None]}
    for change, sentence in (
        (
            {"age": ["old", None]},
            "column 'age' of dict holds no number in any row (for example 'old' in row 1), but it held numbers in training.",
        ),
        (
            {"when": [None, 7]},
            "column 'when' of dict holds no date in any row (for example '7' in row 2), but it held dates in training.",
        ),
        (
            {"when": [[1], [2]]},
            "column 'when' of dict holds no date in any row (for example '[1]' in row 1), but it held dates in training.",
        ),
    ):
        with pytest.raises(InputError) as caught:
            encoder.transform(read_table({**good, **change}), with_target=False)
        assert str(caught.value) == sentence
    with pytest.raises(InputError) as caught:
        encoder.transform(read_table({"feature": [1.0], "Age": [3]}), with_target=False)
    assert str(caught.value) == "dict lacks 2 columns of the training table: 'age', did you mean 'Age'?; 'when'."
    with pytest.raises(InputError) as caught:
        encoder.transform(read_table({"feature": [1.0], "when": [None]}), with_target=False)
    assert str(caught.value) == "dict lacks a column of the training table: 'age'."


def test_a_category_of_lists_is_refused():
    encoder = fit(table(code=LETTERS))
    with pytest.raises(InputError) as caught:
        encoder.transform(read_table({"feature": [1.0], "code": [["a"]]}), with_target=False)
    assert (
        str(caught.value)
        == "column 'code' of dict holds cells of the type list<item: string>, but it held categories in training."
    )


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1)])
def test_a_category_of_bytes_is_refused(kind):
    encoder = fit(table(code=LETTERS))
    rows = read_table(pa.table({"feature": [1.0], "code": pa.array([b"a"], kind)}))
    with pytest.raises(
        InputError, match=r"column 'code' of DataFrame holds cells of the type .*binary.*, but it held categories"
    ):
        encoder.transform(rows, with_target=False)


def test_a_column_that_is_wholly_missing_is_the_middle():
    encoder = fit(table(age=[20 + i % 50 for i in ALL]))
    arrays = encoder.transform(read_table({"feature": [None], "age": ["?"]}), with_target=False)
    assert arrays.numeric.tolist() == [[0, 0]]


def everything() -> Encoder:
    return fit(
        table(
            a=[1, 2] * 100,
            b=[None if place < 20 and place % 2 else place for place in range(ROWS)],
            c=["x", "y", "z", "x"] * 50,
            d=LETTERS,
            e=[f"2024-01-{1 + i % 28:02d}" for i in ALL],
        ),
        numbers=["b"],
    )


def test_an_encoder_comes_back_from_json():
    encoder = everything()
    assert Encoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder
    assert Encoder.from_json(json.dumps(encoder.to_json())) == encoder


def changed(change) -> str:
    state = everything().to_json()
    change(state)
    with pytest.raises(InputError) as caught:
        Encoder.from_json(state)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop("schema"), "the encoder is damaged or was changed: schema: Field required."),
        (lambda state: state.update(target_scale=0), "target_scale is 0.0, allowed is a number above 0."),
        (lambda state: state.update(target_mean=float("nan")), "target_mean: Input should be a finite number."),
        (lambda state: state["columns"].pop(), "the encoded columns are not the features of the schema."),
        (
            lambda state: state["columns"][0].update(kind="spell"),
            "columns.0: Input tag 'spell' found using 'kind' does not match",
        ),
        (lambda state: state["columns"][0].update(scaling=[0.0]), "columns.0.measurement.scaling"),
        (lambda state: state["columns"][0].update(scaling=[float("inf"), 1.0]), "columns.0.measurement.scaling"),
        (lambda state: state["columns"][0].update(style="odd"), "columns.0.measurement.style: Input should be 'plain', "),
        (lambda state: state["columns"][5].update(style="odd"), "columns.5.date: 'odd' is no style of dates."),
        (lambda state: state["columns"][0].update(extra=1), "columns.0.measurement.extra: Unexpected keyword argument."),
        (
            lambda state: state["columns"][1].update(low=2.0),
            "columns.1.two numbers: low is 2.0, allowed is a number below high, 2.0.",
        ),
        (lambda state: state["columns"][3].update(levels=["x", "x"]), "switches: a level is there twice."),
        (lambda state: state["columns"][4].update(levels=["x", "x"]), "embedded: a level is there twice."),
        (lambda state: state["columns"][5]["parts"].update(soul=[0.0, 1.0]), "date: 'soul' is no part of a date."),
    ],
)
def test_a_changed_encoder_is_refused(change, says):
    assert says in changed(change)


def test_arrays_hold_what_they_were_given():
    arrays = Arrays(np.zeros((3, 0), np.float32), np.zeros((3, 1), np.int32))
    assert arrays.take(np.array([2, 0])).categories.shape == (2, 1)
    assert arrays.notes == ()
