"""Trackers by name."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from trainwell.errors import InputError, listed, nearest
from trainwell.extras import require
from trainwell.recipe.events import Event
from trainwell.words import first_line, printable

Tracker = Literal["mlflow", "tensorboard"]
TRACKERS: tuple[str, ...] = get_args(Tracker)
NEEDED = {"mlflow": ("mlflow", "sqlalchemy", "alembic"), "tensorboard": ("tensorboardX",)}


def check_trackers(names: Sequence[str]) -> None:
    """`InputError` for a name that is no tracker's, or whose library is not installed: before anything is trained."""
    for name in names:
        if name not in TRACKERS:
            raise InputError(f"{name!r} is no tracker{nearest(name, TRACKERS) or f'; there are {listed(TRACKERS)}.'}")
        require(name, *NEEDED[name])


def track(folder: Path | str, names: Sequence[str]) -> list[str]:
    """Write the run of a folder, finished or not, to trackers.

    Parameters
    ----------
    folder : a run folder.
    names : ``"mlflow"`` (the store of MLFLOW_TRACKING_URI, else ``mlflow.db`` here), ``"tensorboard"`` (files in the folder).

    Returns
    -------
    For each, a sentence that says where the run is.

    Raises
    ------
    InputError : no such tracker, its library is not installed, no run folder.
    """
    check_trackers(names)
    from trainwell.tracking import mlflow_store, tensorboard_files
    from trainwell.tracking.told import told

    folder = Path(folder)
    run = told(folder)
    return [mlflow_store.write(run) if name == "mlflow" else tensorboard_files.write(run, folder) for name in names]


class Tracked:
    """A listener of a run that writes it to trackers when the block ends, also where a stage has stopped the run.

    A tracker that fails is said on standard error and changes nothing else: the run is what it is without it.
    """

    def __init__(self, names: Sequence[str], quiet: bool = False):
        self.names, self.quiet = names, quiet
        self.folder: Path | None = None
        self.was_finished: Path | None = None

    def __call__(self, event: Event) -> None:
        if event["event"] == "run_started":
            self.folder = Path(event["folder"])
        elif event["event"] == "run_finished" and self.folder is None:
            self.was_finished = Path(event["report"]).parent

    def __enter__(self) -> "Tracked":
        return self

    def __exit__(self, *problem: object) -> None:
        if self.was_finished is not None:
            again = " ".join(f"--to {name}" for name in self.names)
            place = shlex.quote(str(self.was_finished))
            self._say(f"The run is finished already, nothing is tracked: trainwell track {place} {again} writes it.")
        for name in self.names if self.folder is not None else ():
            try:
                self._say(*track(self.folder or "", [name]))
            except Exception as error:
                print(f"trainwell: {name} did not take the run: {first_line(error)}", file=sys.stderr)

    def _say(self, *sentences: str) -> None:
        for sentence in sentences:
            if not self.quiet:
                print(printable(sentence))
