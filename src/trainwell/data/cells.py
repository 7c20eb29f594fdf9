"""Cells of one column: what counts as missing, and text read as numbers, dates or labels.

A column is a `pyarrow.ChunkedArray` of text, numbers, booleans, dates or categories. Reading is decided once for a whole column
(its *style*), kept, and then done cell by cell, so that a row reads the same whatever its neighbours are.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data.arrow_arrays import numpy_of, of_levels, of_texts

# Cells that say "nothing here". "none", "na" and "no" are left alone: tables use them as categories (german_credit: "none").
MISSING = (
    "",
    "?",
    "-",
    "--",
    ".",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "#NA",
    "<NA>",
    "NaN",
    "nan",
    "-nan",
    "NaT",
    "NULL",
    "null",
    "None",
)

# As JSON, Python (and so a boolean cell of any table) and spreadsheets write them.
TRUTHS = (("true", "True", "TRUE"), ("false", "False", "FALSE"))

LARGEST = float(np.finfo(np.float32).max)  # networks count in float32: what is beyond it is infinite to them
READABLE_SHARE = 0.95  # chosen: a few typing errors do not make a measurement a category; one cell in twenty is no typing error

_PLAIN = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?i:inf(?:inity)?|nan)$"
_SYMBOLS = r"^(?:[$€£¥]\s?)?([+-]?[\d.,'\s\x{00a0}\x{202f}]+?)\s?[$€£¥%]?$"
_SPACES = r"['\s\x{00a0}\x{202f}]"
_GROUPED = r"^[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?$"
_COMMA = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$"


NumberStyle = Literal["plain", "grouped", "comma"]


class Numbers(NamedTuple):
    """Numbers of one column, NaN where there is none, and why: cells that hold no number, cells beyond float32."""

    values: np.ndarray
    unreadable: np.ndarray
    infinite: np.ndarray


def is_text(column: pa.ChunkedArray) -> bool:
    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)


def is_number(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def is_date(column: pa.ChunkedArray) -> bool:
    return pa.types.is_timestamp(column.type)


def is_category(column: pa.ChunkedArray) -> bool:
    return pa.types.is_dictionary(column.type)


def clean(column: pa.ChunkedArray, signs: bool | None = None) -> tuple[pa.ChunkedArray, dict[str, int]]:
    """Text without the blanks around it and null where it stands for missing; and how often each such word stood there.

    Whether a minus is a ``signs`` column's value rather than a missing cell is found out from the cells when left out.
    """
    column = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(column, value_set=of_levels(MISSING))
    if not pc.any(missing).as_py():
        return column, {}
    if has_plus(column) if signs is None else signs:  # where there is a plus, a minus is a sign
        missing = pc.and_(missing, pc.invert(pc.equal(column, "-").fill_null(False)))
    counted = pc.value_counts(column.filter(missing))
    found = {entry["values"].as_py(): entry["counts"].as_py() for entry in counted}
    return pc.if_else(missing, pa.scalar(None, column.type), column), found


def has_plus(column: pa.ChunkedArray) -> bool:
    """Whether a cell of a column of text is a plus and nothing else."""
    return bool(pc.any(pc.equal(column, "+")).as_py())


def missing_mask(column: pa.ChunkedArray) -> np.ndarray:
    """True where a cell is empty; NaN is empty too."""
    return _numpy(pc.is_null(column, nan_is_null=pa.types.is_floating(column.type)))


def number_style(column: pa.ChunkedArray) -> NumberStyle | None:
    """How the numbers of a column are written, or None where it holds none.

    ``"plain"`` (12.5, 1e-3) when at least 95% of the cells that are not empty read so; ``"grouped"`` (1,234.5 or $1 234 or 12%)
    or ``"comma"`` (1.234,5) only when every cell agrees. Text that reads both ways (1,234) is taken as grouped.
    """
    if is_number(column):
        return "plain"
    if not (is_text(column) or is_category(column)):
        return None
    if column.null_count == len(column):
        return None
    if not _read_text(_decoded(column), "plain")[1].any():
        return "plain"
    texts, counts = distinct(_decoded(column))
    needs: tuple[tuple[NumberStyle, float], ...] = (("plain", READABLE_SHARE), ("grouped", 1.0), ("comma", 1.0))
    for style, needed in needs:
        if counts[~numbers(texts, style).unreadable].sum() >= needed * counts.sum():
            return style
    return None


def distinct(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, np.ndarray]:
    """The different cells that are not null and how often each is there: what is decided for a column is decided on these."""
    counted = pc.value_counts(column.drop_null())
    return pa.chunked_array([counted.field("values")]), np.asarray(counted.field("counts"))


def numbers(column: pa.ChunkedArray, style: str = "plain") -> Numbers:
    """Every cell as a float64, NaN where it is empty, unreadable or infinite."""
    column = _decoded(column)
    if is_number(column):
        values, unreadable = _numpy(column.cast(pa.float64(), safe=False)), np.zeros(len(column), bool)
    elif is_text(column):
        values, unreadable = _read_text(column, style)
    else:
        values, unreadable = np.full(len(column), np.nan), ~missing_mask(column)
    infinite = np.abs(values) > LARGEST
    if infinite.any():
        values = np.where(infinite, np.nan, values)
    return Numbers(values, unreadable, infinite)


def labels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Every cell as the text of a category; 1, 1.0 and "1.0" are one label, "1", however the table was stored."""
    column = _decoded(column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    distinct = column.dictionary_encode().combine_chunks()
    values = distinct.dictionary
    if pa.types.is_boolean(values.type):
        values = of_texts([str(value) for value in values.to_pylist()])
    values = pc.replace_substring_regex(values.cast(pa.string()), r"^([+-]?\d+)\.0*$", r"\1")
    return pa.chunked_array([values.take(distinct.indices)], pa.string())


def spellings(levels: Sequence[str]) -> dict[str, str]:
    """The other spellings of the levels that are true or false, and the level that each stands for.

    >>> spellings(["no", "true"])
    {'True': 'true', 'TRUE': 'true'}
    >>> spellings(["true", "TRUE"])  # which tell something apart
    {}
    """
    found: dict[str, str] = {}
    for words in TRUTHS:
        own = [level for level in levels if level.lower() == words[0]]
        if len(own) == 1:
            found |= {word: own[0] for word in words if word != own[0]}
    return found


def words_per_cell(texts: pa.Array) -> float:
    """Mean number of words, of the given distinct texts."""
    return float(pc.mean(pc.add(pc.count_substring_regex(texts, r"\s+"), 1)).as_py() or 0.0)


def _read_text(column: pa.ChunkedArray, style: str) -> tuple[np.ndarray, np.ndarray]:
    if style == "plain":
        try:  # the fast road: every cell reads
            return _numpy(column.cast(pa.float64())), np.zeros(len(column), bool)
        except pa.ArrowInvalid:
            fits, plain = pc.match_substring_regex(column, _PLAIN), column
    else:
        bare = pc.replace_substring_regex(pc.replace_substring_regex(column, _SYMBOLS, r"\1"), _SPACES, "")
        fits = pc.match_substring_regex(bare, _GROUPED if style == "grouped" else _COMMA)
        plain = pc.replace_substring(bare, "," if style == "grouped" else ".", "")
        plain = plain if style == "grouped" else pc.replace_substring(plain, ",", ".")
    values = pc.if_else(fits, plain, pa.scalar(None, column.type)).cast(pa.float64())
    return _numpy(values), _numpy(pc.invert(fits).fill_null(False))


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if is_category(column) else column


def _numpy(column: pa.ChunkedArray) -> np.ndarray:
    return numpy_of(column)
