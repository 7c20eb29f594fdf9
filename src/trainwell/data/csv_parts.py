"""A text file of cells in parts of whole lines: one look at every byte finds where they begin, then any part is read alone."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from trainwell.data import csv_text
from trainwell.data.csv_text import Dialect
from trainwell.data.parts import Frame

PART_BYTES = 1 << 22  # chosen: text in memory at a time
LONGEST_RECORD = 4  # chosen: parts without an end of a record, after which quotes are not taken as such
HEAD_BYTES = 1 << 20  # what the dialect and the names are found in


@dataclass(frozen=True)
class CsvParts:
    """A text file in UTF-8 or an encoding of one byte a letter, not compressed.

    Parameters
    ----------
    path : of the file.
    dialect, names : how its cells are separated, and the columns.
    ends : the byte at which each part begins, and the end of the file.
    lines : lines before each part, and the lines of all, from the first that is not empty on, without that of the names.
    first_row : the number of the first row as the user sees it.
    notes : what was found out.
    """

    path: Path
    dialect: Dialect
    names: tuple[str, ...]
    ends: np.ndarray
    lines: np.ndarray
    first_row: int
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return self.names

    @property
    def rows(self) -> int:
        return int(self.lines[-1])

    @property
    def parts(self) -> int:
        return len(self.ends) - 1

    @property
    def bytes_held(self) -> int:
        """The text as it was read, and its cells."""
        return 2 * int(self.ends[-1] - self.ends[0])

    def part_rows(self, part: int) -> int:
        return int(self.lines[part + 1] - self.lines[part])

    def frames(self, part: int, columns: Sequence[str] | None = None) -> Iterator[Frame]:
        """All rows of a part at once."""
        yield Frame(int(self.lines[part]), partial(self._load, part, columns))

    def _load(self, part: int, columns: Sequence[str] | None) -> pa.Table:
        begin, end = int(self.ends[part]), int(self.ends[part + 1])
        with self.path.open("rb") as file:
            file.seek(begin)
            data = file.read(end - begin)
        data, _ = csv_text.as_utf8(self.path, data)
        data = csv_text.repaired(data, self.dialect)
        dialect = self.dialect._replace(header=self.dialect.header and part == 0)
        before = self.first_row - 1 - dialect.header + int(self.lines[part])  # lines above those of the data
        frame = csv_text.parse(self.path, data, dialect, list(self.names), before)
        return frame if columns is None else frame.select(list(columns))


def open_csv(path: Path, header: bool | None = None) -> CsvParts | None:
    """The file; None for one that cannot be read in parts: compressed, in two bytes a letter, or without line ends.

    Its quotes are followed through the whole file, so that a quoted cell of several lines stays in one part.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    wide = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if head.startswith((b"\x1f\x8b", *wide)) or b"\0" in head or b"\n" not in head:
        return None
    begin = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    text = head[begin:].lstrip(b"\r\n")
    blank_lines = head[begin : len(head) - len(text)].count(b"\n")
    whole = text[: text.rfind(b"\n") + 1]
    if not whole.strip():
        return None
    found, notes = csv_text.as_utf8(path, whole)
    dialect = csv_text.sniff(found, header)
    names = csv_text.names_of(csv_text.repaired(found, dialect), dialect)
    ends, lines = _index(path, len(head) - len(text), dialect.quote.encode())
    lines[1:] -= dialect.header
    notes += csv_text.naming_notes(names, dialect, header)
    return CsvParts(path, dialect, tuple(names), ends, lines, 1 + blank_lines + dialect.header, notes)


def _index(path: Path, begin: int, quote: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(bytes at which parts begin and the last ends, lines before each and in all)."""
    ends, lines, kept = [begin], [0], b""
    with path.open("rb") as file:
        file.seek(begin)
        while read := file.read(PART_BYTES):
            kept += read
            end, count = _last_record(kept, quote)
            if not end and len(kept) > LONGEST_RECORD * PART_BYTES:
                end, count = kept.rfind(b"\n") + 1, kept.count(b"\n")
            if end:
                ends.append(ends[-1] + end)
                lines.append(lines[-1] + count)
                kept = kept[end:]
    if kept.strip():
        ends.append(ends[-1] + len(kept))
        lines.append(lines[-1] + max(1, _last_record(kept + b"\n", quote)[1]))
    return np.array(ends, np.int64), np.array(lines, np.int64)


def _last_record(data: bytes, quote: bytes) -> tuple[int, int]:
    """(the byte after the last line end outside quotes, how many such line ends there are); the data begins a record."""
    if quote not in data:
        return data.rfind(b"\n") + 1, data.count(b"\n")
    letters = np.frombuffer(data, np.uint8)
    line_ends = np.flatnonzero(letters == ord("\n"))
    quotes_before = np.searchsorted(np.flatnonzero(letters == ord(quote)), line_ends)
    outside = line_ends[quotes_before % 2 == 0]
    return (int(outside[-1]) + 1, len(outside)) if len(outside) else (0, 0)
