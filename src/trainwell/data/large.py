"""Tables too large for memory: which they are, a sample of their rows, and all the other rows.

Whatever is found out about such a table is found out on a sample of rows spread over its parts (row groups of a Parquet file,
some megabytes of a text file); every other row is read once more, encoded and handed on (`trainwell.data.other_rows`).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from trainwell.data.csv_parts import open_csv
from trainwell.data.parquet_parts import open_parquet
from trainwell.data.parts import Frame, PartedFile
from trainwell.data.roles import FEATURES
from trainwell.data.schema import Schema
from trainwell.data.tables import Table, check_file, is_parquet, part_of, sample_of

BYTES_PER_CELL = 40  # chosen: about what a run that holds its table takes for each cell; see docs/memory.md
SHORTEST_CELL = 2  # bytes of text: a digit and a comma
SHARE_OF_MEMORY = 0.25  # chosen: of the memory that is free; what is larger is streamed
LEAST = 500_000_000  # bytes, chosen: smaller tables are held however little is free: a run takes as much for itself
UNKNOWN = 8_000_000_000  # bytes, chosen: of memory where the system does not say
SAMPLE_ROWS = (
    100_000  # chosen: 20,000 to test on, which place an AUC within a few thousandths; more would only slow the first stages
)
SAMPLE_CELLS = 10_000_000  # chosen: fewer rows of wide tables, so that the sample takes about as much memory
USED = (*FEATURES, "target", "group", "time")  # the roles whose columns are read again
FEWEST_PARTS, MOST_PARTS = 4, 32  # chosen: parts that a sample is drawn from
READ_FOR_ONE = 20  # chosen: rows read for one of the sample, more than that only for the fewest parts


@dataclass(frozen=True)
class Sample:
    """Rows spread over a file, as a table; and which they are: positions within each frame, by the frame's first row."""

    file: PartedFile
    table: Table
    taken: dict[int, np.ndarray]


def too_large(source: object, limit: int | None = None) -> PartedFile | None:
    """The file, opened to be read part by part, where its rows would take more than ``limit`` bytes of memory; else None.

    Parameters
    ----------
    source : what `read_table` takes; only a path of a Parquet or text file (not .gz, not UTF-16) is ever too large.
    limit : bytes; a quarter of the memory that is free when left out.
    """
    if not isinstance(source, str | os.PathLike):
        return None
    path, limit = Path(source), memory_limit() if limit is None else limit
    check_file(path)
    if is_parquet(path):
        parquet = open_parquet(path)
        return parquet if _bytes_of(parquet) > limit else None
    if path.stat().st_size * (BYTES_PER_CELL / SHORTEST_CELL + 2) <= limit:  # surely not, and nothing needs to be read
        return None
    text = open_csv(path)
    return text if text is not None and _bytes_of(text) > limit else None


def _bytes_of(file: PartedFile) -> int:
    """Bytes of memory that a run takes which holds this table."""
    return BYTES_PER_CELL * file.rows * len(file.columns) + file.bytes_held


def memory_limit() -> int:
    """Bytes from which on a table is too large: a quarter of the memory that is free."""
    return max(LEAST, int(SHARE_OF_MEMORY * free_memory()))


def free_memory(proc: Path = Path("/proc"), group: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that programs can still take: what the system says is available, within the limit of a container."""
    free = 1024 * _numbers(proc / "meminfo").get("MemAvailable:", 0) or _all_memory()
    try:
        most, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no container, or one without a limit
        return free
    return min(free, max(0, most - used + _numbers(group / "memory.stat").get("inactive_file", 0)))


def _numbers(path: Path) -> dict[str, int]:
    """The lines of a file that the system writes: a name and a number each."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _all_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return UNKNOWN


def draw_sample(file: PartedFile, seed: int, rows: int | None = None) -> Sample:
    """Rows drawn at random from parts drawn at random, in the order of the file.

    Parameters
    ----------
    file : opened by `too_large`.
    seed : the only source of chance.
    rows : about how many rows; 100,000, fewer of more than 100 columns, when left out.
    """
    wanted = min(SAMPLE_ROWS, max(1, SAMPLE_CELLS // len(file.columns))) if rows is None else rows
    random = np.random.default_rng([seed, 1])
    chosen = _parts_of_sample(file, wanted, random)
    share = min(1.0, wanted / max(1, sum(file.part_rows(part) for part in chosen)))
    taken: dict[int, np.ndarray] = {}
    frames: list[pa.Table] = []
    for part in chosen:
        for frame in file.frames(part):
            loaded = frame.load()
            count = min(loaded.num_rows, round(share * loaded.num_rows + random.random() - 0.5))
            taken[frame.first] = np.sort(random.choice(loaded.num_rows, max(0, count), replace=False))
            frames.append(loaded.take(pa.array(taken[frame.first])))
    positions = np.concatenate([first + places for first, places in taken.items()])
    whole = pa.concat_tables(frames).combine_chunks()
    table = sample_of(whole, file.path, file.notes, file.first_row, positions + file.first_row)
    return Sample(file, table, taken)


def _parts_of_sample(file: PartedFile, wanted: int, random: np.random.Generator) -> list[int]:
    """As many parts as it takes for the wanted rows, and more of them while that costs little, ascending."""
    chosen: list[int] = []
    rows = 0
    for part in random.permutation(file.parts).tolist():
        enough, much = rows >= wanted, rows >= READ_FOR_ONE * wanted
        if enough and len(chosen) >= (FEWEST_PARTS if much else MOST_PARTS):
            break
        chosen.append(part)
        rows += file.part_rows(part)
    return sorted(chosen)


def other_rows(sample: Sample, schema: Schema, seed: int) -> Iterator[Callable[[], Table]]:
    """All rows of the file that are not in the sample, part by part, with the columns that are used; each call reads some.

    The parts come in an order drawn from the seed: whatever was read is spread over the file, also where reading ends early.
    """
    used = [column.name for column in schema.columns if column.role in USED]
    for part in np.random.default_rng([seed, 2]).permutation(sample.file.parts).tolist():
        for frame in sample.file.frames(part, used):
            yield partial(_rest_of, sample, frame)


def _rest_of(sample: Sample, frame: Frame) -> Table:
    loaded, taken, file = frame.load(), sample.taken.get(frame.first), sample.file
    numbers = file.first_row + np.arange(frame.first, frame.first + loaded.num_rows)
    if taken is not None and len(taken):
        keep = np.ones(loaded.num_rows, bool)
        keep[taken] = False
        loaded, numbers = loaded.filter(pa.array(keep)), numbers[keep]
    return part_of(loaded, file.path, sample.table, numbers)
