"""What is done with a run: its page, watching, comparing, serving its model, trackers; and what needs no run."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from trainwell import words
from trainwell.cli.app import app


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
    from trainwell.tracking.track import track as write_to

    for sentence in write_to(run, to):
        print(sentence)


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
    print(f"next: trainwell fit {shlex.quote(str(written.train))} --target {shlex.quote(written.target)}")
