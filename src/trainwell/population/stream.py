"""Training rows in files, for tables too large for memory: written once, then read chunk by chunk in a shuffled order.

A block is some rows that follow each other in the files; a chunk is several blocks that need not. A pass takes every block
once, in an order drawn from the run's seed and the pass; within a chunk the rows are taken in an order drawn from the seed and
the epoch. So two rows of a batch are seldom from the same place, and the disk still reads long pieces.

An epoch of a streamed table is one chunk: after each of them every member is measured on the validation rows, may stop, and
the time is looked at. The whole table has been seen after as many epochs as it has chunks.

The files are memory-mapped block by block, and unmapped once the block is copied, so that a process holds no more of them than
the chunk that trains and the next one.
"""

import json
import shutil
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import jax
import numpy as np

from trainwell.errors import InputError
from trainwell.population.step import Rows

BLOCK_ROWS = 2048  # chosen: rows read at once; 20 columns of them are a third of a megabyte
CHUNK_ROWS = 131_072  # chosen: 64 blocks; 512 steps of 256 rows, of which measuring 40,000 validation rows takes a tenth
CHUNK_BYTES = 32 << 20  # chosen: chunks of wide tables have fewer rows, so that two of them always are small beside JAX itself
INDEX, NUMERIC, CATEGORIES, TARGET = "stream.json", "numeric.bin", "categories.bin", "target.bin"


