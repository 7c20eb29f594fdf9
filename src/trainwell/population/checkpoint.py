"""Trainings written to one file and read back exactly: what a resumed run needs of members that are done.

A safetensors file: tensors ``<member>/<part>/<name>``, and as metadata one JSON text with each member's structure, settings,
curves and where it stopped. Members are kept as `Training.let_go` leaves them, with their best weights only.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from trainwell.errors import InputError
from trainwell.network.structure import Structure
from trainwell.population.history import CURVES, Curves
from trainwell.population.member import Member, Training
from trainwell.population.step import MemberState
from trainwell.techniques.regularizers import early_stopping

PARTS = ("best_weights", "best_statistics")


def save(trainings: Sequence[Training], path: Path) -> None:
    """Write the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{training.member.number}/{part}/{name}": np.ascontiguousarray(value)
        for training in trainings
        if training.state is not None
        for part in PARTS
        for name, value in getattr(training.state, part).items()
    }
    unfinished = path.with_name(f".{path.name}")
    save_file(tensors, unfinished, metadata={"trainings": json.dumps([_described(training) for training in trainings])})
    unfinished.replace(path)


def load(path: Path) -> list[Training]:
    """The trainings of a file that `save` wrote; `InputError` where it is damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            described = json.loads((file.metadata() or {})["trainings"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        if not isinstance(described, list):
            raise ValueError(f"its description is a {type(described).__name__}, not a list")
        return [_training(one, tensors) for one in described]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}): remove it, and the run begins that stage again.") from None


def _described(training: Training) -> dict:
    state, curves, member = training.state, training.curves, training.member
    return {
        "number": member.number,
        "structure": member.structure.to_json(),
        "settings": member.settings,
        "stage": member.stage,
        "ended": training.ended,
        "curves": [[repr(value) for value in getattr(curves, name)] for name in CURVES],  # JSON knows no NaN
        "signals": [
            [epoch, {name: [repr(x) for x in values] for name, values in found.items()}] for epoch, found in curves.signals
        ],
        "state": None if state is None else _stopped_at(state),
    }


def _stopped_at(state: MemberState) -> dict:
    return {
        "step": int(state.step),
        "key": int(state.key),
        "best": repr(float(state.stopping.best)),
        "waited": int(state.stopping.waited),
        "stopped": bool(state.stopping.stopped),
        "failed": bool(state.failed),
    }


def _training(one: dict, tensors: dict[str, np.ndarray]) -> Training:
    member = Member(int(one["number"]), Structure.from_json(one["structure"]), one["settings"], one["stage"])
    signals = tuple(
        (int(epoch), {name: tuple(float(x) for x in values) for name, values in found.items()})
        for epoch, found in one["signals"]
    )
    lists = (tuple(float(value) for value in values) for values in one["curves"])
    curves = Curves(**dict(zip(CURVES, lists, strict=True)), signals=signals)
    if one["state"] is None:
        return Training(member, None, curves, bool(one["ended"]))
    kept: dict[str, Any] = {
        part: {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
        for part, start in ((part, f"{member.number}/{part}/") for part in PARTS)
    }
    told, at = one["state"], cast(Any, np)  # NumPy's numbers stand for JAX's, which would be put on a device
    stopping = early_stopping.State(at.float32(float(told["best"])), at.int32(told["waited"]), at.bool_(told["stopped"]))
    state = MemberState(
        {}, {}, {}, at.int32(told["step"]), at.uint32(told["key"]), **kept, stopping=stopping, failed=at.bool_(told["failed"])
    )
    return Training(member, state, curves, bool(one["ended"]))
