"""A run of the recipe: a new one or one that is resumed, with the options that hold for it, and Ctrl-C."""

import shlex
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainwell.data.large import memory_limit
from trainwell.errors import InputError, listed
from trainwell.model import load
from trainwell.population.budget import Budget
from trainwell.recipe import folder as folders
from trainwell.recipe.chosen_metric import check_function
from trainwell.recipe.chosen_stages import changed_options, check_needs, chosen_stages
from trainwell.recipe.events import EventLog, Listener, closed_by_ctrl_c
from trainwell.recipe.evidence import read_evidence, stages_of
from trainwell.recipe.options import Options
from trainwell.recipe.order import Recipe
from trainwell.recipe.prepare import prepare
from trainwell.recipe.result import Run, closing
from trainwell.recipe.running import is_going_on
from trainwell.recipe.tune import spaces
from trainwell.report.page import write_report


def fit(
    source: Any = None,
    target: str | None = None,
    *,
    listeners: Iterable[Listener] = (),
    resume: Path | str | None = None,
    started: float | None = None,
    only: Sequence[str] = (),
    from_stage: str | None = None,
    report: bool = True,
    **options: Any,
) -> Run:
    """Run the recipe on a table.

    Parameters
    ----------
    source : path of a .csv, .tsv or .txt file, each also with .gz, or of a Parquet file; a pandas, Polars or Arrow frame; a
        dict of columns; a 2-D array.
    target : the column to predict.
    listeners : called with every event of the run, see `trainwell.recipe.events`.
    resume : folder of a run to continue; its options hold, and its table where ``source`` is left out.
    started : ``time.monotonic()`` from which the time limit counts; now when left out.
    only : names of stages; the others are not made. What they need of the others is read from the folder that is resumed.
    from_stage : of the run that is resumed, this stage and those after it are made anew, with other limits if some are given.
    report : whether the page is written at the end; it can be later, from what the folder holds.
    options : see `trainwell.recipe.options.Options`.

    Returns
    -------
    The run, with ``model``, ``predict``, ``report``. After Ctrl-C it has the best model so far and ``interrupted`` is true.

    Raises
    ------
    InputError : something given cannot be used.
    StageStopped : a stage found that training on is no use (``keep_going=True`` goes on).
    """
    started, label = time.monotonic() if started is None else started, spaces.THE_SPACE
    stages = chosen_stages(only, from_stage)
    if resume is not None:
        _check_free(Path(resume))
        if not stages and (finished := _finished(Path(resume), tuple(listeners))):
            return finished
        if stages and options.get("space") is not None:
            label, options["space"] = spaces.label_of(options["space"]), spaces.read(options["space"], _held(Path(resume)))
        source, chosen = _options_of(Path(resume), source, options, stages)
    else:
        if from_stage is not None:
            raise InputError(f"--from {from_stage} goes on in a run that was begun: say which, with --resume RUN.")
        check_needs(None, stages, options.get("effort"))
        if target is None:
            raise InputError("There is no target: name the column to predict.")
        if options.get("space") is not None:
            label, held = spaces.label_of(options["space"]), options.get("settings") or {}
            options["space"] = spaces.read(options["space"], held)
        chosen = Options.checked(target=target, **options)
        if chosen.stream_above is None:  # so that a resumed run decides as this one did, whatever is free then
            chosen = chosen.model_copy(update={"stream_above": memory_limit()})
    budget = Budget(chosen.time_limit)
    budget.start = started
    folder = None if resume is None else Path(resume)
    prepared = prepare(source, chosen, budget, folder, tuple(listeners), label, stages, only=bool(only))
    try:
        with _ctrl_c_ends(budget):
            return Recipe(prepared[0], prepared[1], stages, report=report).run()
    finally:
        prepared[0].log.close()


def _held(folder: Path) -> Mapping[str, object]:
    """The settings that a run in a folder holds fixed."""
    path = folder / "config.json"
    return (folders.read_json(path).get("settings") or {}) if path.is_file() else {}


def _check_free(folder: Path) -> None:
    """`InputError` where another process is at work on a run."""
    if is_going_on(folder):
        raise InputError(f"{folder} is going on in another process: trainwell watch {shlex.quote(str(folder))} shows it.")


def _finished(folder: Path, listeners: tuple[Listener, ...]) -> Run | None:
    """The run of a folder in which nothing is left to do; a stage that Ctrl-C cut short has left no evidence, the last one
    has, but its end is no end."""
    evidence, config = read_evidence(folder / "evidence"), folder / "config.json"
    if not config.is_file():
        return None
    wanted = stages_of(folders.read_json(config).get("effort", ""))
    if set(wanted) - set(evidence) or not (folder / "model" / "model.json").is_file() or closed_by_ctrl_c(folder):
        return None
    run = Run(folder, evidence, load(folder))
    folders.remove_weights(folder)  # where a kill kept the run from it
    if not run.report.exists():
        write_report(folder)
    EventLog(None, listeners).add("run_finished", **closing(run))
    return run


def _options_of(folder: Path, source: Any, changed: dict[str, Any], stages: Sequence[str] = ()) -> tuple[Any, Options]:
    """The (table, options) that a run was started with; only ``keep_going`` may be changed, and a function given again, and
    what concerns the ``stages`` alone that are made anew."""
    if not stages and (refused := set(changed) - {"keep_going"} - ({"metric"} if callable(changed.get("metric")) else set())):
        raise InputError(f"a resumed run has the options it was started with: leave out {listed(sorted(refused))}.")
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} cannot be resumed: it is not the folder of a run (there is no config.json in it).")
    config = folders.read_json(folder / "config.json")
    kept = config.pop("source", None)
    if source is None and kept is None:
        raise InputError(f"{folder} cannot be resumed without its table: that was no file, so give it again.")
    check_function(folder, config.get("metric"), changed.get("metric"))
    config = {name: value for name, value in config.items() if value is not None}
    chosen = changed_options(folder, config, changed, stages) if stages else {**config, **changed}
    return (kept if source is None else source), Options.checked(**{**chosen, "out": folder})


@contextmanager
def _ctrl_c_ends(budget: Budget) -> Iterator[None]:
    """The first Ctrl-C ends the training in order, with the best model so far; the second ends the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        budget.interrupt()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
