"""Members of one Structure trained together on one device, and the population that is made of such cohorts.

A job is a pure function: (trainings, epochs) -> trainings that are further on. It runs on whichever device is free, in any
order, and its result depends on neither. All members of a job are at the same epoch, so that they share the order of rows,
which comes from the run's seed and the epoch.

The places of members that have stopped are freed: after a while the cohorts of a structure are put together anew from the
members that go on. Every cohort of a structure runs the same program with the same number of places, empty ones filled with
copies of the last member, so that a member's numbers are the same to the last bit whoever its neighbours are.
"""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

from trainwell.errors import InputError, listed
from trainwell.network.structure import Structure, resolve
from trainwell.population import epoch as programs
from trainwell.population.budget import Budget
from trainwell.population.devices import Pool
from trainwell.population.epoch import Data, Progress
from trainwell.population.member import Member, Training
from trainwell.population.metrics import Metric, metric_named
from trainwell.population.own_metric import raise_failure, seconds_of
from trainwell.population.step import MemberState, Rows, first_rows
from trainwell.population.stream import CHUNK_ROWS, Stream, Streamed
from trainwell.techniques.losses import LOSSES

Kept = TypeVar("Kept", Data, Rows)

CACHE_BYTES = 1 << 20  # chosen: what of a core's second-level cache a cohort's weights and activations may fill
MOST_TOGETHER = 16  # measured: beyond 16 small networks a CPU gains nothing more
GPU_ROWS = 1 << 16  # rows of all members in a step that keep a GPU busy; Mueller et al. (2024), tiny-dpcpp-nn, section IV
GPU_BYTES = 1 << 33  # chosen: what of a GPU's memory one cohort may fill
SPEED = 5e10  # chosen: multiplications and additions per second of one core, about half of what was measured
GPU_SPEED = 1e13  # chosen: the same of a GPU, a fifth of what its best float32 product came to
GPU_STEP = (
    5e-5  # measured: seconds of a step on an H200 however little there is to compute, its thirty kernels one after another
)
SECONDS_PER_CALL = 0.25  # chosen: a call of a program costs about a millisecond of Python beside
SECONDS_OF_CALLBACKS = 2.0  # chosen: what a user's function may take of a call, in which nobody looks at the clock
EPOCHS_PER_CALL = 64  # chosen: at most so many, beyond what `STEPS_PER_CALL` asks for
STEPS_PER_CALL = 64  # chosen: at least so many, so that the signals at the end of a call cost a fiftieth of it
REGROUP = 4  # chosen: calls after which cohorts are put together anew


def turns(rows: int, batch: int) -> int:
    """In how many epochs every training row has its turn: one, but of very many rows as many as make an epoch one of a streamed
    chunk's size, so that early stopping and the clock are asked often enough. Batches that would not fit into it get all rows.

    >>> turns(40_000, 256), turns(1_000_000, 256), turns(1_000_000, 1_000_000)
    (1, 8, 1)
    """
    return 1 if 2 * batch > CHUNK_ROWS else max(1, math.ceil(rows / CHUNK_ROWS))


