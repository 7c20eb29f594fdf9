"""Text files of cells: encoding, delimiter, quoting and header found out; every cell handed on as text."""

import codecs
import contextlib
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.csv

from trainwell.data.cells import MISSING
from trainwell.errors import InputError, listed

SAMPLE_RECORDS = 200  # chosen: enough to see how a file is written
DELIMITERS = ("\t", ";", "|", ",")  # on a tie the earlier wins: text between commas is common, text between tabs is not
_NUMBER = re.compile(r"[+-]?[$€£¥]?(\d[\d.,]*|\.\d+)([eE][+-]?\d+)?\s?[$€£¥%]?")  # decimal commas and units too
_COUNT = re.compile(r"\d+")
_YEARS = (1900, 2100)  # chosen: whole numbers between are years where they name columns
FEWEST_COUNTED = 3  # chosen: so many numbers counted on from 0 or 1 are the places of columns
_DATE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}.*|\d{1,2}[./-]\d{1,2}[./-]\d{4}.*")
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's mark, so it is looked for first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Dialect(NamedTuple):
    """How a file separates and quotes its cells, and what its text needs before Arrow's reader takes it."""

    delimiter: str
    quote: str
    header: bool
    repair: Literal["none", "tabs", "quotes"] = "none"


def read_csv(path: Path, header: bool | None = None) -> tuple[pa.Table, tuple[str, ...], int]:
    """A text file as an Arrow table of text, with what was found out about it and the number of its first row.

    Parameters
    ----------
    path : the file; gzip is seen by its first bytes, whatever the name.
    header : whether the first line names the columns; found out when left out.

    Raises
    ------
    InputError : what is wrong, with the line where it is, in one sentence.
    """
    data, notes = as_utf8(path, _unpacked(path))
    skipped = len(data) - len(data.lstrip(b"\r\n"))
    blank_lines = data[:skipped].count(b"\n")
    data = data[skipped:]
    if not data.strip():
        raise InputError(f"{path} is empty; a table needs a line of column names and rows below it.")
    dialect = sniff(data, header)
    data = repaired(data, dialect)
    names = names_of(data, dialect)
    frame = parse(path, data, dialect, names, blank_lines)
    return frame, notes + naming_notes(names, dialect, header), 1 + blank_lines + dialect.header


def naming_notes(names: list[str], dialect: Dialect, header: bool | None) -> tuple[str, ...]:
    """What to say of columns that no line names."""
    if dialect.header or header is not None:
        return ()
    return (f"no column names in the first line: the columns are called {names[0]} to {names[-1]}",)


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise InputError(
            f"{path} is a gzip file that ends early or is damaged ({problem}); copy or download it again."
        ) from None


