"""The rows of a large table that are not in its sample: those of them that may train, encoded, some at a time.

The split was made on the sample. A row outside of it may train unless that would tell the network of a row that it is measured
on: with a split by group, rows of the groups that the sample validates and tests on are left out; with a split by time, rows
that are not older than every row that the sample validates on.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data.encode import Arrays, Encoder
from trainwell.data.roles import Note
from trainwell.data.schema import Schema, group_labels, time_values, usable_rows
from trainwell.data.split import Split
from trainwell.data.tables import Table


@dataclass(frozen=True)
class HeldOut:
    """What must not train: groups by their label (None is a missing one), rows from a time on."""

    groups: tuple[str | None, ...] = ()
    from_time: float = np.inf


class Encoded(NamedTuple):
    """Some rows that train, and how many others there were: without a target to learn (or a time), and held out."""

    arrays: Arrays
    unusable: int
    held_out: int


def held_out(table: Table, schema: Schema, split: Split) -> HeldOut:
    """What the validation and test rows of a sample keep from training.

    Parameters
    ----------
    table : the usable rows of the sample.
    schema : its roles.
    split : its rows.
    """
    if schema.group is not None:
        rows = np.concatenate([split.validation, split.test])
        labels = group_labels(table, schema.column(schema.group)).take(pa.array(rows))
        return HeldOut(groups=tuple(pc.unique(labels).to_pylist()))
    times = time_values(table, schema)
    if times is not None:
        return HeldOut(from_time=float(min(times[split.validation].min(), times[split.test].min())))
    return HeldOut()


def encode_parts(
    parts: Iterable[Callable[[], Table]], encoder: Encoder, kept_out: HeldOut, threads: int = 1
) -> Generator[Encoded, None, None]:
    """The rows of each part that may train, in the order of the parts, encoded by as many threads; few parts are in memory."""
    running: deque[Future[Encoded]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for part in parts:
                running.append(pool.submit(_encode, part, encoder, kept_out))
                if len(running) > threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def _encode(part: Callable[[], Table], encoder: Encoder, kept_out: HeldOut) -> Encoded:
    table, schema = part(), encoder.schema
    rows = table.rows
    table = _taken(table, usable_rows(table, schema))
    usable = table.rows
    table = _taken(table, np.flatnonzero(_may_train(table, schema, kept_out)))
    return Encoded(encoder.transform(table, part=True), rows - usable, usable - table.rows)


def _taken(table: Table, rows: np.ndarray) -> Table:
    return table if len(rows) == table.rows else table.take(rows)


def _may_train(table: Table, schema: Schema, kept_out: HeldOut) -> np.ndarray:
    if schema.group is not None:
        groups = pa.array(kept_out.groups, pa.string())
        return ~np.asarray(pc.is_in(group_labels(table, schema.column(schema.group)), value_set=groups))
    times = time_values(table, schema)
    return np.ones(table.rows, bool) if times is None else times < kept_out.from_time


def gathered(notes: Iterable[Note]) -> list[Note]:
    """Notes of many parts as one of each kind: the first, and in how many other parts the like was found."""
    first: dict[tuple[str | None, str], Note] = {}
    count: dict[tuple[str | None, str], int] = {}
    for note in notes:
        kind = (note.column, note.message.rpartition(": ")[2])
        first.setdefault(kind, note)
        count[kind] = count.get(kind, 0) + 1
    return [
        Note(
            note.column,
            note.message + (f" The like in {count[kind] - 1:,} other parts of the table." if count[kind] > 1 else ""),
        )
        for kind, note in first.items()
    ]
