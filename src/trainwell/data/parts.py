"""What a Parquet file and a text file have in common when they are read part by part."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa


class Frame(NamedTuple):
    """Some rows that follow each other in a file: the position of the first, and how to read them."""

    first: int
    load: Callable[[], pa.Table]


class PartedFile(Protocol):
    """A table in a file that is read part by part; `trainwell.data.large` says when.

    ``rows`` and ``part_rows`` count lines of a text file; empty ones are no rows. ``bytes_held`` is what the text of all cells
    takes in memory beside their values, ``first_row`` the number of the first row as the user sees it.
    """

    @property
    def path(self) -> Path: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def rows(self) -> int: ...
    @property
    def parts(self) -> int: ...
    @property
    def first_row(self) -> int: ...
    @property
    def bytes_held(self) -> int: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def part_rows(self, part: int) -> int:
        """How many rows a part has."""

    def frames(self, part: int, columns: Sequence[str] | None = None) -> Iterator[Frame]:
        """The rows of a part, in order, some at a time, with all columns or these; frames begin at the same rows every time."""