def as_utf8(path: Path, data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The text as UTF-8 without a byte order mark, and a note where the file was not UTF-8."""
    data = data.removeprefix(codecs.BOM_UTF8)
    encoding = next((name for mark, name in _WIDE_MARKS if data.startswith(mark)), None) or _encoding(data)
    if encoding == "utf-8":
        return data, ()
    if encoding is None:
        raise InputError(
            f"{path} is not a text file (it holds bytes that no text has); allowed are CSV (also .gz) and Parquet."
        )
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as problem:
        raise InputError(
            f"{path} begins as {encoding} text but cannot be read at byte {problem.start}; save it as UTF-8."
        ) from None
    note = () if encoding.startswith("utf") else (f"the file is not UTF-8: read as {encoding}",)
    return text.encode("utf-8"), note


def _encoding(data: bytes) -> str | None:
    """utf-8, utf-16-le/be, cp1252 or latin-1; None for what is no text."""
    head = data[: 1 << 16]
    if b"\0" in head:
        even, odd = head[::2].count(0), head[1::2].count(0)  # Latin letters in UTF-16 have one zero byte each
        wide = max(even, odd) > 0.4 * len(head) / 2 and min(even, odd) < 0.01 * len(head)
        return ("utf-16-be" if even > odd else "utf-16-le") if wide else None
    control = sum(head.count(byte) for byte in (*range(1, 9), *range(14, 27), *range(28, 32), 127))
    if control > 0.01 * len(head) or b"\0" in data:
        return None
    for encoding in ("utf-8", "cp1252"):
        if _decodes(data, encoding):
            return encoding
    return "latin-1"


def _decodes(data: bytes, encoding: str, chunk: int = 1 << 24) -> bool:
    """Whether all bytes are text of this encoding; in pieces, so that a large file is not held twice."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), chunk):
            decoder.decode(data[start : start + chunk])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def sniff(data: bytes, header: bool | None) -> Dialect:
    """How the cells are separated and quoted, from the first of them."""
    sample = data[: 1 << 18].decode("utf-8", errors="ignore")
    if len(data) > 1 << 18:
        sample = sample[: sample.rfind("\n")]
    quote = "'" if '"' not in sample and len(re.findall(r"(?m)(?:^|[,;\t|])\s*'[^'\n]*'\s*(?:[,;\t|]|$)", sample)) > 1 else '"'
    scores = {delimiter: _agreement(sample, delimiter, quote) for delimiter in DELIMITERS}
    delimiter = max(scores, key=lambda candidate: scores[candidate])
    repair: Literal["none", "tabs", "quotes"] = "none"
    if not scores[delimiter] and _is_spaced(sample):
        sample, delimiter, repair = _tabbed(sample.encode()).decode(), "\t", "tabs"
    elif any(re.match(f" +{quote}", cell) for record in _records(sample, delimiter, quote, False) for cell in record):
        repair = "quotes"
    records = _records(sample, delimiter, quote)
    found = _has_header(records) if header is None else header
    return Dialect(delimiter, quote, found, repair)


def repaired(data: bytes, dialect: Dialect) -> bytes:
    """The text, brought to what Arrow's reader takes where it is unusual."""
    if dialect.repair == "tabs":
        return _tabbed(data)
    return _quotes_closed_up(data, dialect.delimiter, dialect.quote) if dialect.repair == "quotes" else data


def _records(sample: str, delimiter: str, quote: str, blank_before_quote: bool = True) -> list[list[str]]:
    """The first records as Python's reader sees them, cells as they stand; with ``a, "b"`` holding a quoted cell or not."""
    text = io.StringIO(sample, newline="")
    reader = csv.reader(text, delimiter=delimiter, quotechar=quote, skipinitialspace=blank_before_quote)
    records: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # a cell of more than 128 kB: what came before it is enough
        records.extend(record for record in islice(reader, SAMPLE_RECORDS) if record)
    return records


def _agreement(sample: str, delimiter: str, quote: str) -> float:
    """The share of records that have the commonest number of cells; 0 where that is one cell."""
    counts = [len(record) for record in _records(sample, delimiter, quote)]
    if not counts:
        return 0.0
    common = max(set(counts), key=counts.count)
    if common == 1:  # of two records with unlike cells the first is the better witness
        return 1e-3 if counts[0] > 1 and len(counts) < 3 else 0.0
    return counts.count(common) / len(counts)


def _is_spaced(sample: str) -> bool:
    """Whether the lines are columns of numbers with blanks between them."""
    lines = [line.split() for line in sample.splitlines()[:SAMPLE_RECORDS] if line.strip()]
    body = [cell for line in lines[1:] or lines for cell in line]
    same = bool(lines) and len(lines[0]) > 1 and all(len(line) == len(lines[0]) for line in lines)
    return same and sum(_is_data(cell) for cell in body) > 0.8 * len(body)


def _quotes_closed_up(data: bytes, delimiter: str, quote: str) -> bytes:
    """``a, "b"`` as ``a,"b"``, which Arrow's reader takes for a quoted cell; a quote doubled inside a cell is left alone."""
    before, mark = re.escape(delimiter).encode(), quote.encode()
    return re.sub(before + rb" +" + mark + rb"(?!" + mark + rb"[^\r\n" + before + rb"])", delimiter.encode() + mark, data)


def _tabbed(data: bytes) -> bytes:
    return re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", re.sub(rb"[ \t]+", b"\t", data))


def _has_header(records: list[list[str]]) -> bool:
    """Whether the first record names the columns: text above numbers does; numbers, dates, '?' and values seen again do not."""
    if not records:
        return True
    first, *body = [[cell.strip() for cell in record] for record in records]
    columns = [[record[i] for record in body if i < len(record) and record[i] not in MISSING] for i in range(len(first))]
    for name, below in zip(first, columns, strict=True):
        if name and not _is_data(name) and below and all(_is_data(cell) for cell in below):
            return True
    if any(_is_data(name) for name in first):
        return _are_numbered(first, columns)
    repeated = sum(name in below for name, below in zip(first, columns, strict=True))
    return 2 * repeated <= len(first)


def _are_numbered(names: list[str], columns: list[list[str]]) -> bool:
    """Whether the first record names the columns by numbers and words, as ``0,1,2,label`` and ``country,2019,2020,class`` do:
    its numbers ascend, its words do not come again below, and no row of data would begin so.

    Places count on from 0 or 1 beside a column of words that come again; years and even steps lie outside of the numbers below.
    """
    words = [(name, below) for name, below in zip(names, columns, strict=True) if name and not _is_data(name)]
    counted = [(int(name), below) for name, below in zip(names, columns, strict=True) if _COUNT.fullmatch(name)]
    numbers = [number for number, _ in counted]
    steps = {second - first for first, second in pairwise(numbers)}
    if len(words) + len(counted) < sum(map(bool, names)) or any(name in below for name, below in words):
        return False
    if not (words and steps and min(steps) > 0):
        return False
    if len(numbers) >= FEWEST_COUNTED and numbers[0] in (0, 1) and steps == {1}:
        return any(len(set(below)) < len(below) for _, below in words)
    years = _YEARS[0] <= numbers[0] and numbers[-1] <= _YEARS[1]
    even = len(numbers) >= FEWEST_COUNTED and len(steps) == 1
    return (years or even) and all(_is_outside(number, below) for number, below in counted)


def _is_outside(number: int, cells: list[str]) -> bool:
    """Whether a number is smaller or larger than all of the cells, which are numbers."""
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return False
    return bool(values) and not min(values) <= number <= max(values)


def _is_data(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell) or (cell and cell in MISSING))


