"""The saved model: an ensemble of networks with all that it takes to read a raw table. Files are data; loading runs nothing.

A model folder holds ``model.json`` (what it predicts, how to read a table, the members and their shares) and
``weights.safetensors``. It can be moved anywhere.
"""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainwell.calibration.calibrate import Calibration
from trainwell.calibration.intervals import LEVEL
from trainwell.calibration.thresholds import above
from trainwell.data.encode import Arrays, Encoder
from trainwell.data.schema import Schema
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError
from trainwell.files import whole_file
from trainwell.inference.architecture import Architecture
from trainwell.inference.ensemble import average
from trainwell.inference.folded import Folded, apart
from trainwell.model_file import (
    FIRST_FINGERPRINT,
    FORMAT,
    MemberFile,
    ModelFile,
    calibration_of,
    check_shares,
    described,
    fingerprint,
    read_description,
    written,
)
from trainwell.weights_file import Part, read_weights

if TYPE_CHECKING:
    from trainwell.network.structure import Structure

AS_IT_IS = Calibration()


class CellWarning(UserWarning):
    """Cells of a table to predict are not as in training: unreadable, unseen, or missing for the first time; of one column."""

    def __init__(self, message: str, column: str | None = None):
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class EnsembleMember:
    """One network of the ensemble: its share of the average (0 to 1) and all that its forward pass reads.

    Parameters
    ----------
    described : its structure as plain data; `structure` is the same, checked for training, too.
    """

    number: int
    share: float
    described: dict[str, Any]
    settings: dict[str, float]
    weights: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]

    @property
    def structure(self) -> "Structure":
        from trainwell.network.structure import Structure  # slow to import, and no prediction needs it

        return Structure.from_json(self.described)

    @property
    def architecture(self) -> Architecture:
        return Architecture.of(self.described, self.settings)


