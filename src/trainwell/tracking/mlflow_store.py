"""A run in an MLflow store: where MLFLOW_TRACKING_URI says, else ``mlflow.db`` here, as `mlflow ui` looks for it.

MLflow's own counting of its users is switched off unless the environment says otherwise: trainwell asks no machine outside.
"""

import logging
import os
import re
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from trainwell.errors import InputError
from trainwell.tracking.told import Told
from trainwell.words import first_line

EXPERIMENT = "trainwell"
DATABASE, SQLITE = "mlflow.db", "sqlite:///"
PATIENCE = 20.0  # seconds, chosen: while another program writes into the database
AT_ONCE = 1000  # points in one call, MLflow's own limit
LONGEST = 6000  # letters of a parameter, MLflow's own limit


def write(run: Told) -> str:
    """Write a run; returns where it is."""
    with _quiet():
        from mlflow.tracking import MlflowClient

        address = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{Path(DATABASE).resolve()}"
        try:
            _check_database(address)
            _write(run, MlflowClient(address))
        except Exception as problem:  # of MLflow, of its database's library, of the network: each has kinds of its own
            raise InputError(f"The MLflow store {address} did not take the run: {first_line(problem)}") from None
    return f"MLflow run {run.name!r} in {address}"


def _check_database(address: str) -> None:
    """Try to write a database of SQLite's at once: where that is no use, MLflow tries again and again for minutes."""
    if address.startswith(SQLITE):
        with closing(sqlite3.connect(address.removeprefix(SQLITE), timeout=PATIENCE)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.rollback()


def _write(run: Told, client: Any) -> None:
    made = client.create_run(
        _experiment(client), start_time=_milliseconds(run.began), run_name=run.name, tags={"source": "trainwell"}
    )
    number = made.info.run_id
    try:
        _fill(run, client, number)
    except BaseException:  # or MLflow would show the run as going on for ever
        with suppress(Exception):
            client.set_terminated(number, "FAILED", _milliseconds(run.ended))
        raise


def _fill(run: Told, client: Any, number: str) -> None:
    from mlflow.entities import Metric, Param

    client.log_batch(number, params=[Param(_key(name), value[:LONGEST]) for name, value in run.parameters.items()])
    for name, value in run.texts.items():
        client.set_tag(number, f"stage.{name}", value)
    points = [Metric(_key(name), value, _milliseconds(run.ended), 0) for name, value in run.figures.items()]
    for name, curve in run.curves.items():
        points += [Metric(_key(name), point.value, _milliseconds(point.time), point.step) for point in curve]
    for batch in _batches(points):
        client.log_batch(number, metrics=batch)
    for place, paths in run.files.items():
        for path in paths:
            client.log_artifact(number, str(path), place or None)
    client.set_terminated(number, "FINISHED" if run.complete else "KILLED", _milliseconds(run.ended))


def _experiment(client: Any) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found is not None else client.create_experiment(name))


def _key(name: str) -> str:
    """A name in the letters that MLflow takes.

    >>> _key("squeeze.boosted trees.test_score"), _key("pinball (0.9)")
    ('squeeze.boosted trees.test_score', 'pinball _0.9_')
    """
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)


def _milliseconds(seconds: float) -> int:
    return int(1000 * seconds)


def _batches(points: Iterable[Any]) -> Iterator[Sequence[Any]]:
    rest = iter(points)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what MLflow and its database tell their own programmers."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for logger in loggers:
                logger.setLevel(logging.WARNING)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
