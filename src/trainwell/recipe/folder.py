"""The run folder: where it lies, and every file in it written whole or not at all."""

import importlib.metadata
import json
import os
import platform
import re
import shlex
from collections.abc import Sequence
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from trainwell.errors import InputError
from trainwell.files import write_whole
from trainwell.population.member import Training
from trainwell.recipe.context import Context

LIBRARIES = ("trainwell", "jax", "jaxlib", "numpy", "scikit-learn", "pyarrow", "narwhals")


def create(out: Path | None, name: str) -> Path:
    """A new folder: ``out``, or the next free ``runs/<name>-<date>-<n>``; `InputError` where there is something already."""
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(
                f"{out} exists and is not an empty folder: name another with --out, or continue it with "
                f"--resume {shlex.quote(str(out))}."
            )
        return _make(out)
    stem = re.sub(r"[^\w-]+", "_", name)[:60].strip("_") or "table"
    for number in count(1):
        folder = Path("runs") / f"{stem}-{date.today()}-{number}"
        if not folder.exists():
            break
    return _make(folder, exist_ok=False)


def _make(folder: Path, exist_ok: bool = True) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}; name another folder with --out.") from None
    return folder


def write_json(path: Path, content: Any) -> None:
    write_whole(path, json.dumps(content, indent=1, default=str))


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a file; `InputError` where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: it holds {type(content).__name__}, not the mapping that a run writes.")
    return content


def remove_weights(folder: Path) -> None:
    """Of its members a finished run keeps the history alone."""
    for kept in (folder / "members").glob("*"):
        if kept.suffix in (".safetensors", ".npz"):
            kept.unlink()


def write_history(context: Context, trainings: Sequence[Training], earlier: Sequence[Any] = ()) -> None:
    """``members/history.json``: what each member was and did, epoch by epoch, scores as a person reads them; with those of
    ``earlier`` that are not among the trainings."""
    shown = context.shown
    again = {training.member.number for training in trainings}
    members = [member for member in earlier if member["member"] not in again]
    for training in trainings:
        curves = training.curves.to_json()
        curves["validation_score"] = [None if score is None else shown(score) for score in curves["validation_score"]]
        members.append(
            {
                "member": training.member.number,
                "stage": training.member.stage,
                "structure": training.member.structure.describe(),
                "settings": training.member.settings,
                "epochs": training.epochs,
                "best_epoch": training.curves.best_epoch,
                "score": shown(training.score) if training.sound else None,
                "status": _status(training),
                **curves,
            }
        )
    write_json(context.folder / "members" / "history.json", {"metric": context.metric.label, "members": members})


def _status(training: Training) -> str:
    """How it ended: failed, stopped early, trained to the end, or left behind on the way (by halving or for want of time)."""
    if training.failed:
        return "failed"
    if training.stopped:
        return "stopped"
    if not training.curves:
        return "not started"
    return "halved" if training.member.stage == "tune" and not training.ended else "finished"


def write_environment(folder: Path, devices: Sequence) -> None:
    """``environment.json``: what a repetition needs to be the same."""
    write_json(
        folder / "environment.json",
        {
            "python": platform.python_version(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "devices": [str(device) for device in devices],
            "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        },
    )
