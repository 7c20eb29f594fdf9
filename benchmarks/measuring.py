"""Measuring by turns, so that whatever else the machine does falls on everybody alike; medians, tables, JSON."""

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.work import Work

ROOT = Path(__file__).resolve().parents[1]
HOPELESS = 1.15  # chosen: a way this many times slower in the first run than the best of its like is not run again
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Process(NamedTuple):
    """The cores that a process may use, and the threads that its library gets."""

    cores: tuple[int, ...]
    threads: int


class Way(NamedTuple):
    """A way of doing the work: ``module:function``, and the processes that share its networks out evenly."""

    label: str
    function: str
    work: Work
    processes: tuple[Process, ...]


@dataclass
class Measured:
    """What one way came to: seconds of its first run, seconds of the others, and the figures that each of all these gave."""

    way: Way
    first: float
    seconds: list[float] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds or [self.first])

    @property
    def loss(self) -> float:
        """The training loss of the last epoch, the mean over the networks."""
        return self.figures[-1]["loss"]

    @property
    def per_step(self) -> float:
        """Microseconds per step of one network."""
        return self.median / self.way.work.network_steps * 1e6

    def to_json(self) -> dict[str, Any]:
        return {
            "label": self.way.label,
            "work": self.way.work.to_json(),
            "first_seconds": self.first,
            "seconds": self.seconds,
            "median_seconds": self.median,
            "microseconds_per_network_step": self.per_step,
            "figures": self.figures[-1],
        }


class Ratio(NamedTuple):
    """One median over another, with the smallest and largest of the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def cores() -> tuple[int, ...]:
    """The cores that may be used, the one first that the machine's own work is least likely to take."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return tuple(sorted(allowed, reverse=True))


def alone(label: str, function: str, work: Work, threads: int = 1) -> Way:
    """One process, on as many cores as it has threads."""
    return Way(label, function, work, (Process(cores()[:threads], threads),))


def side_by_side(label: str, function: str, work: Work, number: int = 2) -> Way:
    """Processes of one core and one thread each, that share the networks out."""
    return Way(label, function, work, tuple(Process((core,), 1) for core in cores()[:number]))


def products(number: int) -> list[Way]:
    """The matrix product of every library on so many cores, of which the fastest is the machine's limit."""
    pair = Work((1,), networks=2)
    names = ("jax", "numpy", "pytorch")
    ways = [alone(f"{name}, {number} threads", f"benchmarks.matrix_product:{name}", pair, number) for name in names]
    return ways if number == 1 else [*ways, side_by_side("pytorch, processes", "benchmarks.matrix_product:pytorch", pair)]


def by_turns(ways: Sequence[Way], rounds: int, compiling_together: bool = False) -> list[Measured]:
    """Every way once, for its first run, and then ``rounds`` times all of them one after another.

    First runs are made one after another, too, unless nobody asks how long they take: then all are ``compiling_together``.

    Ways that call the same function for the same work differ only in their processes and threads: of these, one that is
    hopeless after the first run is left with that.
    """
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        started = [stack.enter_context(_started(way, f"{home}/{i}")) for i, way in enumerate(ways)]  # each with its own cache
        for worker in itertools.chain(*started):
            _answer(worker)  # ready; they start at the same time, so that both cores are used for it
        if compiling_together:
            for worker in itertools.chain(*started):
                _tell(worker, "run")
            for worker in itertools.chain(*started):
                _answer(worker)
        measured = []
        for way, workers in zip(ways, started, strict=True):
            seconds, figures = _run(workers)
            measured.append(Measured(way, seconds, [], [figures]))
        going = [i for i, one in enumerate(measured) if one.first <= HOPELESS * min(_rivals(one, measured))]
        for _ in range(rounds):
            for i in going:
                seconds, figures = _run(started[i])
                measured[i].seconds.append(seconds)
                measured[i].figures.append(figures)
    return measured


def _rivals(one: Measured, measured: Sequence[Measured]) -> list[float]:
    return [other.first for other in measured if other.way.function == one.way.function and other.way.work == one.way.work]


def best(measured: Sequence[Measured]) -> Measured:
    return min(measured, key=lambda one: one.median)


def ratio(above: Measured, below: Measured) -> Ratio:
    """How many times longer the one took per network step than the other, round by round."""
    scale = below.way.work.network_steps / above.way.work.network_steps
    rounds = [scale * a / b for a, b in zip(above.seconds, below.seconds, strict=True)]
    return Ratio(statistics.median(rounds), min(rounds), max(rounds))


def rate_of(product: Measured) -> float:
    """FLOP/s of a matrix product: the best of all rounds, in all processes together."""
    return max(figures["flops_per_second"] for figures in product.figures) * len(product.way.processes)


@contextmanager
def _started(way: Way, home: str) -> Iterator[list[subprocess.Popen]]:
    workers = []
    try:
        for i, process in enumerate(way.processes):
            workers.append(_start(way, i, process, home))
        yield workers
    finally:
        for worker in workers:
            worker.stdin.close()
            worker.wait()
            worker.stdout.close()


def _start(way: Way, place: int, process: Process, home: str) -> subprocess.Popen:
    number = way.work.networks // len(way.processes)
    if number * len(way.processes) != way.work.networks:
        raise ValueError(f"{way.work.networks} networks cannot be shared out evenly over {len(way.processes)} processes.")
    share = replace(way.work, networks=number, first=place * number, of=way.work.networks)
    environment = {**os.environ, **dict.fromkeys(THREADS, str(process.threads)), "XDG_CACHE_HOME": home}
    worker = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
        text=True,
    )
    _tell(worker, {"way": way.function, "argument": share.to_json(), "cores": process.cores, "warm_up": not _compiles(way)})
    return worker


def _compiles(way: Way) -> bool:
    """Whether the first run compiles for just this work, so that its time is a figure of its own and no small run spares it."""
    return way.function.startswith("benchmarks.ours:")


def _run(workers: Sequence[subprocess.Popen]) -> tuple[float, dict[str, float]]:
    """(seconds of the slowest process, mean figures) of one run of all processes at the same time."""
    for worker in workers:
        _tell(worker, "run")
    answers = [_answer(worker) for worker in workers]
    seconds = max(answer.pop("seconds") for answer in answers)
    return seconds, {name: statistics.fmean(answer[name] for answer in answers) for name in answers[0]}


def _tell(worker: subprocess.Popen, what: Any) -> None:
    print(json.dumps(what), file=worker.stdin, flush=True)


def _answer(worker: subprocess.Popen) -> dict[str, Any]:
    line = worker.stdout.readline()
    if not line:
        raise SystemExit("A measuring process ended before it answered; what it said stands above.")
    return json.loads(line)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table, so that it can be taken over into the documentation as it is."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |", flush=True)
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|", flush=True)


def write_json(path: Path | None, results: Any) -> None:
    if path:
        path.write_text(json.dumps(results, indent=1))
