"""Cells as numbers and labels: decided for a column, then the same for every cell."""

import numpy as np
import pyarrow as pa
import pytest

from trainwell.data import cells


def column(*values) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


@pytest.mark.parametrize(
    ("texts", "style", "numbers"),
    [
        (["12", "-3.5", "+.5", "7.", "1e-3", "2E+2"], "plain", [12, -3.5, 0.5, 7, 1e-3, 200]),
        (["1,234", "12", "1,234,567.5"], "grouped", [1234, 12, 1234567.5]),
        (["$1,200.50", "$3", "$-4"], "grouped", [1200.5, 3, -4]),
        (["12 %", "3%", "-4.5%"], "grouped", [12, 3, -4.5]),
        (["1 234", "12'000", "7"], "grouped", [1234, 12000, 7]),
        (["1,5", "-2,25", "3"], "comma", [1.5, -2.25, 3]),
        (["1.234,5", "12"], "comma", [1234.5, 12]),
        (["3,50 €", "4 €"], "comma", [3.5, 4]),
    ],
)
def test_numbers_are_read_as_they_are_written(texts, style, numbers):
    assert cells.number_style(column(*texts)) == style
    np.testing.assert_allclose(cells.numbers(column(*texts), style).values, numbers)


@pytest.mark.parametrize(
    "text", ["abc", "1d5", "0x10", "1_000", "1-2", "12:30", "2024-01-01", "٣", "1,2,3", "1.2.3", "e5", "-"]
)
def test_what_is_no_number_is_not_read_as_one(text):
    assert cells.number_style(column(text)) is None
    read = cells.numbers(column(text, "5"))
    assert np.isnan(read.values[0])
    assert read.values[1] == 5
    assert read.unreadable.tolist() == [True, False]


def test_a_column_is_numeric_from_95_percent_of_its_cells_on():
    assert cells.number_style(column(*["1"] * 95, *["x"] * 5, None, None)) == "plain"
    assert cells.number_style(column(*["1"] * 94, *["x"] * 6)) is None


def test_thousands_and_decimal_commas_count_only_when_every_cell_agrees():
    assert cells.number_style(column(*["1,234"] * 99, "x")) is None
    assert cells.number_style(column(*["1,5"] * 99, "x")) is None


def test_infinities_are_told_from_numbers():
    for values in (column("1", "inf", "-Infinity", "1e999", None), column(1.0, np.inf, -np.inf, np.inf, None)):
        read = cells.numbers(values)
        assert read.infinite.tolist() == [False, True, True, True, False]
        np.testing.assert_array_equal(read.values, [1, np.nan, np.nan, np.nan, np.nan])
        assert not read.unreadable.any()
    assert cells.numbers(column(1e38, 4e38)).infinite.tolist() == [False, True]  # a float32 ends at 3.4e38


def test_a_cell_reads_the_same_whatever_its_neighbours():
    texts = ["5", "+5", "5.", ".5", "1e400", "nan", "inf", "-inf", "Infinity", "1e-400", "x", "1E5", "-0"]
    alone = [cells.numbers(column(text)).values[0] for text in texts]
    np.testing.assert_array_equal(cells.numbers(column(*texts)).values, alone)


def test_a_label_is_the_same_however_the_table_was_stored():
    for values in (column(1, 2, None), column(1.0, 2.0, np.nan), column("1", "2", None), column("1.0", "2.0", None)):
        assert cells.labels(values).to_pylist() == ["1", "2", None]
        assert cells.labels(values.dictionary_encode()).to_pylist() == ["1", "2", None]
    assert cells.labels(column(True, False)).to_pylist() == ["True", "False"]
    assert cells.labels(column("007", "1.50", "1.5")).to_pylist() == ["007", "1.50", "1.5"]


def test_beside_a_plus_a_minus_is_a_value():
    assert cells.clean(column("+", "-", "?"))[0].to_pylist() == ["+", "-", None]
    assert cells.clean(column("1", "-", "?"))[0].to_pylist() == ["1", None, None]


def test_missing_words_become_null_and_are_counted():
    texts = [*cells.MISSING, "none", "no", "x"]
    cleaned, found = cells.clean(column(*texts, None, "  ?\t"))
    assert cleaned.drop_null().to_pylist() == ["none", "no", "x"]
    assert found == {**dict.fromkeys(cells.MISSING, 1), "?": 2}
