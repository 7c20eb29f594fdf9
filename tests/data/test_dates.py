"""Dates in text, and the numbers taken from them."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trainwell.data import dates


def column(*values) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


def stamp(*parts: int) -> float:
    return datetime.datetime(*parts, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "style", "when"),
    [
        ("2024-02-29", "year-month-day", (2024, 2, 29)),
        ("2024-02-29 13:45", "year-month-day", (2024, 2, 29, 13, 45)),
        ("2024-02-29T13:45:10.25", "year-month-day", (2024, 2, 29, 13, 45, 10)),
        ("2024-02-29T13:45:10Z", "year-month-day", (2024, 2, 29, 13, 45, 10)),
        ("2024-02-29 13:45:10+02:00", "year-month-day", (2024, 2, 29, 11, 45, 10)),
        ("2024-02-29 13:45:10-0130", "year-month-day", (2024, 2, 29, 15, 15, 10)),
        ("2024-01-05 10:30:00+00", "year-month-day", (2024, 1, 5, 10, 30)),
        ("2024-01-05 10:30:00.123456+05", "year-month-day", (2024, 1, 5, 5, 30)),
        ("2024-01-05 10:30:00 -0130", "year-month-day", (2024, 1, 5, 12)),
        ("2024-01-05T10:30:00 UTC", "year-month-day", (2024, 1, 5, 10, 30)),
        ("2024-01-05 10:30:00.123456 UTC", "year-month-day", (2024, 1, 5, 10, 30)),
        ("1/5/2024 3:30 PM", "month/day/year", (2024, 1, 5, 15, 30)),
        ("1/5/2024 3:30:10am", "month/day/year", (2024, 1, 5, 3, 30, 10)),
        ("05 Jan 2024 12:05 AM", "day Mon year", (2024, 1, 5, 0, 5)),
        ("Jan 05, 2024 12:05 pm", "Mon day, year", (2024, 1, 5, 12, 5)),
        ("2024/2/9 1:05", "year/month/day", (2024, 2, 9, 1, 5)),
        ("02/29/2024", "month/day/year", (2024, 2, 29)),
        ("29/02/2024 23:59:59", "day/month/year", (2024, 2, 29, 23, 59, 59)),
        ("2-29-2024", "month-day-year", (2024, 2, 29)),
        ("29-02-2024", "day-month-year", (2024, 2, 29)),
        ("29.02.2024", "day.month.year", (2024, 2, 29)),
        ("29-Feb-2024", "day-Mon-year", (2024, 2, 29)),
        ("29 Feb 2024 07:00", "day Mon year", (2024, 2, 29, 7)),
        ("Feb 29, 2024", "Mon day, year", (2024, 2, 29)),
        ("1850-01-01", "year-month-day", (1850, 1, 1)),
    ],
)
def test_common_styles_are_found_and_read(text, style, when):
    assert dates.date_style(column(text, None)) == style
    read = dates.seconds(column(text, None, "nonsense"), style)
    np.testing.assert_array_equal(read.values, [stamp(*when), np.nan, np.nan])
    assert read.unreadable.tolist() == [False, False, True]


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "2024-13-01",
        "2024-1-1",
        "24-01-01",
        "12:30",
        "1/2/24",
        "32/01/2024",
        "2024-01-01 25:00",
        "may",
        "1/1/2024 13:30 PM",
        "1/1/2024 0:30 AM",
        "2024-01-05 10:30 CET",
    ],
)
def test_what_is_no_date_is_not_read_as_one(text):
    assert dates.date_style(column(text)) is None


def test_one_telling_cell_decides_between_day_and_month_first():
    assert dates.date_style(column("01/02/2024", "13/02/2024")) == "day/month/year"
    assert dates.date_style(column("01/02/2024", "02/13/2024")) == "month/day/year"


def test_dates_that_read_both_ways_are_ambiguous():
    assert dates.date_style(column("01/02/2024", "03/04/2024")) == "month/day/year"
    assert dates.is_ambiguous(column("01/02/2024", None), "month/day/year")
    assert not dates.is_ambiguous(column("01/02/2024", "02/13/2024"), "month/day/year")
    assert not dates.is_ambiguous(column("2024-01-02"), "year-month-day")


def test_a_few_wrong_cells_do_not_hide_dates():
    assert dates.date_style(column(*["2024-01-01"] * 19, "soon")) == "year-month-day"
    assert dates.date_style(column(*["2024-01-01"] * 18, "soon", "later")) is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_every_unit_and_zone_read_themselves(unit):
    for zone in (None, "UTC"):
        stamps = pa.chunked_array([pa.array([0, None], pa.timestamp(unit, zone))])
        assert dates.date_style(stamps) == "timestamp"
        np.testing.assert_array_equal(dates.seconds(stamps, "timestamp").values, [0, np.nan])


def test_a_model_of_timestamps_reads_text():
    assert dates.seconds(column("1970-01-02"), "timestamp").values.tolist() == [86400]


def test_the_parts_are_those_of_the_calendar():
    times = pd.Timestamp("2024-02-29 18:00"), pd.Timestamp("1969-12-31 06:00")
    values = np.array([time.timestamp() for time in times] + [np.nan])
    parts = dates.parts(values, first=values[0])
    np.testing.assert_allclose(parts["days"], [0, (values[1] - values[0]) / 86400, np.nan])
    np.testing.assert_array_equal(parts["year"], [2024, 1969, np.nan])
    for name, period, position in (
        ("month", 12, [time.month - 1 for time in times]),
        ("day", 31, [time.day - 1 for time in times]),
        ("weekday", 7, [time.day_of_week for time in times]),
        ("hour", 24, [time.hour for time in times]),
    ):
        angle = 2 * np.pi * np.array([*position, np.nan]) / period
        np.testing.assert_allclose(parts[f"{name} sine"], np.sin(angle), atol=1e-12)
        np.testing.assert_allclose(parts[f"{name} cosine"], np.cos(angle), atol=1e-12)


def test_what_is_half_a_turn_and_what_is_none_are_the_same_sine():
    values = np.array([stamp(2024, 1, 1), stamp(2024, 7, 1), stamp(2025, 1, 1, 12)])
    parts = dates.parts(values, values[0])
    np.testing.assert_array_equal(parts["month sine"], 0)
    np.testing.assert_array_equal(parts["hour sine"], 0)
