"""The search as an Optuna study on disk: one trial for each member, in Optuna's journal, which its own tools read.

The file is a log of operations, one JSON text a line, as `optuna.storages.journal.JournalFileBackend` reads it; it is written
here, because nobody else writes it: a rung at a time, without a lock that a kill would leave behind. It is never read back: a
search that begins or is resumed writes it anew from its waves, whole or not at all, and appends to it after that.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from trainwell.files import write_whole
from trainwell.population.member import Training
from trainwell.search.halving import Wave
from trainwell.search.space import Space
from trainwell.search.trials import distributions, plain, quietly, state_of

NAME = "search.journal"
STUDY = "trainwell"


class _Lines(BaseJournalBackend):
    """A journal in memory."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return self.lines[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.lines += logs


class Journal:
    """The study of one search.

    Parameters
    ----------
    folder : where `NAME` is written.
    shown : a score as a person reads it.
    direction : ``"maximize"`` or ``"minimize"``, of what is shown.
    described : what is said of the study.
    """

    def __init__(
        self, folder: Path, shown: Callable[[float], float], direction: Literal["maximize", "minimize"], **described: Any
    ):
        self._path, self._shown = folder / NAME, shown
        self._log, self._written = _Lines(), 0
        self._trials: dict[int, tuple[int, TrialState]] = {}
        self._rungs: dict[int, set[int]] = {}
        self._began = datetime.now()
        with quietly():
            self._storage = JournalStorage(self._log)
            study = optuna.create_study(storage=self._storage, study_name=STUDY, direction=direction)
            for name, value in described.items():
                study.set_user_attr(name, value)
        self._study = study._study_id

    def update(self, waves: Sequence[Wave], spaces: Sequence[Space]) -> None:
        """Write down what is new in these waves, each with the space that its members were drawn from."""
        with quietly():
            for number, (wave, space) in enumerate(zip(waves, spaces, strict=True), start=1):
                for training in wave.trainings:
                    if training.curves:
                        self._tell(training, wave, space, number)
        self._began = datetime.now()
        self._write()

    def _tell(self, training: Training, wave: Wave, space: Space, number: int) -> None:
        known = training.member.number
        if known not in self._trials:
            self._trials[known] = (self._begin(training, space, number), TrialState.RUNNING)
        trial, state = self._trials[known]
        if state.is_finished():
            return
        for epoch in sorted({end for end in wave.ends if end <= training.epochs} - self._rungs.setdefault(known, set())):
            self._storage.set_trial_intermediate_value(trial, epoch, self._shown(training.curves.score_at(epoch)))
            self._rungs[known].add(epoch)
        state = state_of(training)
        if state.is_finished():
            self._storage.set_trial_user_attr(trial, "epochs", training.epochs)
            values = [self._shown(training.score)] if state is TrialState.COMPLETE else None
            self._storage.set_trial_state_values(trial, state, values)
            self._trials[known] = (trial, state)

    def _begin(self, training: Training, space: Space, wave: int) -> int:
        member = training.member
        template = FrozenTrial(
            number=-1,
            trial_id=-1,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=self._began,
            datetime_complete=None,
            params=plain(space.point(member)),
            distributions=distributions(space, member),
            user_attrs={
                "member": member.number, "stage": member.stage, "structure": member.structure.describe(), "wave": wave
            },
            system_attrs={},
            intermediate_values={},
        )  # fmt: skip
        return self._storage.create_new_trial(self._study, template)

    def _write(self) -> None:
        new = self._log.lines[self._written :]
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in new)
        if not self._written:
            write_whole(self._path, text)
        elif text:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        self._written += len(new)
