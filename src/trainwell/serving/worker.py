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

from trainwell.data.encode import Arrays
from trainwell.model import Model
from trainwell.predictions import predicted_columns
from trainwell.serving import answers
from trainwell.serving.bodies import Reader

MOST_TOGETHER = 16  # measured: the smallest block of rows that a program predicts; more would go as a block of 512


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
        read: list[tuple[Waiting, Arrays]] = []
        for waiting in batch:
            try:
                table = self.reader.read(waiting.question.body, waiting.question.content_type)
                read.append((waiting, self.model.encoder.transform(table, with_target=False)))
            except Exception as error:
                waiting.done(error)
        try:
            self._predict(read)
        except Exception as error:
            for waiting, _ in read:
                waiting.done(error)

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
