"""Trackers by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from trainwell.errors import InputError, listed, nearest
from trainwell.extras import require
from trainwell.recipe.events import Event

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
    """A listener of a run that writes it to trackers when the block ends, also where a stage has stopped the run."""

    def __init__(self, names: Sequence[str], quiet: bool = False):
        self.names, self.quiet = names, quiet
        self.folder: Path | None = None

    def __call__(self, event: Event) -> None:
        if event["event"] == "run_started":
            self.folder = Path(event["folder"])

    def __enter__(self) -> "Tracked":
        return self

    def __exit__(self, *problem: object) -> None:
        if self.folder is None:
            return
        for sentence in track(self.folder, self.names):
            if not self.quiet:
                print(sentence)