def names_of(data: bytes, dialect: Dialect) -> list[str]:
    """The names of the columns, those of the first line or numbered ones."""
    sample = data[: 1 << 20].decode("utf-8", errors="ignore")
    first = next(iter(_records(sample, dialect.delimiter, dialect.quote)), [])
    if not dialect.header:
        return [f"column_{i}" for i in range(1, len(first) + 1)]
    return [name.strip() or f"column_{i}" for i, name in enumerate(first, start=1)]


def parse(path: Path, data: bytes, dialect: Dialect, names: list[str], lines_before: int) -> pa.Table:
    """The cells of some whole lines as text; ``lines_before`` of them count in messages."""
    inner = [f"f{i}" for i in range(len(names))]  # Arrow's names, so that equal names reach our own message
    quoted = dialect.quote.encode() in data
    try:
        frame = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            pyarrow.csv.ReadOptions(column_names=inner, skip_rows_after_names=int(dialect.header), block_size=1 << 24),
            pyarrow.csv.ParseOptions(delimiter=dialect.delimiter, quote_char=dialect.quote, newlines_in_values=quoted),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(inner, pa.string()), check_utf8=False),
        )
    except pa.ArrowInvalid as problem:
        raise InputError(_parse_problem(path, data, lines_before, str(problem))) from None
    if quoted and _never_closed(frame, data, dialect.quote):
        raise InputError(f"{path} ends inside a quoted cell: a {dialect.quote} that opens a cell is never closed.")
    return frame.rename_columns(names)


def _parse_problem(path: Path, data: bytes, lines_before: int, problem: str) -> str:
    ragged = re.search(r"Expected (\d+) columns, got (\d+): (.*)", problem, re.DOTALL)
    if not ragged:
        return f"{path} cannot be read as a table: {problem.splitlines()[0]}."
    expected, got, text = ragged.groups()
    text = text.removesuffix(" ...") if len(text) > 80 else text
    position = max((b"\n" + data).find(b"\n" + text.encode()), 0)
    line = data.count(b"\n", 0, position) + 1 + lines_before
    return f"{path}, line {line}: {got} cells ({text[:60]!r}), but the first line has {expected}; every line needs as many."


def _never_closed(frame: pa.Table, data: bytes, quote: str) -> bool:
    if not frame.num_rows or data.rstrip().endswith(quote.encode()):
        return False
    last = [column[-1].as_py() for column in frame.columns]
    return any(cell and "\n" in cell and data.endswith(cell.encode()) for cell in last)


def check_names(names: list[str], source: str) -> None:
    """Refuse columns that share a name."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{source} has more than one column named {listed(twice)}; every column needs its own name.")
