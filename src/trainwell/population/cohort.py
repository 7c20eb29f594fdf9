"""Members of one Structure trained together on one device, and the population that is made of such cohorts.

A job is a pure function: (trainings, epochs) -> trainings that are further on. It runs on whichever device is free, in any
order, and its result depends on neither. All members of a job are at the same epoch, so that they share the order of rows,
which comes from the run's seed and the epoch.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import jax
import numpy as np

from trainwell.errors import InputError, listed
from trainwell.network import first_pass
from trainwell.network.structure import Structure
from trainwell.population import epoch as programs
from trainwell.population.budget import Budget
from trainwell.population.devices import Pool
from trainwell.population.epoch import Data, Record
from trainwell.population.history import Curves
from trainwell.population.step import MemberState, Rows
from trainwell.techniques.losses import LOSSES

CACHE_BYTES = 1 << 20  # chosen: what of a core's second-level cache a cohort's weights and activations may fill
MOST_TOGETHER = 16  # measured: beyond 16 small networks a CPU gains nothing more
STEPS_PER_CALL = 32  # chosen: a call of the compiled program costs as much as a step or two of a small network


@dataclass(frozen=True)
class Member:
    """One network of the population: its number (and so its randomness), its structure and all its settings."""

    number: int
    structure: Structure
    settings: dict[str, float]
    stage: str = ""


@dataclass(frozen=True)
class Training:
    """How far a member has come. ``state`` is None before the first epoch; ``ended`` where a search took it to its end."""

    member: Member
    state: MemberState | None = None
    curves: Curves = field(default_factory=Curves)
    ended: bool = False

    @property
    def epochs(self) -> int:
        return len(self.curves)

    @property
    def score(self) -> float:
        """The validation score of the best weights, larger is better; -inf where there is none."""
        return self.curves.best_score

    @property
    def rank(self) -> float:
        """What members are compared by: the score with ties broken; -inf where there is none."""
        return -np.inf if self.state is None else float(self.state.stopping.best)

    @property
    def stopped(self) -> bool:
        return self.state is not None and bool(self.state.stopping.stopped)

    @property
    def failed(self) -> bool:
        return self.state is not None and bool(self.state.failed)

    @property
    def sound(self) -> bool:
        """Whether it has trained and did not fail."""
        return bool(self.curves) and not self.failed

    @property
    def going(self) -> bool:
        """Whether it can train on."""
        return self.state is not None and bool(self.state.weights) and not self.stopped

    def let_go(self) -> "Training":
        """The same with only its best weights: no longer able to train on, a quarter of the memory."""
        if self.state is None:
            return self
        return dataclasses.replace(self, state=self.state._replace(weights={}, statistics={}, moments={}))


def together(structure: Structure) -> int:
    """How many members of a structure one core trains at once: a power of two whose numbers stay in its cache.

    A member's bytes per step are 4 (4 P + 2 B W): P weights, their gradient and two moments, B rows of W units both ways.
    """
    sizes = (structure.entering, *structure.widths, structure.outputs)
    weights = sum(a * b for a, b in pairwise(sizes))
    bytes_of_one = 4 * (4 * weights + 2 * structure.batch_size * sum(sizes))
    fitting = max(1, CACHE_BYTES // bytes_of_one)
    return min(MOST_TOGETHER, 1 << (fitting.bit_length() - 1))


@dataclass(frozen=True)
class Population:
    """Everything that all members have in common.

    Parameters
    ----------
    data : training and validation rows.
    task, metric : what is predicted and what is to be maximized on the validation rows.
    prior : first output bias (outputs,).
    seed : of the order of rows and, with a member's number, of the member.
    pool : the devices.
    """

    data: Data
    task: str
    metric: str
    prior: np.ndarray
    seed: int
    pool: Pool
    _kept: dict[jax.Device, Data] = field(default_factory=dict, init=False, repr=False, compare=False)

    def steps_per_epoch(self, structure: Structure) -> int:
        return max(1, len(self.data.train.target) // self._batch(structure))

    def epochs_per_call(self, structure: Structure) -> int:
        """Epochs of small tables are done several at a call; a power of two."""
        wanted = max(1, STEPS_PER_CALL // self.steps_per_epoch(structure))
        return 1 << (wanted.bit_length() - 1)

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

        def advance(job: list[Training], device: jax.Device) -> list[Training]:
            return self._advance(job, device, epochs, total_epochs, budget)

        for _, finished in self.pool.run(advance, self._jobs(waiting), _program):
            done.update((training.member.number, training) for training in finished)
            on_finished(finished)
        return [done[number] for number in sorted(done)]

    def predict(self, trainings: Sequence[Training], numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
        """Predictions of the members' best weights, (members, rows, outputs), in the order given."""
        jobs = self._jobs(trainings)
        found: dict[int, np.ndarray] = {}

        def job_predictions(job: list[Training], device: jax.Device) -> np.ndarray:
            structure = job[0].member.structure
            filled = job + job[-1:] * (together(structure) - len(job))
            weights, statistics = (
                jax.tree.map(lambda *leaves: np.stack(leaves), *(getattr(training.state, part) for training in filled))
                for part in ("best_weights", "best_statistics")
            )
            networks = (weights, statistics, _settings(filled))
            return programs.predict(structure, self.task, networks, numeric, categories, device)[: len(job)]

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
        ordered = sorted(groups.values(), key=lambda group: -sum(group[0].member.structure.widths))
        return [
            group[i : i + together(group[0].member.structure)]
            for group in ordered
            for i in range(0, len(group), together(group[0].member.structure))
        ]

    def _advance(
        self, job: list[Training], device: jax.Device, epochs: int, total_epochs: int, budget: Budget
    ) -> list[Training]:
        structure = job[0].member.structure
        if budget.passed or budget.left < self.pool.compile_seconds(device, structure):
            return job
        filled = job + job[-1:] * (
            together(structure) - len(job)
        )  # places left over repeat the last member and are thrown away
        settings = jax.device_put(_settings(filled), device)
        states = self._start(filled, settings, device) if job[0].state is None else _stack([t.state for t in filled], device)
        train = programs.trainer(structure, self.metric, self.task)
        data = self._data_on(device)
        total_steps = np.float32(self.steps_per_epoch(structure) * total_epochs)
        records: list[Record] = []
        epoch = job[0].epochs
        while epoch < epochs and not (records and budget.passed):
            orders = self._orders(structure, epoch, min(self.epochs_per_call(structure), epochs - epoch))
            began = time.monotonic()
            states, record = train(states, settings, data, jax.device_put(orders, device), total_steps)
            records.append(jax.tree.map(np.asarray, record))
            self.pool.compiled(device, structure, time.monotonic() - began)
            epoch += len(orders)
            if records[-1].stopped[-1].all():
                break
        states = jax.tree.map(np.asarray, states)
        return [
            Training(training.member, jax.tree.map(lambda x, i=i: x[i].copy(), states), training.curves.extended(records, i))
            for i, training in enumerate(job)
        ]

    def _start(self, filled: Sequence[Training], settings, device: jax.Device) -> MemberState:
        keys = np.array([member_key(self.seed, training.member.number) for training in filled], np.uint32)
        structure = filled[0].member.structure
        prior, batch = jax.device_put((self.prior.astype(np.float32), self._first_pass(structure)), device)
        return programs.starter(structure)(jax.device_put(keys, device), settings, prior, batch)

    def _first_pass(self, structure: Structure) -> Rows | None:
        """The training rows on which first weights are rescaled: the first of the run's order, the same for every member."""
        if structure.first_pass == "none":
            return None
        rows = np.random.default_rng([self.seed, 0]).permutation(len(self.data.train.target))[: first_pass.ROWS]
        return Rows(*(x[rows] for x in self.data.train))

    def _orders(self, structure: Structure, epoch: int, epochs: int) -> np.ndarray:
        """Row numbers (epochs, steps, batch); a remainder smaller than a batch waits for another epoch's order."""
        rows, batch = len(self.data.train.target), self._batch(structure)
        steps = self.steps_per_epoch(structure)
        orders = [
            np.random.default_rng([self.seed, e]).permutation(rows)[: steps * batch] for e in range(epoch, epoch + epochs)
        ]
        return np.stack(orders).reshape(epochs, steps, batch).astype(np.int32)

    def _batch(self, structure: Structure) -> int:
        return min(structure.batch_size, len(self.data.train.target))

    def _data_on(self, device: jax.Device) -> Data:
        if device not in self._kept:
            self._kept[device] = jax.device_put(self.data, device)
        return self._kept[device]


def member_key(seed: int, number: int) -> int:
    """32 bits for a member's randomness from the run's seed and the member's number alone."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _program(job: Sequence[Training]) -> Structure:
    return job[0].member.structure


def _settings(trainings: Sequence[Training]) -> dict[str, np.ndarray]:
    """Each setting as one array (members,)."""
    names = trainings[0].member.settings
    return {name: np.array([t.member.settings[name] for t in trainings], np.float32) for name in names}


def _stack(trees: Sequence, device: jax.Device):
    return jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *trees), device)
