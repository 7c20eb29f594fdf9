"""The command line: reads the words, calls the one function behind each command, and says errors in one sentence.

Exit codes: 0 done, 1 a bug in trainwell, 2 something given cannot be used, 3 a stage said that training on is no use,
130 stopped by Ctrl-C.
"""

import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import UnusedCliTokensError

import trainwell
from trainwell import words
from trainwell.errors import InputError, TrainwellError, listed

BUG, MISTAKE, INTERRUPTED, NOBODY_READS = 1, 2, 130, 141

app = App(
    name="trainwell",
    help="Trains deep neural networks well, by the recipe, and shows its work.",
    version=lambda: trainwell.__version__,
    default_parameter=Parameter(negative=(), show_default=False),
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)


@app.command(usage="Usage: trainwell fit FILE --target COLUMN [OPTIONS]")
def fit(
    file: Path | None = None,
    /,
    *,
    target: str | None = None,
    task: Literal["binary", "multiclass", "regression"] | None = None,
    ignore: list[str] | None = None,
    categories: list[str] | None = None,
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
    settings: Annotated[list[str] | None, Parameter(name="--set")] = None,
    keep_going: bool = False,
    cores: int | None = None,
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
    settings
        Hold a setting of the networks fixed, such as --set dropout.rate=0.3; may be given several times.
    keep_going
        Go on where a stage says that it is no use.
    cores
        How many cores to use; all when left out.
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
        "task": task, "ignore": ignore, "categories": categories, "group": group, "time": time, "test": test, "out": out,
        "seed": seed, "effort": effort,
        "time_limit": None if time_limit is None else words.parse_duration(time_limit), "trials": trials, "metric": metric,
        "cost": _costs(cost), "search": search, "space": space,
        "settings": _named_values(settings), "keep_going": keep_going or None, "cores": cores,
        "stream_above": None if stream_above is None else words.parse_size(stream_above),
    }  # fmt: skip
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    _check_what_to_train(file, target, resume, options)
    if track:
        from trainwell.tracking.track import check_trackers

        check_trackers(track)

    from trainwell.recipe.run import fit as run_recipe
    from trainwell.terminal import Terminal

    begun: list[str] = []

    def remember(event: Mapping[str, object]) -> None:
        if event["event"] == "run_started":
            begun.append(str(event["folder"]))

    try:
        with ExitStack() as stack:
            listeners: list[Any] = [stack.enter_context(Terminal(quiet=quiet)), remember]
            if live or browser:
                from trainwell.live.watch import Live

                listeners.append(stack.enter_context(Live(browser)))
            run = run_recipe(file, target, listeners=listeners, resume=resume, started=trainwell.STARTED, **options)
    finally:
        if track and begun:  # also of a run that a stage has stopped
            _track(Path(begun[-1]), track, quiet)
    return INTERRUPTED if run.interrupted else 0


@app.command(usage="Usage: trainwell predict RUN FILE -o OUT [OPTIONS]")
def predict(
    run: Path,
    file: Path,
    /,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"], allow_leading_hyphen=True)],
    keep: list[str] | None = None,
    interval: float | None = None,
    chunk: int | None = None,
) -> None:
    """Predict the rows of a table with the model of a run.

    Parameters
    ----------
    run
        The run folder, or a model folder.
    file
        The table to predict; it needs the columns that the model was trained on, others do no harm.
    out
        Where to write: a .csv or .parquet file, or - for CSV on standard output.
    keep
        A column to copy in front of the predictions; may be given several times.
    interval
        For numbers: add columns low and high of the interval that holds the truth with this probability, such as 0.9.
    chunk
        How many rows to hold in memory at a time; 65,536 when left out.
    """
    from trainwell.predictions import CHUNK, cell_notes, check_chunk, check_out, predict_file

    check_out(out)
    chunk = CHUNK if chunk is None else chunk
    check_chunk(chunk)
    if interval is not None:
        from trainwell.calibration.intervals import check_level

        check_level(interval)

    from trainwell.model import load

    with cell_notes() as notes:
        rows = predict_file(load(run), file, out, keep or (), interval, chunk)
    for note in notes:
        print(f"note: {words.printable(note)}", file=sys.stderr)
    if out != "-":
        print(f"{rows:,} predictions in {out}")