@dataclass(frozen=True)
class Stream:
    """Rows in a folder that `writing` made: float32 numbers, int32 categories, targets.

    Parameters
    ----------
    folder : where the files are.
    rows : how many.
    numeric, categories : columns of each.
    target : the type of the targets, class numbers or scaled values.
    """

    folder: Path
    rows: int
    numeric: int
    categories: int
    target: Literal["int32", "float32"]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row on disk, and of one row of a chunk in memory."""
        return 4 * (self.numeric + self.categories + 1)

    @property
    def block_rows(self) -> int:
        """Rows of a block: a power of two, of which there are at least 16 where there are 16 rows."""
        fitting = min(BLOCK_ROWS, CHUNK_BYTES // (16 * self.row_bytes), self.rows // 16)
        return 1 << max(1, fitting).bit_length() - 1

    @property
    def chunk_rows(self) -> int:
        """Rows of a chunk: whole blocks, the same number in every chunk so that one compiled program trains them all."""
        fitting = min(CHUNK_ROWS, CHUNK_BYTES // self.row_bytes, self.rows)
        return max(1, fitting // self.block_rows) * self.block_rows

    @property
    def chunks(self) -> int:
        """Chunks of a pass; blocks left over wait for another pass."""
        return self.rows // self.block_rows // (self.chunk_rows // self.block_rows)

    @property
    def shapes(self) -> Rows:
        """Shapes and types of a chunk, to compile programs for it."""
        shapes = ((self.numeric,), np.float32), ((self.categories,), np.int32), ((), self.target)
        return Rows(*(jax.ShapeDtypeStruct((self.chunk_rows, *columns), kind) for columns, kind in shapes))

    def chunk(self, seed: int, epoch: int) -> Rows:
        """The rows of an epoch (from 0), block after block; they come from the seed and the epoch alone."""
        turn, place = divmod(epoch, self.chunks)
        random = np.random.default_rng([seed, turn, 1])
        blocks, each = self.rows // self.block_rows, self.chunk_rows // self.block_rows
        shift = int(random.integers(self.rows - blocks * self.block_rows + 1))  # the last rows have their turn in other passes
        chosen = random.permutation(blocks)[place * each : (place + 1) * each]
        starts = [shift + int(block) * self.block_rows for block in chosen]
        return Rows(
            self._read(NUMERIC, np.dtype(np.float32), (self.numeric,), starts),
            self._read(CATEGORIES, np.dtype(np.int32), (self.categories,), starts),
            self._read(TARGET, np.dtype(self.target), (), starts),
        )

    def chunks_between(self, seed: int, first: int, end: int) -> Generator[Rows, None, None]:
        """The rows of the epochs from ``first`` up to ``end``; the next is read while the caller works on one."""
        with ThreadPoolExecutor(1, thread_name_prefix="next-chunk") as reader:
            coming = reader.submit(self.chunk, seed, first) if first < end else None
            for epoch in range(first, end):
                assert coming is not None
                rows = coming.result()
                coming = reader.submit(self.chunk, seed, epoch + 1) if epoch + 1 < end else None
                yield rows

    def _read(self, file: str, kind: np.dtype, columns: tuple[int, ...], starts: list[int]) -> np.ndarray:
        rows = np.empty((len(starts) * self.block_rows, *columns), kind)
        if not rows.size:
            return rows
        width = rows[0].nbytes
        for place, start in enumerate(starts):
            mapped = np.memmap(self.folder / file, kind, "r", start * width, (self.block_rows, *columns))
            rows[place * self.block_rows : (place + 1) * self.block_rows] = mapped
            del mapped  # unmapped: its pages are no longer this process's
        return rows


class Streamed(NamedTuple):
    """What `trainwell.population.epoch.Data` is in memory: the rows that train and the rows that say when to stop."""

    train: Stream
    validation: Rows


class Writer:
    """Appends rows to the files of a stream; see `writing`."""

    def __init__(self, folder: Path, files: tuple[BinaryIO, BinaryIO, BinaryIO]):
        self.stream: Stream | None = None
        self.discarded = False
        self._folder, self._files = folder, files

    def discard(self) -> None:
        """What was written shall not be kept."""
        self.discarded = True

    def append(self, rows: Rows) -> None:
        """These rows after those that are there."""
        target: Literal["int32", "float32"] = "float32" if rows.target.dtype.kind == "f" else "int32"
        parts = (rows.numeric.astype(np.float32), rows.categories.astype(np.int32), rows.target.astype(target))
        for file, part in zip(self._files, parts, strict=True):
            file.write(np.ascontiguousarray(part).data)
        before = 0 if self.stream is None else self.stream.rows
        self.stream = Stream(self._folder, before + len(parts[2]), parts[0].shape[1], parts[1].shape[1], target)


@contextmanager
def writing(folder: Path) -> Iterator[Writer]:
    """A writer of a new stream in this folder, which is there whole when the block ends and not at all before; nor is it where
    nothing was appended, or all was discarded."""
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    numeric, categories, target = (unfinished / name for name in (NUMERIC, CATEGORIES, TARGET))
    try:
        with numeric.open("wb") as first, categories.open("wb") as second, target.open("wb") as third:
            writer = Writer(folder, (first, second, third))
            yield writer
        if writer.discarded or writer.stream is None:
            return
        described = {name: value for name, value in asdict(writer.stream).items() if name != "folder"}
        (unfinished / INDEX).write_text(json.dumps(described), encoding="utf-8")
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def open_stream(folder: Path) -> Stream | None:
    """The stream in a folder; None where there is none; `InputError` where it is damaged."""
    if not folder.is_dir():
        return None
    try:
        stream = Stream(folder, **json.loads((folder / INDEX).read_text(encoding="utf-8")))
        sizes = {
            NUMERIC: 4 * stream.rows * stream.numeric,
            CATEGORIES: 4 * stream.rows * stream.categories,
            TARGET: 4 * stream.rows,
        }
        wrong = [name for name, size in sizes.items() if (folder / name).stat().st_size != size]
    except (OSError, ValueError, TypeError) as problem:
        raise InputError(f"{folder} is damaged ({problem}): remove it, and a resumed run makes it again.") from None
    if wrong:
        raise InputError(f"{folder / wrong[0]} is damaged: it has not the size of {stream.rows:,} rows; remove {folder}.")
    return stream
