"""The saved model: an ensemble of networks with all that it takes to read a raw table. Files are data; loading runs nothing.

A model folder holds ``model.json`` (what it predicts, how to read a table, the members and their shares) and
``weights.safetensors``. It can be moved anywhere.
"""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from trainwell.data.encode import Encoder
from trainwell.data.schema import Schema
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError
from trainwell.files import whole_file
from trainwell.network.structure import Structure

FORMAT = 1


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
    """

    encoder: Encoder
    members: tuple[EnsembleMember, ...]
    metric: str
    test_score: float | None = None

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

    def labels(self, outputs: np.ndarray) -> np.ndarray:
        """From `outputs` to what is predicted: the likeliest class, or the value in the target's unit."""
        if self.schema.task == "regression":
            return outputs[:, 0].astype(np.float64) * self.encoder.target_scale + self.encoder.target_mean
        return np.array(self.classes, dtype=object)[self.probabilities(outputs).argmax(axis=1)]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def outputs(self, table: Table) -> np.ndarray:
        """Average of the members (rows, outputs): probabilities, or scaled target values."""
        rows = table.frame.num_rows
        if rows == 0:
            return np.zeros((0, self.members[0].structure.outputs), np.float32)
        arrays = self.encoder.transform(table, with_target=False)
        for note in arrays.notes:
            warnings.warn(note.message, CellWarning, stacklevel=3)
        return self.average(arrays.numeric, arrays.categories)

    def average(self, numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
        """Average of the members (rows, outputs) for encoded rows."""
        import jax

        from trainwell.population.devices import pool
        from trainwell.population.epoch import predict

        def of_one(member: EnsembleMember, device: jax.Device) -> np.ndarray:
            network = jax.tree.map(
                lambda x: np.asarray(x, np.float32)[None], (member.weights, member.statistics, member.settings)
            )
            one = predict(cores.programs, member.structure, self.schema.task, network, numeric, categories, device)
            return member.share * one[0]

        cores = pool()
        shares = {m.number: out for m, out in cores.run(of_one, self.members, lambda member: member.structure)}
        return np.sum([shares[member.number] for member in self.members], axis=0)  # in this order, whoever was done first

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
        described = ModelFile(
            format=FORMAT,
            trainwell=__version__,
            metric=self.metric,
            test_score=self.test_score,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            encoder=self.encoder.to_json(),
            members=[
                MemberFile(number=m.number, share=m.share, structure=m.structure.to_json(), settings=m.settings)
                for m in self.members
            ],
        )
        with whole_file(folder / "model.json") as text, whole_file(folder / "weights.safetensors") as numbers:
            numbers.write(weights)  # the file that was opened last takes its place first
            text.write(described.model_dump_json(indent=1).encode())
        return folder


class MemberFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    number: int
    share: float
    structure: dict[str, Any]
    settings: dict[str, float]


class ModelFile(BaseModel):
    """What ``model.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: int
    trainwell: str
    metric: str
    test_score: float | None
    weights_sha256: str
    encoder: dict[str, Any]
    members: list[MemberFile]


def load(folder: str | Path) -> Model:
    """The model of a run folder or of a model folder; `InputError` where there is none or its files were changed."""
    folder = Path(folder)
    if (folder / "model").is_dir():
        folder = folder / "model"
    if not (folder / "model.json").is_file():
        raise InputError(f"{folder} holds no model: it is neither a model folder nor the folder of a run that got that far.")
    described = _read_description(folder / "model.json")
    weights = _read_weights(folder / "weights.safetensors", described.weights_sha256)
    encoder = Encoder.from_json(described.encoder)
    _check_shares(described.members, folder / "model.json")
    members = tuple(_member(one, weights, encoder, folder) for one in described.members)
    return Model(encoder, members, described.metric, described.test_score)


def _read_description(path: Path) -> ModelFile:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}.") from None
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        written_by = content.get("trainwell")
        raise InputError(
            f"{path} has format {version}, this trainwell reads up to {FORMAT}: use trainwell {written_by} or later."
        )
    try:
        return ModelFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path} is damaged at {'.'.join(map(str, first['loc'])) or 'the top'}: {first['msg']}.") from None


def _read_weights(path: Path, sha256: str) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path} is damaged: it is not the file that model.json was written with.")
    try:
        return from_bytes(content)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged: {error}.") from None


def _check_shares(members: Sequence[MemberFile], path: Path) -> None:
    if not abs(sum(member.share for member in members) - 1) <= 1e-6 or min(member.share for member in members) < 0:
        raise InputError(f"{path} is damaged: the shares of its members do not add up to 1.")
    if len({member.number for member in members}) < len(members):
        raise InputError(f"{path} is damaged: two of its members have the same number.")


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