@app.command(usage="Usage: trainwell export RUN -o MODEL.onnx [OPTIONS]")
def export(run: Path, /, *, out: Annotated[Path, Parameter(name=["--out", "-o"])], interval: float | None = None) -> None:
    """Write the model of a run as one ONNX file that reads raw cells, once it was checked to predict the same.

    Parameters
    ----------
    run
        The run folder, or a model folder.
    out
        Where to write: a .onnx file. Its certificate goes beside it, with .json behind the name.
    interval
        For numbers: the probability with which low and high hold the truth; 0.9 when left out.
    """
    from trainwell.export.write import export as export_model

    found = export_model(run, out, interval)
    rows = sum(found["rows"].values())
    print(f"{out}: differs by at most {found['largest_difference']:.1e} on {rows:,} rows; certificate in {out}.json")


@app.command
def info(run: Path, /) -> None:
    """Say what a model is: what it predicts, from what data, how good it is, its networks, versions and columns.

    Parameters
    ----------
    run
        The run folder, or a model folder.
    """
    from trainwell.info import describe

    print(describe(run))


@app.command(usage="Usage: trainwell report RUN [OPTIONS]")
def report(run: Path, /, *, out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None) -> None:
    """Write report.html and model_card.md again, from what is in the run folder.

    Parameters
    ----------
    run
        The run folder; the run may be unfinished.
    out
        Where to write the page, such as page.html, for a folder that cannot be written.
    """
    from trainwell.report.page import write_record
    from trainwell.report.record import read_record

    record = read_record(run)
    print(write_record(record, out))
    for sentence in record.shortcomings:
        print(f"note: {words.printable(sentence)}", file=sys.stderr)


@app.command
def watch(run: Path, /, *, browser: Annotated[bool, Parameter(name="--open")] = False) -> None:
    """Serve the report page of a run while it fills, on this machine alone, until Ctrl-C.

    Parameters
    ----------
    run
        The run folder; the run may not have begun, be going on, or be over.
    browser
        Open the page in a browser.
    """
    from trainwell.live.watch import watch as serve

    serve(run, open_browser=browser)


@app.command(usage="Usage: trainwell compare RUN RUN... [-o PAGE.html]")
def compare(*runs: Path, out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None) -> None:
    """Say how runs differ: scores with their intervals, settings, what each stage said.

    Parameters
    ----------
    runs
        Two or more run folders; a run may be unfinished.
    out
        Where to write the comparison as an HTML page, with the curves together.
    """
    from trainwell.report.comparison import compare as compared
    from trainwell.report.comparison_page import print_comparison

    comparison = compared(*runs)
    print_comparison(comparison)
    if out is not None:
        print(f"\npage          {comparison.write(out)}")


@app.command
def serve(
    run: Path,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: Annotated[str | None, Parameter(env_var="TRAINWELL_TOKEN")] = None,
    max_body: str = "10MB",
    max_rows: int = 100_000,
) -> None:
    """Answer requests for predictions over HTTP, until Ctrl-C.

    Parameters
    ----------
    run
        The run folder, or a model folder.
    host
        The address to listen on; this machine alone reaches 127.0.0.1, others need a token.
    port
        The port to listen on; 0 takes a free one.
    token
        What clients must send as Authorization: Bearer; safer as TRAINWELL_TOKEN in the environment, where no list of processes
        shows it.
    max_body
        The largest body of a request, such as 500KB.
    max_rows
        The most rows of a request.
    """
    from trainwell.extras import require

    require("serve", "fastapi", "uvicorn", "prometheus_client")

    from trainwell.serving.limits import Limits
    from trainwell.serving.server import serve as serve_model

    def ready(address: str) -> None:
        print(f"predictions at {address}/predict, its table at {address}/schema; Ctrl-C ends it", flush=True)

    serve_model(run, host, port, Limits(words.parse_size(max_body, "--max-body"), max_rows), token, ready)


