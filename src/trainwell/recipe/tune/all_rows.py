"""All rows of a file too large for memory, encoded once into the run folder, for the networks of the search to train on."""

import dataclasses
import shutil
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from trainwell.data.encode import Arrays
from trainwell.data.large import Sample, other_rows
from trainwell.data.other_rows import Encoded, encode_parts, gathered, held_out
from trainwell.data.roles import Note
from trainwell.population.allocator import give_back
from trainwell.population.step import Rows
from trainwell.population.stream import Stream, Writer, open_stream, writing
from trainwell.recipe.context import Context

FOLDER = "rows"  # of the run folder
READING_ENDS = 0.7  # chosen: share of the run's time at which reading ends, so that most of the search's time is training
FULL_DISK = 0.8  # chosen: share of the free disk that rows may take


def all_rows(context: Context) -> Context:
    """The same context with the streamed rows, read now or by the run that is resumed; unchanged where all rows are in memory,
    and where nothing could be read in the time."""
    if context.sample is None:
        return context
    folder = context.folder / FOLDER
    stream = open_stream(folder) or _written(context.until(READING_ENDS), context.sample, folder)
    return dataclasses.replace(context, stream=stream)


def forget_rows(folder: Path) -> None:
    """Remove what only an unfinished run needs."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def _written(context: Context, sample: Sample, folder: Path) -> Stream | None:
    """The training rows of the sample, then all others, read until the time is up or the disk is full."""
    if context.budget.passed:
        context.log.note("tune", "No time was left to read the rows outside of the sample: the search trains on the sample.")
        return None
    began, notes, left_out = time.monotonic(), list[Note](), [0, 0]
    kept_out = held_out(context.table, context.schema, context.split)
    rest = other_rows(sample, context.schema, context.options.seed)
    parts = encode_parts(rest, context.encoder, kept_out, len(context.pool.devices))
    with closing(parts), writing(folder) as writer:
        writer.append(_rows(context.train))
        cut = _append(context, writer, parts, notes, left_out)
        if context.budget.interrupted:
            writer.discard()
    give_back()
    for note in gathered(notes):
        context.log.note("tune", note.message, note.column)
    stream = open_stream(folder)
    if stream is not None:
        context.log.note("tune", _told(stream, sample, cut, time.monotonic() - began, *left_out))
    return stream


def _append(context: Context, writer: Writer, parts: Iterable[Encoded], notes: list[Note], left_out: list[int]) -> str:
    """Append part by part; what ended it early, or nothing."""
    room = FULL_DISK * shutil.disk_usage(context.folder).free
    for part in parts:
        writer.append(_rows(part.arrays))
        notes += part.arrays.notes
        left_out[0] += part.unusable
        left_out[1] += part.held_out
        if context.budget.passed:
            return "the time for reading was used up (--time-limit gives more)"
        if writer.stream is not None and writer.stream.rows * writer.stream.row_bytes > room:
            return f"the disk of {context.folder} is nearly full"
    return ""


def _rows(arrays: Arrays) -> Rows:
    return Rows(arrays.numeric, arrays.categories, arrays.target)


def _told(stream: Stream, sample: Sample, cut: str, seconds: float, unusable: int, kept_out: int) -> str:
    words = (
        f"{stream.rows:,} rows train the networks of the search, streamed from {stream.rows * stream.row_bytes / 1e9:.2g} GB "
    )
    words += f"on disk that were written in {seconds:.0f} s."
    if cut:
        words += f" The table has {sample.file.rows:,} rows, but {cut}."
    if unusable:
        words += f" {unusable:,} rows outside of the sample have no target that can be learnt: dropped."
    if kept_out:
        words += f" {kept_out:,} rows belong with those that validate and test: they do not train."
    return words
