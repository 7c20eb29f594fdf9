"""``trainwell fit``: what is given on the command line becomes options of a run."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

import trainwell
from trainwell import words
from trainwell.cli.app import app
from trainwell.cli.failures import INTERRUPTED
from trainwell.errors import InputError


@app.command(usage="Usage: trainwell fit FILE --target COLUMN [OPTIONS]")
def fit(
    file: Path | None = None,
    /,
    *,
    target: str | None = None,
    task: Literal["binary", "multiclass", "regression"] | None = None,
    ignore: list[str] | None = None,
    categories: list[str] | None = None,
    numbers: list[str] | None = None,
    group: str | None = None,
    time: str | None = None,
    test: Path | None = None,
    out: Path | None = None,
    seed: int | None = None,
    effort: Literal["minimal", "fast", "default", "best"] | None = None,
    time_limit: str | None = None,
    trials: int | None = None,
    search: Literal["tpe", "random", "grid"] | None = None,
    space: Path | None = None,
    metric: str | None = None,
    cost: str | None = None,
    resume: Path | None = None,
    only: list[str] | None = None,
    from_stage: Annotated[str | None, Parameter(name="--from")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set")] = None,
    keep_going: bool = False,
    cores: int | None = None,
    device: Literal["auto", "cpu", "gpu"] | None = None,
    stream_above: str | None = None,
    track: list[Literal["mlflow", "tensorboard"]] | None = None,
    quiet: bool = False,
    live: bool = False,
    browser: Annotated[bool, Parameter(name="--open")] = False,
) -> int:
    """Train on a table: all six stages, a model, a report.

    Parameters
    ----------
    file
        The table: .csv, .csv.gz, .tsv, .txt or .parquet.
    target
        The column to predict.
    task
        What kind of target it is; found out when left out.
    ignore
        A column that must not be used; may be given several times.
    categories
        A column of numbers that are names; may be given several times.
    numbers
        A column that stays one of numbers, though it looks like an identifier; may be given several times.
    group
        Column whose equal values stay together in training, validation or test.
    time
        Column by which the latest rows become the test rows.
    test
        A file of rows to test on; a fifth of the table when left out.
    out
        The run folder; runs/<file>-<date>-<n> when left out.
    seed
        Of everything random; 0 when left out.
    effort
        How long to try: fast (at most 15 s), default (1 min) or best (5 min); less where the table needs no more.
        minimal trains one small network and compares nothing, to try things out.
    time_limit
        Time for the whole run, such as 90s, 5m or 1h30m; overrules the effort.
    trials
        How many networks to try; without a time limit the result is then the same every time.
    search
        How the networks to try are drawn: tpe learns from those before, random does not, grid tries all combinations; tpe when
        left out.
    space
        A TOML file that says what is searched, see docs/search.md.
    metric
        What to maximize: auc, average_precision, accuracy, balanced_accuracy, f1 or log_loss; r2, rmse, mae or pinball (of a
        quantile: pinball:0.9).
    cost
        What mistakes cost, for two classes: fp=1,fn=20. The decision threshold is then the cheapest.
    resume
        A run folder to continue after it was stopped; nothing else needs to be given then.
    only
        A stage to make, and no other; may be given several times. With --resume it takes what it needs from that run.
    from_stage
        With --resume: make this stage and those after it anew.
    settings
        Hold a setting of the networks fixed, such as --set dropout.rate=0.3; may be given several times.
    keep_going
        Go on where a stage says that it is no use.
    cores
        How many cores to use, or of a machine with GPUs how many of these; all when left out.
    device
        Train on the cores (cpu) or on the GPUs (gpu). When left out on the GPUs, if there are any and the run has three minutes
        or more, or no time limit and more than one network: in less the cores get further than the programs of a GPU take to
        compile.
    stream_above
        Memory that the table may take, such as 2GB; the rows of a larger file are streamed from disk. A quarter of the memory
        that is free when left out.
    track
        Write the run to mlflow or tensorboard when it ends; may be given several times.
    quiet
        Print nothing but errors.
    live
        Serve the report page while it fills, on this machine alone, and print its address.
    browser
        Open that page in a browser.
    """
    given = {
        "task": task, "ignore": ignore, "categories": categories, "numbers": numbers, "group": group, "time": time,
        "test": test, "out": out,
        "seed": seed, "effort": effort,
        "time_limit": None if time_limit is None else words.parse_duration(time_limit), "trials": trials, "metric": metric,
        "cost": _costs(cost), "search": search, "space": space,
        "settings": _named_values(settings), "keep_going": keep_going or None, "cores": cores,
        "device": device,
        "stream_above": None if stream_above is None else words.parse_size(stream_above, "--stream-above"),
    }  # fmt: skip
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    _check_what_to_train(file, target, resume, options if not (only or from_stage) else {})
    if track:
        from trainwell.tracking.track import check_trackers

        check_trackers(track)
    part: dict[str, Any] = {name: value for name, value in {"only": only, "from_stage": from_stage}.items() if value}

    from trainwell.recipe.run import fit as run_recipe
    from trainwell.terminal import Terminal

    with ExitStack() as stack:
        listeners: list[Any] = []
        if track:
            from trainwell.tracking.track import Tracked

            listeners.append(stack.enter_context(Tracked(track, quiet)))
        listeners.insert(0, stack.enter_context(Terminal(quiet=quiet)))
        if live or browser:
            from trainwell.live.watch import Live

            listeners.append(stack.enter_context(Live(browser)))
        run = run_recipe(file, target, listeners=listeners, resume=resume, started=trainwell.STARTED, **part, **options)
    return INTERRUPTED if run.interrupted else 0


def _check_what_to_train(file: Path | None, target: str | None, resume: Path | None, options: Mapping[str, object]) -> None:
    if resume is not None:
        if file is not None or target is not None or set(options) - {"keep_going"}:
            raise InputError(
                "--resume continues a run with the table and the options it was started with: "
                "give nothing else but --keep-going, or other limits with --from STAGE."
            )
    elif file is None:
        raise InputError("There is no table: say trainwell fit FILE --target COLUMN, or --resume FOLDER.")
    elif target is None:
        raise InputError(f"There is no target: say which column of {str(file)!r} to predict, with --target COLUMN.")


def _costs(text: str | None) -> dict[str, float] | None:
    """{"fp": 1.0, "fn": 20.0} of "fp=1,fn=20"."""
    if text is None:
        return None
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name.strip() in found:
            raise InputError(f"--cost is {text!r}; {name.strip()} is in it twice.")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise InputError(f"--cost is {text!r}; write what the two mistakes cost, such as fp=1,fn=20.") from None
    return found


def _named_values(settings: list[str] | None) -> dict[str, str] | None:
    """{"dropout": "0.3"} of ["dropout=0.3"]."""
    if settings is None:
        return None
    pairs = [setting.partition("=") for setting in settings]
    for (name, equals, value), setting in zip(pairs, settings, strict=True):
        if not (name.strip() and equals and value.strip()):
            raise InputError(f"--set is {setting!r}; write name=value, such as --set dropout.rate=0.3.")
    return {name.strip(): value.strip() for name, _, value in pairs}