@app.command
def track(run: Path, /, *, to: list[Literal["mlflow", "tensorboard"]]) -> None:
    """Write a run to a tracker: an MLflow store, TensorBoard files.

    Parameters
    ----------
    run
        The run folder; the run may be unfinished.
    to
        mlflow (the store of MLFLOW_TRACKING_URI, else mlflow.db here) or tensorboard (files in the run folder); may be given
        several times.
    """
    _track(run, to)


@app.command
def where(name: str | None = None, /) -> None:
    """Say where a technique is: equation, source, file, settings. Without a name, list all.

    Parameters
    ----------
    name
        The technique as courses call it, such as he, dropout or adam.
    """
    from trainwell.techniques.catalogue import CATALOGUE, describe, find

    if name is None:
        for family in dict.fromkeys(entry.family for entry in CATALOGUE):
            print(f"{family}: " + ", ".join(entry.name for entry in CATALOGUE if entry.family == family))
        return
    print("\n\n".join(describe(entry) for entry in find(name)))


@app.command
def demo(*, folder: Path = Path("demo")) -> None:
    """Write a real table to try trainwell on.

    Parameters
    ----------
    folder
        Where to write it.
    """
    from trainwell.demo import write_demo

    written = write_demo(folder)
    print(f"569 tumours, benign or malignant, in {written.train}; 40 of them without the diagnosis in {written.new}")
    print(f"next: trainwell fit {written.train} --target {written.target}")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code."""
    if not _debugging():
        warnings.simplefilter("ignore")  # of libraries, to programmers; what a user must know is an event or an error
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run a command; whatever goes wrong becomes one sentence on standard error and an exit code."""
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (BrokenPipeError, SystemExit):  # SystemExit: how rich says that nobody reads
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (or Python complains when it flushes at exit)
        return NOBODY_READS
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if _debugging():
            raise
        sentence, code = explain(error)
        print(f"trainwell: {words.printable(sentence)}", file=sys.stderr)
        return code


def _debugging() -> bool:
    return os.environ.get("TRAINWELL_DEBUG") == "1"


def explain(error: Exception) -> tuple[str, int]:
    """One sentence for an exception, and the exit code that goes with it."""
    if isinstance(error, TrainwellError):
        return str(error), error.exit_code
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        extra = listed(error.unused_tokens)
        return f"{extra}: one word too many; a name with blanks needs quotes, a second column its own option.", MISTAKE
    if isinstance(error, CycloptsError):
        return " ".join(str(error).split()), MISTAKE
    if isinstance(error, MemoryError):
        return "The memory of this machine is used up; try fewer rows or --set batch_size=128.", MISTAKE
    if isinstance(error, OSError) and error.filename is not None:
        return f"{str(error.filename)!r} cannot be used: {error.strerror}.", MISTAKE
    handle, path = tempfile.mkstemp(prefix="trainwell-bug-", suffix=".txt", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    kind = type(error).__name__
    return f"This is a bug in trainwell ({kind}); please report it with the details in {path}.", BUG


def _track(folder: Path, names: Sequence[str], quiet: bool = False) -> None:
    from trainwell.tracking.track import track as write_to

    for sentence in write_to(folder, names):
        if not quiet:
            print(sentence)


def _check_what_to_train(file: Path | None, target: str | None, resume: Path | None, options: Mapping[str, object]) -> None:
    if resume is not None:
        if file is not None or target is not None or set(options) - {"keep_going"}:
            raise InputError(
                "--resume continues a run with the table and the options it was started with: "
                "give nothing else but --keep-going."
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
