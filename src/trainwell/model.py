"""The saved model: an ensemble of networks with all that it takes to read a raw table. Files are data; loading runs nothing.

A model folder holds ``model.json`` (what it predicts, how to read a table, the members and their shares) and
``weights.safetensors``. It can be moved anywhere.
"""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainwell.calibration.calibrate import Calibration
from trainwell.calibration.intervals import LEVEL
from trainwell.calibration.thresholds import above
from trainwell.data.encode import Encoder
from trainwell.data.schema import Schema
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError
from trainwell.files import whole_file
from trainwell.model_file import (
    FORMAT,
    MemberFile,
    ModelFile,
    calibration_of,
    check_shares,
    described,
    read_description,
    read_weights,
)
from trainwell.network.structure import Structure

AS_IT_IS = Calibration()


class CellWarning(UserWarning):
    """Cells of a table to predict are not as in training: unreadable, unseen, or missing for the first time."""


@dataclass(frozen=True)
class EnsembleMember:
    """One network of the ensemble: its share of the average (0 to 1) and all that its forward pass reads."""

    number: int
    share: float
    structure: Structure
    settings: dict[str, float]
    weights: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]


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
        """Class labels (rows,), or values of the target (rows,) in its own unit."""
        return self.labels(self.outputs(_as_table(rows)))

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Probabilities (rows, classes), in the order of `classes`; `InputError` for a regression."""
        if self.schema.task == "regression":
            raise InputError(f"{self.schema.target!r} is a number: there are no class probabilities, use predict.")
        return self.probabilities(self.outputs(_as_table(rows)))

    def predict_interval(self, rows: Any, level: float = LEVEL) -> np.ndarray:
        """Intervals (rows, 2), low and high, that hold the truth of a share ``level`` of rows like those of training.

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

    def outputs(self, table: Table) -> np.ndarray:
        """What is predicted (rows, outputs): probabilities, calibrated, or scaled target values."""
        rows = table.frame.num_rows
        if rows == 0:
            return np.zeros((0, self.members[0].structure.outputs), np.float32)
        arrays = self.encoder.transform(table, with_target=False)
        for note in arrays.notes:
            warnings.warn(note.message, CellWarning, stacklevel=3)
        return self.calibration.applied(self.average(arrays.numeric, arrays.categories))

    def average(self, numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
        """Average of the members (rows, outputs) for encoded rows, as the networks gave it."""
        each = self.each(numeric, categories)
        return np.sum([member.share * one for member, one in zip(self.members, each, strict=True)], axis=0)

    def each(self, numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
        """Predictions of every member (members, rows, outputs) for encoded rows."""
        import jax

        from trainwell.population.devices import pool
        from trainwell.population.epoch import predict

        def of_one(member: EnsembleMember, device: jax.Device) -> np.ndarray:
            network = jax.tree.map(
                lambda x: np.asarray(x, np.float32)[None], (member.weights, member.statistics, member.settings)
            )
            return predict(cores.programs, member.structure, self.schema.task, network, numeric, categories, device)[0]

        cores = pool()
        found = {m.number: out for m, out in cores.run(of_one, self.members, lambda member: member.structure)}
        return np.stack([found[member.number] for member in self.members])  # in this order, whoever was done first

    def save(self, folder: Path) -> Path:
        """Write the folder, whole or not at all: the weights first, ``model.json`` last."""
        from safetensors.numpy import save as to_bytes

        from trainwell import __version__

        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            f"{member.number}/{part}/{name}": np.ascontiguousarray(value, dtype=np.float32)
            for member in self.members
            for part, values in (("weights", member.weights), ("statistics", member.statistics))
            for name, value in values.items()
        }
        weights = to_bytes(tensors)
        description = ModelFile(
            format=FORMAT,
            trainwell=__version__,
            metric=self.metric,
            test_score=self.test_score,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            calibration=described(self.calibration),
            encoder=self.encoder.to_json(),
            members=[
                MemberFile(number=m.number, share=m.share, structure=m.structure.to_json(), settings=m.settings)
                for m in self.members
            ],
        )
        with whole_file(folder / "model.json") as text, whole_file(folder / "weights.safetensors") as numbers:
            numbers.write(weights)  # the file that was opened last takes its place first
            text.write(description.model_dump_json(indent=1).encode())
        return folder


def load(folder: str | Path) -> Model:
    """The model of a run folder or of a model folder; `InputError` where there is none or its files were changed."""
    folder = Path(folder)
    if (folder / "model").is_dir():
        folder = folder / "model"
    if not (folder / "model.json").is_file():
        raise InputError(f"{folder} holds no model: it is neither a model folder nor the folder of a run that got that far.")
    description = read_description(folder / "model.json")
    weights = read_weights(folder / "weights.safetensors", description.weights_sha256)
    encoder = Encoder.from_json(description.encoder)
    check_shares(description.members, folder / "model.json")
    members = tuple(_member(one, weights, encoder, folder) for one in description.members)
    calibration = calibration_of(description.calibration, folder / "model.json")
    return Model(encoder, members, description.metric, description.test_score, calibration)


def _member(one: MemberFile, tensors: dict[str, np.ndarray], encoder: Encoder, folder: Path) -> EnsembleMember:
    """The member with its weights, whose names and shapes must be those of its structure, and this that of the table."""
    from trainwell.network.forward import shapes
    from trainwell.network.structure import hyperparameters_of, resolve

    structure = Structure.from_json(one.structure)
    if set(one.settings) != set(hyperparameters_of(structure)):
        raise InputError(
            f"{folder / 'model.json'} is damaged: the settings of member {one.number} are not those of its structure."
        )
    resolve(structure, one.settings)  # each in its range
    classes = len(encoder.schema.classes)
    entering = (len(encoder.numeric_names), encoder.continuous, encoder.cardinalities, classes if classes > 2 else 1)
    if (structure.numeric, structure.continuous, structure.cardinalities, structure.outputs) != entering:
        raise InputError(f"{folder / 'model.json'} is damaged: member {one.number} is not a network for its columns.")
    parts = []
    for part, expected in zip(("weights", "statistics"), shapes(structure), strict=True):
        start = f"{one.number}/{part}/"
        found = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
        if {name: value.shape for name, value in found.items()} != expected:
            raise InputError(f"{folder / 'weights.safetensors'} does not hold the {part} that member {one.number} needs.")
        if not all(value.dtype == np.float32 and np.isfinite(value).all() for value in found.values()):
            raise InputError(
                f"{folder / 'weights.safetensors'} holds values for member {one.number} that are no finite numbers."
            )
        parts.append(found)
    return EnsembleMember(one.number, one.share, structure, one.settings, *parts)


def _as_table(rows: Any) -> Table:
    return rows if isinstance(rows, Table) else read_table(rows)


def ensemble_members(shares: dict[int, float], trainings: Sequence) -> tuple[EnsembleMember, ...]:
    """Members of the ensemble from trainings, by their place in the sequence."""
    return tuple(
        EnsembleMember(
            trainings[place].member.number,
            share,
            trainings[place].member.structure,
            trainings[place].member.settings,
            trainings[place].state.best_weights,
            trainings[place].state.best_statistics,
        )
        for place, share in shares.items()
    )