@dataclass(frozen=True)
class Model:
    """An ensemble that predicts from raw tables: a path, a pandas, Polars or Arrow frame, a dict of columns or an array.

    Parameters
    ----------
    encoder : from a raw table to arrays; it knows the columns, the task and the classes.
    members : the networks, shares summing to 1.
    metric, test_score : what was maximized, and its value on the test rows (None before it was measured).
    calibration : what is done to the average of the networks: temperature, threshold, intervals.
    """

    encoder: Encoder
    members: tuple[EnsembleMember, ...]
    metric: str
    test_score: float | None = None
    calibration: Calibration = AS_IT_IS

    @property
    def schema(self) -> Schema:
        return self.encoder.schema

    @property
    def classes(self) -> tuple[str, ...]:
        return self.schema.classes

    def predict(self, rows: Any) -> np.ndarray:
        """Class labels (rows,), of two classes the one that the threshold says; or the target's values (rows,) in its own unit.

        Parameters
        ----------
        rows : a table of any kind that `trainwell.fit` takes, with the columns that the model reads, in any order; others are
            passed over.

        Raises
        ------
        InputError : a column is missing, or is of another kind than in training.
        """
        return self.labels(self.outputs(self._table(rows)))

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Calibrated probabilities (rows, classes), in the order of `classes`; rows as for `predict`, whose errors it raises,
        and one for a regression."""
        if self.schema.task == "regression":
            raise InputError(f"{self.schema.target!r} is a number: there are no class probabilities, use predict.")
        return self.probabilities(self.outputs(self._table(rows)))

    def predict_interval(self, rows: Any, level: float = LEVEL) -> np.ndarray:
        """Intervals (rows, 2), low and high, that hold the truth of a share ``level`` of rows like those of training.

        Parameters
        ----------
        rows : as for `predict`.
        level : above 0 and below 1; 0.9 when left out.

        Raises
        ------
        InputError : for classes, for a level that is none, or for one that the model had too few validation rows for.
        """
        self.interval(np.zeros(0), level)  # or nothing needs to be predicted
        return self.interval(self.predict(rows), level)

    def interval(self, predicted: np.ndarray, level: float = LEVEL) -> np.ndarray:
        """Intervals (rows, 2) around predicted values (rows,); raises as `predict_interval` does."""
        if self.schema.task != "regression":
            raise InputError(f"{self.schema.target!r} has classes: there are no intervals, use the probabilities.")
        if self.calibration.intervals is None:
            raise InputError("The model was saved without intervals: train it anew to have them.")
        half_width = self.calibration.intervals.half_width(predicted, level)
        return np.column_stack([predicted - half_width, predicted + half_width])

    def _table(self, rows: Any) -> Table:
        return rows if isinstance(rows, Table) else read_table(rows, unsigned=self.encoder.unsigned)

    def labels(self, outputs: np.ndarray) -> np.ndarray:
        """From `outputs` to what is predicted: the likeliest class, of two the one that the threshold says, or the value in the
        target's unit."""
        if self.schema.task == "regression":
            return outputs[:, 0].astype(np.float64) * self.encoder.target_scale + self.encoder.target_mean
        if outputs.shape[1] == 1:
            return np.array(self.classes, dtype=object)[above(outputs[:, 0], self.calibration.threshold).astype(int)]
        return np.array(self.classes, dtype=object)[outputs.argmax(axis=1)]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def outputs(self, table: Table, part: bool = False) -> np.ndarray:
        """What is predicted (rows, outputs): probabilities, calibrated, or scaled target values; of a whole table or of a
        ``part``, in which a column may hold nothing that can be read."""
        rows = table.frame.num_rows
        if rows == 0:
            return np.zeros((0, self.members[0].architecture.outputs), np.float32)
        arrays = self.encoded(table, part)
        return self.calibration.applied(self.average(arrays.numeric, arrays.categories))

    def encoded(self, table: Table, part: bool = False) -> Arrays:
        """The rows as the networks take them; what is unusual in their cells is warned of where `predict` was called."""
        arrays = self.encoder.transform(table, with_target=False, part=part)
        for note in arrays.notes:
            warnings.warn(CellWarning(note.message, note.column), stacklevel=4)
        return arrays

    def average(self, numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
        """Average of the members (rows, outputs) for encoded rows, as the networks gave it."""
        shares, networks = zip(*self.votes, strict=True)
        return average(networks, shares, self.schema.task, numeric, categories)

    def each(self, numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
        """Predictions of every member (members, rows, outputs) for encoded rows."""
        task = self.schema.task
        return np.stack([average(own, [1 / len(own)] * len(own), task, numeric, categories) for own in self.networks])

    @cached_property
    def networks(self) -> tuple[tuple[Folded, ...], ...]:
        """The members, ready to predict: of each its network, or with adapters the networks that share its matrices."""
        return tuple(apart(member.architecture, member.weights, member.statistics) for member in self.members)

    @property
    def votes(self) -> list[tuple[float, Folded]]:
        """Every network with its share of the average; those of one member with adapters have the same."""
        return [(member.share / len(own), one) for member, own in zip(self.members, self.networks, strict=True) for one in own]

    def fingerprint(self) -> str:
        """The SHA-256 of its ``model.json``, which has the one of its weights in it."""
        return fingerprint(json.loads(self._files()[0]))

    def save(self, folder: Path) -> Path:
        """Write the folder, whole or not at all: the weights first, ``model.json`` last."""
        folder.mkdir(parents=True, exist_ok=True)
        description, weights = self._files()
        with whole_file(folder / "model.json") as text, whole_file(folder / "weights.safetensors") as numbers:
            numbers.write(weights)  # the file that was opened last takes its place first
            text.write(description)
        return folder

    def _files(self) -> tuple[bytes, bytes]:
        """(``model.json``, ``weights.safetensors``)."""
        from safetensors.numpy import save as to_bytes

        from trainwell import __version__

        tensors = {
            f"{member.number}/{part}/{name}": np.ascontiguousarray(value, dtype=np.float32)
            for member in self.members
            for part, values in (("weights", member.weights), ("statistics", member.statistics))
            for name, value in values.items()
        }
        weights = to_bytes(tensors)
        description = ModelFile(
            format=FORMAT,
            sha256="",
            trainwell=__version__,
            metric=self.metric,
            test_score=self.test_score,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            calibration=described(self.calibration),
            encoder=self.encoder.to_json(),
            members=[
                MemberFile(number=m.number, share=m.share, structure=m.described, settings=m.settings) for m in self.members
            ],
        )
        return written(description), weights


def model_folder(folder: Path) -> Path:
    """The folder itself or the one of that name in it that a model is in; `InputError` where there is none."""
    if (folder / "model").is_dir():
        folder = folder / "model"
    if not (folder / "model.json").is_file():
        raise InputError(f"{folder} holds no model: it is neither a model folder nor the folder of a run that got that far.")
    return folder


def load(folder: str | Path) -> Model:
    """The saved model.

    Parameters
    ----------
    folder : a run folder, or the model folder in it.

    Raises
    ------
    InputError : there is no model, its files were changed or damaged, or a later version wrote them.
    """
    folder = model_folder(Path(folder))
    path = folder / "model.json"
    description, vouched = read_description(path)
    encoder = Encoder.from_json(description.encoder)
    check_shares(description.members, path)
    calibration = calibration_of(description.calibration, path)
    if not vouched:
        _check_training(description.members, path)
    parts = [part for one in description.members for part in _parts(one, encoder, path)]
    tensors = read_weights(folder / "weights.safetensors", description.weights_sha256, parts)
    if not vouched and description.format >= FIRST_FINGERPRINT:
        raise InputError(f"{path} is damaged: it was changed after it was written (its fingerprint does not fit).")
    members = tuple(_member(one, tensors) for one in description.members)
    return Model(encoder, members, description.metric, description.test_score, calibration)


def _check_training(members: Sequence[MemberFile], path: Path) -> None:
    """Also what only training reads is as it must be, where no fingerprint vouches for it."""
    from trainwell.network.structure import Structure, hyperparameters_of, resolve

    for one in members:
        structure = Structure.from_json(one.structure)
        if set(one.settings) != set(hyperparameters_of(structure)):
            raise InputError(f"{path} is damaged: the settings of member {one.number} are not those of its structure.")
        resolve(structure, one.settings)  # each in its range


def _parts(one: MemberFile, encoder: Encoder, path: Path) -> tuple[Part, Part]:
    """The names and shapes of a member's weights and statistics; its structure must be one for this table."""
    try:
        own = Architecture.of(one.structure, one.settings)
    except ValueError as wrong:
        raise InputError(f"{path} is damaged: of the network of member {one.number} {wrong}.") from None
    classes = len(encoder.schema.classes)
    entering = (len(encoder.numeric_names), encoder.continuous, encoder.cardinalities, classes if classes > 2 else 1)
    if (own.numeric, own.continuous, own.cardinalities, own.outputs) != entering:
        raise InputError(f"{path} is damaged: member {one.number} is not a network for its columns.")
    weights, statistics = own.shapes()
    return Part(one.number, "weights", weights), Part(one.number, "statistics", statistics)


def _member(one: MemberFile, tensors: dict[str, np.ndarray]) -> EnsembleMember:
    def of(part: str) -> dict[str, np.ndarray]:
        start = f"{one.number}/{part}/"
        return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}

    return EnsembleMember(one.number, one.share, one.structure, one.settings, of("weights"), of("statistics"))


def ensemble_members(shares: dict[int, float], trainings: Sequence) -> tuple[EnsembleMember, ...]:
    """Members of the ensemble from trainings, by their place in the sequence."""
    return tuple(
        EnsembleMember(
            trainings[place].member.number,
            share,
            trainings[place].member.structure.to_json(),
            trainings[place].member.settings,
            trainings[place].state.best_weights,
            trainings[place].state.best_statistics,
        )
        for place, share in shares.items()
    )