def together(structure: Structure, members: int | None = None, platform: str = "cpu") -> int:
    """How many members of a structure one device trains at once: a power of two.

    On a CPU their numbers stay in a core's cache; on a GPU their rows keep it busy and their numbers stay in its memory. A
    member's bytes per step are 4 (4 P + 2 B W): P weights, their gradient and two moments, B rows (of each network that
    shares the weights) of W units both ways. With few ``members`` there are no more places than each device's share of them.
    """
    sizes = (structure.entering, *structure.widths, structure.outputs)
    weights = sum(a * b for a, b in pairwise(sizes))
    bytes_of_one = 4 * (4 * weights + 2 * structure.batch_size * structure.copies * sum(sizes))
    if platform == "cpu":
        most = min(MOST_TOGETHER, CACHE_BYTES // bytes_of_one)
    else:
        most = min(max(1, GPU_ROWS // (structure.batch_size * structure.copies)), GPU_BYTES // bytes_of_one)
    if members is not None:
        most = min(most, members)
    return 1 << (max(1, most).bit_length() - 1)


class _Call(NamedTuple):
    """What changes from call to call of a program: the rows, their orders, and how many epochs these are."""

    data: Data
    orders: jax.Array
    epochs: np.int32


@dataclass(frozen=True)
class Population:
    """Everything that all members have in common.

    Parameters
    ----------
    data : training and validation rows; training rows too many for memory as a stream, of which an epoch is a chunk.
    task, metric : what is predicted and what is to be maximized on the validation rows, by name or as it is.
    prior : first output bias (outputs,).
    seed : of the order of rows and, with a member's number, of the member.
    pool : the devices.
    members : how many are expected at a time; a few are spread over the devices rather than put into one cohort.
    signals : whether what goes on in each layer is measured.
    on_advanced : called with the trainings of each job as it is done, a second or so of their epochs.
    """

    data: Data | Streamed
    task: str
    metric: str | Metric
    prior: np.ndarray
    seed: int
    pool: Pool
    members: int | None = None
    signals: bool = True
    on_advanced: Callable[[Sequence[Training]], None] = lambda trainings: None
    _kept: dict[jax.Device, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def steps_per_epoch(self, structure: Structure) -> int:
        return max(1, self._rows_of_epoch(structure) // self._batch(structure))

    def places(self, structure: Structure) -> int:
        """How many members of the structure one device trains at once."""
        share = None if self.members is None else -(-self.members // len(self.pool.devices))
        return together(structure, share, self.pool.platform)

    def epochs_per_call(self, structure: Structure) -> int:
        """Epochs of one call of the compiled program: about a quarter of a second, and `STEPS_PER_CALL` steps at least; of
        streamed rows one, because each has rows of its own."""
        if isinstance(self.data, Streamed):
            return 1
        operations = 6 * structure.batch_size * structure.products * self.places(structure)
        seconds = operations / SPEED if self.pool.platform == "cpu" else GPU_STEP + operations / GPU_SPEED
        wanted, least = (steps / self.steps_per_epoch(structure) for steps in (SECONDS_PER_CALL / seconds, STEPS_PER_CALL))
        each = max(1, math.ceil(least), min(EPOCHS_PER_CALL, round(wanted)))
        seconds = seconds_of(metric_named(self.metric), len(self.data.validation.target))
        called_back = self.places(structure) * self.pool.threads * seconds  # one call at a time, whichever thread asks
        return each if each * called_back <= SECONDS_OF_CALLBACKS else max(1, int(SECONDS_OF_CALLBACKS / called_back))

    def train(
        self,
        trainings: Sequence[Training],
        epochs: int,
        total_epochs: int,
        budget: Budget,
        on_finished: Callable[[Sequence[Training]], None] = lambda trainings: None,
    ) -> list[Training]:
        """Every training brought to ``epochs`` epochs of a schedule of ``total_epochs``, or as far as the budget allows.

        Members that have stopped are returned as they are. The order of the result is that of the members' numbers.
        """
        self._check({training.member.structure for training in trainings})
        waiting = [training for training in trainings if not training.stopped and training.epochs < epochs]
        done = {training.member.number: training for training in trainings}
        groups: dict[Structure, list[Training]] = {}
        running: dict[Structure, int] = {}

        def advance(job: list[Training], device: jax.Device) -> list[Training]:
            return self._advance(job, device, epochs, total_epochs, budget)

        def then(job: list[Training], result: list[Training]) -> list[list[Training]]:
            """Further jobs, once all cohorts of a structure are as far: which depends on no clock."""
            structure = job[0].member.structure
            groups.setdefault(structure, []).extend(result)
            running[structure] -= 1
            if running[structure] or budget.passed:
                return []
            if result[0].epochs == job[0].epochs:
                return []  # no time was left to compile its program: nor will there be
            further = self._jobs(t for t in groups.pop(structure) if not t.stopped and t.epochs < epochs)
            running[structure] = len(further)
            return further

        jobs = self._jobs(waiting)
        for job in jobs:
            running[job[0].member.structure] = running.get(job[0].member.structure, 0) + 1
        for _, finished in self.pool.run(advance, jobs, _program, then):
            done.update((training.member.number, training) for training in finished)
            self.on_advanced(finished)
            ended = [t for t in finished if t.stopped or t.epochs >= epochs or budget.passed]
            if ended:
                on_finished(ended)
        return [done[number] for number in sorted(done)]

    def started(self, training: Training) -> MemberState:
        """The state before the first step with which `train` would begin."""
        device, filled = self.pool.devices[0], [training] * self.places(training.member.structure)
        states = jax.device_get(self._start(filled, jax.device_put(_settings(filled), device), device))
        return jax.tree.map(lambda x: x[0].copy(), states)

    def prepare(self, structures: Iterable[Structure]) -> None:
        """Have the programs of these structures compiled in the background, for a training that will come."""
        device = self.pool.devices[0]
        for structure in structures:
            member = Member(0, structure, resolve(structure))
            filled = [Training(member)] * self.places(structure)
            settings, keys = _settings(filled), np.zeros(len(filled), np.uint32)
            first = (keys, settings, self.prior.astype(np.float32), self._first_rows(structure))
            self.pool.programs.prepare(structure, programs.starter(structure), device, *first)
            states = jax.eval_shape(programs.starter(structure), *first)
            orders = jax.ShapeDtypeStruct(self._orders_shape(structure), np.int32)
            numbers = (np.int32(1), np.float32(1))
            data = self.data if isinstance(self.data, Data) else Data(self.data.train.shapes, self.data.validation)
            self.pool.programs.prepare(structure, self._trainer(structure), device, states, settings, data, orders, *numbers)

    def predict(self, trainings: Sequence[Training], numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
        """Predictions of the members' best weights, (members, rows, outputs), in the order given."""
        jobs = self._jobs(trainings)
        found: dict[int, np.ndarray] = {}

        def job_predictions(job: list[Training], device: jax.Device) -> np.ndarray:
            structure = job[0].member.structure
            filled = job + job[-1:] * (self.places(structure) - len(job))
            weights, statistics = (
                jax.tree.map(lambda *leaves: np.stack(leaves), *(getattr(training.state, part) for training in filled))
                for part in ("best_weights", "best_statistics")
            )
            networks = (weights, statistics, _settings(filled))
            all_ = programs.predict(self.pool.programs, structure, self.task, networks, numeric, categories, device)
            return all_[: len(job)]

        for job, predictions in self.pool.run(job_predictions, jobs, _program):
            found.update((training.member.number, one) for training, one in zip(job, predictions, strict=True))
        return np.stack([found[training.member.number] for training in trainings])

    def _check(self, structures: Iterable[Structure]) -> None:
        """`InputError` for a loss of another kind of task."""
        for structure in structures:
            if self.task not in LOSSES[structure.loss].tasks:
                allowed = listed(name for name, loss in LOSSES.items() if self.task in loss.tasks)
                raise InputError(f"loss is {structure.loss!r}, allowed for a {self.task} target is {allowed}.")

    def _jobs(self, trainings: Iterable[Training]) -> list[list[Training]]:
        """Trainings of one structure and epoch, as many in a job as one core takes; the costliest first."""
        groups: dict[tuple[Structure, int], list[Training]] = {}
        for training in sorted(trainings, key=lambda training: training.member.number):
            groups.setdefault((training.member.structure, training.epochs), []).append(training)
        ordered = sorted(groups.values(), key=lambda group: _units(group[0].member.structure), reverse=True)
        jobs = []
        for group in ordered:
            places = self.places(group[0].member.structure)
            jobs += [group[i : i + places] for i in range(0, len(group), places)]
        return jobs

    def _trainer(self, structure: Structure) -> Callable:
        return programs.trainer(structure, metric_named(self.metric), self.task, self.signals)

    def _advance(
        self, job: list[Training], device: jax.Device, epochs: int, total_epochs: int, budget: Budget
    ) -> list[Training]:
        """The job's trainings after a few calls of their program, one alone after all that it has left."""
        structure, run = job[0].member.structure, self.pool.programs.run
        if budget.passed or budget.left < self._compile_seconds(structure):
            return job
        filled = job + job[-1:] * (self.places(structure) - len(job))
        settings = jax.device_put(_settings(filled), device)
        states = self._start(filled, settings, device) if job[0].state is None else _stack([t.state for t in filled], device)
        total_steps = np.float32(self.steps_per_epoch(structure) * total_epochs)
        calls: list[Progress] = []
        most = epochs if len(filled) == 1 else job[0].epochs + REGROUP * self.epochs_per_call(structure)
        with closing(self._calls(structure, job[0].epochs, min(epochs, most), device)) as given:
            for now in given:
                states, call = run(structure, self._trainer(structure), device, states, settings, *now, total_steps)
                calls.append(jax.device_get(call))
                raise_failure(metric_named(self.metric))
                if calls[-1].record.stopped[call.epochs - 1].all() or budget.passed:
                    break
        states = jax.device_get(states)  # all on their way at once
        return [
            Training(training.member, jax.tree.map(lambda x, i=i: x[i].copy(), states), training.curves.extended(calls, i))
            for i, training in enumerate(job)
        ]

    def _compile_seconds(self, structure: Structure) -> float:
        """What compiling this structure's programs may take: 0 where it is done, else as long as the slowest so far."""
        programs = self.pool.programs
        return 0.0 if programs.ready(structure, self._trainer(structure)) else programs.slowest

    def _start(self, filled: Sequence[Training], settings, device: jax.Device) -> MemberState:
        keys = np.array([member_key(self.seed, training.member.number) for training in filled], np.uint32)
        structure = filled[0].member.structure
        prior, batch = jax.device_put((self.prior.astype(np.float32), self._first_rows(structure)), device)
        keys = jax.device_put(keys, device)
        return self.pool.programs.run(structure, programs.starter(structure), device, keys, settings, prior, batch)

    def _first_rows(self, structure: Structure) -> Rows | None:
        """The training rows that first weights hang on: the first of the run's order, the same for every member."""
        wanted = first_rows(structure)
        if not wanted:
            return None
        rows = np.random.default_rng([self.seed, 0]).permutation(self._rows)[:wanted]
        train = self.data.train
        return jax.tree.map(lambda x: x[rows], train.chunk(self.seed, 0) if isinstance(train, Stream) else train)

    def _calls(self, structure: Structure, first: int, end: int, device: jax.Device) -> Generator["_Call", None, None]:
        """What the program is given from epoch ``first`` up to ``end``, call by call; a streamed chunk is read while the one
        before it trains."""
        data, each = self.data, self.epochs_per_call(structure)
        if isinstance(data, Data):
            for epoch in range(first, end, each):
                wanted = min(each, end - epoch)
                orders = jax.device_put(self._orders(structure, epoch, wanted), device)
                yield _Call(self._on(device, data), orders, np.int32(wanted))
            return
        validation = self._on(device, data.validation)
        with closing(data.train.chunks_between(self.seed, first, end)) as chunks:
            for epoch, rows in enumerate(chunks, start=first):
                chunk, orders = jax.device_put((rows, self._orders(structure, epoch, 1)), device)
                yield _Call(Data(chunk, validation), orders, np.int32(1))

    def _orders(self, structure: Structure, epoch: int, epochs: int) -> np.ndarray:
        """Row numbers (most epochs of a call, steps, batch), those of ``epochs`` epochs first; a remainder smaller than a batch
        waits for another epoch's order."""
        rows, each, (most, steps, batch) = self._rows, self._rows_of_epoch(structure), self._orders_shape(structure)
        orders = np.zeros((max(most, epochs), steps * batch), np.int32)
        for place in range(epochs):
            whole, turn = divmod(epoch + place, rows // each)
            order = np.random.default_rng([self.seed, whole]).permutation(rows)
            orders[place] = order[turn * each :][: steps * batch]
        return orders.reshape(-1, steps, batch)

    def _orders_shape(self, structure: Structure) -> tuple[int, int, int]:
        return self.epochs_per_call(structure), self.steps_per_epoch(structure), self._batch(structure)

    def _batch(self, structure: Structure) -> int:
        return min(structure.batch_size, self._rows)

    def _rows_of_epoch(self, structure: Structure) -> int:
        rows = self._rows
        return rows if isinstance(self.data, Streamed) else rows // turns(rows, self._batch(structure))

    @property
    def _rows(self) -> int:
        """Training rows, of a stream those of a chunk."""
        train = self.data.train
        return train.chunk_rows if isinstance(train, Stream) else len(train.target)

    def _on(self, device: jax.Device, kept: Kept) -> Kept:
        """Rows that every call needs, put on a device once."""
        if device not in self._kept:
            self._kept[device] = jax.device_put(kept, device)
        return self._kept[device]


def member_key(seed: int, number: int) -> int:
    """32 bits for a member's randomness from the run's seed and the member's number alone."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _units(structure: Structure) -> int:
    """How much a step of one member has to compute, roughly."""
    return structure.copies * sum(structure.widths)


def _program(job: Sequence[Training]) -> Structure:
    return job[0].member.structure


def _settings(trainings: Sequence[Training]) -> dict[str, np.ndarray]:
    """Each setting as one array (members,)."""
    names = trainings[0].member.settings
    return {name: np.array([t.member.settings[name] for t in trainings], np.float32) for name in names}


def _stack(trees: Sequence, device: jax.Device):
    return jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *trees), device)
