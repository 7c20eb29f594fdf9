"""Trainings written to one file and read back bit by bit: of those that go on all they carry, of the others the best weights.

A safetensors file: tensors ``<member>/<part>/<name>``, where the parts are those of `MemberState` and the curves, and as
metadata one JSON text: each member's structure and settings, and notes of whoever writes. Nothing is said of the trees that the
tensors make up, such as an optimizer's moments: they are those with which a member of that structure starts.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from trainwell.errors import InputError
from trainwell.files import write_whole
from trainwell.network.structure import WITHOUT_A_SETTING, Structure, hyperparameters_of
from trainwell.population.history import CURVES, Curves
from trainwell.population.member import Member, Training
from trainwell.population.signals import Signals
from trainwell.population.step import MemberState, start

TEXT = "checkpoint"


def save(trainings: Sequence[Training], path: Path, notes: Mapping[str, Any] | None = None) -> None:
    """Write the file, whole or not at all; ``notes`` is any JSON, which `notes_of` gives back."""
    tensors = {
        f"{training.member.number}/{name}": _bits(value)
        for training in trainings
        for name, value in {**_named(training.state), **_curves(training.curves)}.items()
    }
    described = {"trainings": [_described(training) for training in trainings], "notes": dict(notes or {})}
    write_whole(path, to_bytes(tensors, {TEXT: json.dumps(described)}))  # one text: safetensors writes several in any order


def load(path: Path, known: Iterable[Structure] = ()) -> list[Training]:
    """The trainings of a file that `save` wrote.

    Parameters
    ----------
    path : the file.
    known : structures with an optax transformation, which is code and not in the file: a training goes on with the one that is
        otherwise its own. One that was let go needs none.

    Raises
    ------
    InputError : the file is damaged, or a transformation is not known.
    """
    with any_error_is_damage(path):
        described, tensors = _read(path, "trainings", list)
        members = [_member(one) for one in described]
        whole = [one["state"] == "whole" for one in described]
    members = [_trainable(member, list(known)) if on else member for member, on in zip(members, whole, strict=True)]
    with any_error_is_damage(path):
        return [_training(*one, tensors) for one in zip(members, described, strict=True)]


def notes_of(path: Path) -> dict[str, Any]:
    """The notes that the file was written with; `InputError` where it is damaged."""
    with any_error_is_damage(path):
        return _read(path, "notes", dict)[0]


@contextmanager
def any_error_is_damage(path: Path) -> Iterator[None]:
    """What goes wrong in reading a file, in one sentence."""
    try:
        yield
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}): remove it, and the run makes again what was in it.") from None


def _read(path: Path, part: str, kind: type) -> tuple[Any, dict[str, np.ndarray]]:
    """(a part of what the file says of itself, all tensors)."""
    with safe_open(path, framework="numpy") as file:
        said = json.loads((file.metadata() or {})[TEXT])[part]
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    if not isinstance(said, kind):
        raise ValueError(f"its {part} are a {type(said).__name__}, not a {kind.__name__}")
    return said, tensors


def _described(training: Training) -> dict[str, Any]:
    state, member = training.state, training.member
    return {
        "number": member.number,
        "structure": member.structure.to_json(),
        "settings": member.settings,
        "stage": member.stage,
        "ended": training.ended,
        "state": "none" if state is None else "whole" if state.weights else "best weights",
    }


def _member(one: Mapping[str, Any]) -> Member:
    return Member(int(one["number"]), Structure.from_json(one["structure"]), one["settings"], one["stage"])


def _trainable(member: Member, known: Sequence[Structure]) -> Member:
    """The member with its optax transformation, where it has one."""
    if member.structure.optimizer is not WITHOUT_A_SETTING:
        return member
    fitting = [one for one in known if Structure.from_json(one.to_json()) == member.structure]
    if len(fitting) != 1:
        raise InputError(
            f"member {member.number} trains with an optax transformation, which no file can hold: "
            f"give the structure that has it ({len(fitting)} of the {len(known)} that are given fit)."
        )
    return replace(member, structure=fitting[0])


def _training(member: Member, one: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Training:
    begin = f"{member.number}/"
    own = {name.removeprefix(begin): value for name, value in tensors.items() if name.startswith(begin)}
    lists = {name: tuple(own.pop(f"curves/{name}").tolist()) for name in CURVES}
    curves = Curves(**lists, signals=_signals(own))
    state = None if one["state"] == "none" else _state(own, _begun(member.structure), one["state"] == "whole")
    return Training(member, state, curves, bool(one["ended"]))


@cache
def _begun(structure: Structure) -> MemberState:
    """The state with which a member starts, as shapes and kinds of number: nothing is computed."""
    settings = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in hyperparameters_of(structure)}
    key, prior = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((structure.outputs,), jnp.float32)
    return jax.eval_shape(lambda key, own, prior: start(key, structure, own, prior), key, settings, prior)


def _state(own: Mapping[str, np.ndarray], begun: MemberState, whole: bool) -> MemberState:
    """The tensors in the tree that they make up; `ValueError` where they do not fit it."""
    like = begun if whole else begun._replace(weights={}, statistics={}, moments={}, averaged=None)
    expected = _named(like)
    if set(own) != set(expected):
        raise ValueError(f"its tensors are not those of its network, see {min(set(own) ^ set(expected))!r}")
    leaves = [_unbits(name, own[name], leaf) for name, leaf in expected.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _named(state: MemberState | None) -> dict[str, Any]:
    """Every array of a state by its path: ``weights/layer1.bias``, ``moments/mean``, ``stopping/best``."""
    paths, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}


def _curves(curves: Curves) -> dict[str, np.ndarray]:
    """A row of numbers for each curve; for the signals a table of (times, layers) each, and the epochs of those times."""
    epochs, found = [epoch for epoch, _ in curves.signals], [one for _, one in curves.signals]
    return {
        **{f"curves/{name}": np.array(getattr(curves, name), np.float64) for name in CURVES},
        "signals/epoch": np.array(epochs, np.int64),
        **{f"signals/{name}": np.array([one[name] for one in found], np.float64) for name in Signals._fields if found},
    }


def _signals(own: dict[str, np.ndarray]) -> tuple[tuple[int, dict[str, tuple[float, ...]]], ...]:
    """The signals, taken out of the tensors of a training."""
    epochs = own.pop("signals/epoch").tolist()
    tables = {name: own.pop(f"signals/{name}").tolist() for name in Signals._fields if epochs}
    if any(len(table) != len(epochs) for table in tables.values()):
        raise ValueError("its signals are not of as many epochs as it says")
    return tuple((epoch, {name: tuple(table[i]) for name, table in tables.items()}) for i, epoch in enumerate(epochs))


def _bits(value: Any) -> np.ndarray:
    """The array, as whole numbers of the same size where the file has no name for its kind (bfloat16)."""
    array = np.asarray(value, order="C")
    return array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}")


def _unbits(name: str, value: np.ndarray, like: jax.ShapeDtypeStruct) -> np.ndarray:
    """What `_bits` was given."""
    if value.shape != like.shape or value.dtype != _bits(np.empty((), like.dtype)).dtype:
        raise ValueError(f"{name} is {value.dtype} of {value.shape}, not {like.dtype} of {like.shape}")
    return value.view(like.dtype)
