"""A run that was made before, opened again from its folder."""

from pathlib import Path

from trainwell.model import load
from trainwell.recipe.result import Run
from trainwell.report.record import read_record


def open_run(folder: Path | str) -> Run:
    """The run of a folder as far as it came: to look at its figures and to predict with its model.

    Parameters
    ----------
    folder : a run folder; the run may be unfinished, then it may have no model.

    Raises
    ------
    InputError : the folder is no run folder, or its model is damaged.
    """
    record = read_record(Path(folder))
    model = load(record.folder) if (record.folder / "model" / "model.json").is_file() else None
    return Run(record.folder, dict(record.evidence), model, interrupted=bool(record.missing_stages))
