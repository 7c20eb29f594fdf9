"""Dates: found in text, and taken apart into the numbers that a network can use."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells
from trainwell.data.arrow_arrays import numpy_of, of_numbers

_DAY = r"(?P<day>\d{1,2})"
_TIME = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?)?"
_ISO_TIME = r"(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z| UTC| ?[+-]\d{2}(?::?\d{2})?)?)?"

# How a style looks, and the words in which strptime reads its day. Month first comes before day first: text that reads both
# ways (every day is 12 or less) is taken the American way, as pandas takes it, and `infer_schema` says so.
STYLES: dict[str, tuple[str, str]] = {
    "year-month-day": (rf"^\d{{4}}-\d{{2}}-{_DAY}{_ISO_TIME}$", "%Y-%m-%d"),
    "year/month/day": (rf"^\d{{4}}/\d{{1,2}}/{_DAY}{_TIME}$", "%Y/%m/%d"),
    "month/day/year": (rf"^\d{{1,2}}/{_DAY}/\d{{4}}{_TIME}$", "%m/%d/%Y"),
    "day/month/year": (rf"^{_DAY}/\d{{1,2}}/\d{{4}}{_TIME}$", "%d/%m/%Y"),
    "month-day-year": (rf"^\d{{1,2}}-{_DAY}-\d{{4}}{_TIME}$", "%m-%d-%Y"),
    "day-month-year": (rf"^{_DAY}-\d{{1,2}}-\d{{4}}{_TIME}$", "%d-%m-%Y"),
    "day.month.year": (rf"^{_DAY}\.\d{{1,2}}\.\d{{4}}{_TIME}$", "%d.%m.%Y"),
    "day-Mon-year": (rf"^{_DAY}-[A-Za-z]{{3}}-\d{{4}}{_TIME}$", "%d-%b-%Y"),
    "day Mon year": (rf"^{_DAY} [A-Za-z]{{3}} \d{{4}}{_TIME}$", "%d %b %Y"),
    "Mon day, year": (rf"^[A-Za-z]{{3}} {_DAY}, \d{{4}}{_TIME}$", "%b %d, %Y"),
}
SAMPLE = 1000  # chosen: of so many different cells, one shows a style that 95% of them have
_CLOCK = r"[ T](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
_HALF = r"(?P<half>[AaPp])[Mm]$"
_ZONE = r"\d{2}:\d{2}.*(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?$"
DIGITS = 12  # chosen: of a wave's value; what lies beyond is rounding, and the sine of half a turn is 0


class Seconds(NamedTuple):
    """Seconds since 1970 (UTC where the text names a zone), NaN where there is no date; and cells that hold something else."""

    values: np.ndarray
    unreadable: np.ndarray


def date_style(column: pa.ChunkedArray) -> str | None:
    """The name of the style in which at least 95% of the filled cells read as dates, or None."""
    if cells.is_date(column):
        return "timestamp"
    if not cells.is_text(column):
        return None
    texts, counts = cells.distinct(column)
    may_be = [style for style, (pattern, _) in STYLES.items() if _any_matches(texts[:SAMPLE], pattern)]
    fitting = {style: counts[~seconds(texts, style).unreadable].sum() for style in may_be}
    best = max(fitting, key=lambda style: fitting[style], default=None)  # the first of equals, in the order above
    return best if best and fitting[best] >= cells.READABLE_SHARE * counts.sum() else None


def is_ambiguous(column: pa.ChunkedArray, style: str) -> bool:
    """Whether the day and the month of every cell could as well be exchanged."""
    other = {"month/day/year": "day/month/year", "month-day-year": "day-month-year"}.get(style)
    return other is not None and not seconds(column.drop_null(), other).unreadable.any()


def seconds(column: pa.ChunkedArray, style: str) -> Seconds:
    """Every cell as seconds since 1970, read in one style (timestamps read themselves)."""
    if cells.is_date(column):
        values = (
            np.asarray(numpy_of(column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64())), float) / 1000
        )
        return Seconds(np.where(cells.missing_mask(column), np.nan, values), np.zeros(len(column), bool))
    filled = ~cells.missing_mask(column)
    style = "year-month-day" if style == "timestamp" else style  # trained on a data frame, now read from text
    if not cells.is_text(column) or style not in STYLES:
        return Seconds(np.full(len(column), np.nan), filled)
    distinct = column.dictionary_encode().combine_chunks()
    values = np.append(_read_text(distinct.dictionary, style), np.nan)
    positions = numpy_of(distinct.indices.fill_null(len(values) - 1))
    return Seconds(values[positions], filled & np.isnan(values[positions]))


PARTS = ("days", "year", *(f"{name} {wave}" for name in ("month", "day", "weekday", "hour") for wave in ("sine", "cosine")))


def parts(values: np.ndarray, first: float) -> dict[str, np.ndarray]:
    """The numbers taken from dates: what goes round is a sine and a cosine, so that December is beside January.

    ``days`` is the time since ``first`` (the first date of the training rows), in days.
    """
    known = np.isfinite(values)
    stamps = of_numbers(np.where(known, values, 0).astype("int64"), pa.timestamp("s"))
    hour = np.mod(values, 86400) / 3600
    numbers = {"days": (values - first) / 86400, "year": _field(pc.year(stamps), known)}
    rounds = {
        "month": (_field(pc.month(stamps), known) - 1, 12),
        "day": (_field(pc.day(stamps), known) - 1, 31),
        "weekday": (_field(pc.day_of_week(stamps), known), 7),
        "hour": (hour, 24),
    }
    for name, (position, period) in rounds.items():
        numbers[f"{name} sine"] = np.sin(2 * np.pi * position / period).round(DIGITS)
        numbers[f"{name} cosine"] = np.cos(2 * np.pi * position / period).round(DIGITS)
    return numbers


def _any_matches(texts: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def _read_text(texts: pa.Array, style: str) -> np.ndarray:
    pattern, words = STYLES[style]
    texts = pc.if_else(pc.match_substring_regex(texts, pattern), texts, pa.scalar(None, texts.type))
    date = pc.replace_substring_regex(texts, r"[T ]?\d{1,2}:\d{2}.*$", "")
    midnight = pc.strptime(date, format=words, unit="s", error_is_null=True)
    exists = _float(pc.day(midnight)) == _group(pc.extract_regex(texts, pattern), "day")  # strptime makes 30 February 1 March
    return np.where(exists, _float(midnight.cast(pa.int64())), np.nan) + _seconds_of_day(texts) - _seconds_of_zone(texts)


def _seconds_of_day(texts: pa.Array) -> np.ndarray:
    clock = pc.extract_regex(texts, _CLOCK)
    hour, minute, second = (_group(clock, name) for name in ("hour", "minute", "second"))
    half = pc.utf8_lower(pc.struct_field(pc.extract_regex(texts, _HALF), "half")).fill_null("")
    before, after = (np.asarray(numpy_of(pc.equal(half, letter)), bool) for letter in "ap")
    on_clock = np.where(before | after, (hour >= 1) & (hour <= 12), hour < 24)  # 12 AM is midnight, 12 PM noon
    hour = np.where(before | after, hour % 12, hour) + 12 * after
    known = on_clock & (minute < 60) & (second < 61)
    return np.where(known, 3600 * hour + 60 * minute + second, np.nan)


def _seconds_of_zone(texts: pa.Array) -> np.ndarray:
    zone = pc.extract_regex(texts, _ZONE)
    minus = numpy_of(pc.equal(pc.struct_field(zone, "sign"), "-").fill_null(False))
    return np.where(minus, -1, 1) * (3600 * _group(zone, "hours") + 60 * _group(zone, "minutes"))


def _group(found: pa.StructArray, name: str) -> np.ndarray:
    """A named group as numbers, 0 where it is not there."""
    text = pc.struct_field(found, name)
    return _float(pc.if_else(pc.equal(text, ""), "0", text).fill_null("0").cast(pa.float64()))


def _float(column: pa.Array) -> np.ndarray:
    return np.asarray(numpy_of(column), float)


def _field(column: pa.Array, known: np.ndarray) -> np.ndarray:
    return np.where(known, _float(column), np.nan)
