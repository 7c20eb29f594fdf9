"""One thread that predicts, so that the event loop never computes: the rows of all requests that wait go as one batch.

While a batch is computed the next requests gather; nobody waits for others to come. A row's prediction does not depend on the
rows beside it. A request that cannot be read fails alone.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from pydantic import BaseModel

from trainwell.data.encode import Arrays
from trainwell.data.tables import Table
from trainwell.model import Model
from trainwell.predictions import predicted_columns
from trainwell.serving import answers
from trainwell.serving.bodies import JSON, Reader

MOST_TOGETHER = 64  # chosen: so many rows take hardly longer than one, and of a burst nobody waits for many batches


@dataclass(frozen=True)
class Question:
    """The body of a request and how its answer is wanted."""

    body: bytes
    content_type: str
    answer_type: str
    interval: float | None = None


@dataclass(frozen=True)
class Waiting:
    """A question, and where its answer goes: called with the bytes and the number of rows, or with what went wrong."""

    question: Question
    done: Callable[[tuple[bytes, int] | BaseException], object] = field(repr=False)


class Worker:
    """Answers questions in a thread of its own until it is closed.

    Parameters
    ----------
    model, reader : what predicts, and what reads the bodies.
    seen : told the number of requests and rows of every batch.
    together : requests whose rows are predicted at once, at most.
    """

    def __init__(
        self,
        model: Model,
        reader: Reader,
        seen: Callable[[int, int], None] = lambda requests, rows: None,
        together: int | None = None,
    ):
        self.model, self.reader, self.seen, self.together = model, reader, seen, together or MOST_TOGETHER
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="predictions", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    async def ask(self, question: Question) -> tuple[bytes, int]:
        """The answer and how many rows it has; raises what went wrong."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[bytes, int]] = loop.create_future()

        def set_it(result: Any) -> None:
            if not future.done():  # a client that has gone
                future.set_exception(result) if isinstance(result, BaseException) else future.set_result(result)

        self._queue.put(Waiting(question, lambda result: loop.call_soon_threadsafe(set_it, result)))
        return await future

    def close(self) -> None:
        """Answer what waits, then end."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._gathered(first)
            self._answer(batch)
            if last:
                return

    def _gathered(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """(the requests that wait, whether the worker is to end after them)."""
        batch = [first]
        while len(batch) < self.together:
            try:
                other = self._queue.get_nowait()
            except Empty:
                break
            if other is None:
                return batch, True
            batch.append(other)
        return batch, False

    def _answer(self, batch: list[Waiting]) -> None:
        try:
            self._predict(self._encoded(batch))
        except Exception as error:
            for waiting in batch:
                waiting.done(error)

    def _encoded(self, batch: list[Waiting]) -> list[tuple[Waiting, Arrays]]:
        """The rows of each request as the networks take them; a request that cannot be read is answered here."""
        read: list[tuple[Waiting, Arrays]] = []
        parsed: list[tuple[Waiting, list[BaseModel]]] = []
        for waiting in batch:
            body, kind = waiting.question.body, waiting.question.content_type
            try:
                if kind == JSON:
                    parsed.append((waiting, self.reader.rows_of(body)))
                else:
                    read.append((waiting, self._arrays(self.reader.read(body, kind))))
            except Exception as error:
                waiting.done(error)
        return read + self._together(parsed)

    def _together(self, parsed: list[tuple[Waiting, list[BaseModel]]]) -> list[tuple[Waiting, Arrays]]:
        """Rows of several requests read as one table, which costs hardly more than one row. Where something is to be said of a
        cell, halves are read apart, until it is said to the request whose cell it is."""
        if not parsed:
            return []
        try:
            arrays = self._arrays(self.reader.table_of([row for _, rows in parsed for row in rows]))
        except Exception as error:
            if len(parsed) == 1:
                parsed[0][0].done(error)
                return []
        else:
            if len(parsed) == 1:
                return [(parsed[0][0], arrays)]
            if not arrays.notes:
                ends = np.cumsum([len(rows) for _, rows in parsed])
                places = [np.arange(end - len(rows), end) for end, (_, rows) in zip(ends, parsed, strict=True)]
                return [(waiting, arrays.take(place)) for (waiting, _), place in zip(parsed, places, strict=True)]
        half = len(parsed) // 2
        return self._together(parsed[:half]) + self._together(parsed[half:])

    def _arrays(self, table: Table) -> Arrays:
        return self.model.encoder.transform(table, with_target=False)

    def _predict(self, read: Sequence[tuple[Waiting, Arrays]]) -> None:
        if not read:
            return
        numeric, categories = (np.concatenate([getattr(one, name) for _, one in read]) for name in ("numeric", "categories"))
        outputs = self.model.calibration.applied(self.model.average(numeric, categories))
        self.seen(len(read), len(outputs))
        first = 0
        for waiting, arrays in read:
            rows = len(arrays.numeric)
            try:
                columns = predicted_columns(self.model, outputs[first : first + rows], waiting.question.interval)
                notes = [note.message for note in arrays.notes]
                waiting.done((answers.write(columns, notes, waiting.question.answer_type), rows))
            except Exception as error:
                waiting.done(error)
            first += rows
