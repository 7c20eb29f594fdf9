"""A table far larger than the memory that may be used: 20 million rows of 20 numbers, trained on under 1.5 GB.

    python -m benchmarks.memory [--rows 20000000] [--columns 20] [--seconds 60] [--stream-above 2GB] [--out memory.json]
                                [engine | fit | csv ...]

``engine`` encodes the Parquet file into a stream and trains two networks for one pass over all rows; beside it, the same steps
on one chunk that stays in memory say what reading from disk costs. ``fit`` is ``trainwell fit FILE --target y`` with a time
limit, ``csv`` the same for a text file of the same rows. Each is a process of its own, whose peak of resident memory counts.
The table is made in a temporary folder (TMPDIR says where) and removed at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import print_table, write_json

ROWS, COLUMNS = 20_000_000, 20
LIMIT = 1.5e9  # bytes
PIECE = 250_000  # chosen: rows made at a time
NETWORKS = 2  # of the engine: one for each of two cores
WIDTHS = (128, 128)
WAYS = ("engine", "fit", "csv")


def write_tables(folder: Path, rows: int, columns: int, csv: bool) -> None:
    """``table.parquet`` and, if asked for, ``table.csv``: numbers, and a target of two classes that follows from them."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    random = np.random.default_rng(0)
    slope, names = random.normal(size=columns).astype(np.float32), [f"x{i}" for i in range(columns)]
    schema = pa.schema([*((name, pa.float32()) for name in names), ("y", pa.int8())])
    text = pyarrow.csv.CSVWriter(folder / "table.csv", schema) if csv else None
    with pyarrow.parquet.ParquetWriter(folder / "table.parquet", schema) as parquet:
        for first in range(0, rows, PIECE):
            numbers = random.normal(size=(min(PIECE, rows - first), columns)).astype(np.float32).round(4)
            signal = numbers @ slope + 2 * numbers[:, 0] * numbers[:, 1] + random.logistic(size=len(numbers))
            piece = pa.table([*numbers.T.copy(), (signal > 0).astype(np.int8)], schema=schema)
            parquet.write_table(piece)
            if text is not None:
                text.write_table(piece)
    if text is not None:
        text.close()


def engine(path: Path, folder: Path) -> dict[str, Any]:
    """What one pass of two networks comes to: rows a second, and of these the part that reading costs."""
    from trainwell.population.epoch import Data
    from trainwell.population.stream import Streamed

    population, encoding = _streamed(path, folder)
    assert isinstance(population.data, Streamed)
    stream = population.data.train
    streaming, scores = _train(population, stream.chunks)
    began = time.monotonic()
    for epoch in range(stream.chunks):
        stream.chunk(0, epoch)
    reading = time.monotonic() - began
    in_memory = replace(population, data=Data(stream.chunk(0, 0), population.data.validation))
    some = min(40, stream.chunks)  # epochs that say what an epoch takes without reading
    resident, _ = _train(in_memory, some)
    return {
        "rows": stream.rows,
        "encoding_seconds": encoding,
        "encoded_rows_per_second": stream.rows / encoding,
        "disk_bytes": stream.rows * stream.row_bytes,
        "training_seconds": streaming,
        "trained_rows_per_second": NETWORKS * stream.chunks * stream.chunk_rows / streaming,
        "reading_alone_seconds": reading,
        "share_of_reading": 1 - (resident / some) / (streaming / stream.chunks),
        "score": max(scores),
        "metric": "AUC",
    }


def _streamed(path: Path, folder: Path) -> tuple[Any, float]:
    """(population of all rows of the file, seconds that writing them took)."""
    from trainwell.data.encode import fit_encoder
    from trainwell.data.large import draw_sample, other_rows, too_large
    from trainwell.data.other_rows import encode_parts, held_out
    from trainwell.data.schema import infer_schema
    from trainwell.data.split import split_table
    from trainwell.population.cohort import Population
    from trainwell.population.devices import pool
    from trainwell.population.step import Rows
    from trainwell.population.stream import Streamed, open_stream, writing

    began = time.monotonic()
    file = too_large(path, limit=0)
    assert file is not None
    sample = draw_sample(file, seed=0)
    schema, _ = infer_schema(sample.table, "y")
    split = split_table(sample.table, schema, seed=0)
    encoder = fit_encoder(sample.table, schema, split.train)
    arrays = encoder.transform(sample.table)
    devices = pool()
    train, validation = (
        Rows(part.numeric, part.categories, part.target) for part in map(arrays.take, (split.train, split.validation))
    )
    with writing(folder / "rows") as writer:
        writer.append(train)
        kept_out = held_out(sample.table, schema, split)
        for part in encode_parts(other_rows(sample, schema, 0), encoder, kept_out, len(devices.devices)):
            writer.append(Rows(part.arrays.numeric, part.arrays.categories, part.arrays.target))
    stream = open_stream(folder / "rows")
    assert stream is not None
    prior = np.zeros(1, np.float32)
    return Population(Streamed(stream, validation), "binary", "auc", prior, 0, devices), time.monotonic() - began


def _train(population: Any, epochs: int) -> tuple[float, list[float]]:
    """(seconds, scores) of training the networks, their program compiled before."""
    from trainwell.network.structure import Structure, resolve
    from trainwell.population.budget import Budget
    from trainwell.population.member import Member, Training

    structures = [  # two programs, so that each core has its own
        Structure(
            numeric=population.data.validation.numeric.shape[1],
            continuous=population.data.validation.numeric.shape[1],
            cardinalities=(),
            outputs=1,
            loss="binary_cross_entropy",
            widths=WIDTHS,
            batch_size=256,
            numeric_embedding="none",
            input_scaling="none",
            activation=activation,
        )
        for activation in ("relu", "silu")
    ]
    members = [
        Training(Member(number, structure, resolve(structure, {"early_stopping.patience": 10_000.0})))
        for number, structure in enumerate(structures)
    ]
    population.train(members, 1, epochs, Budget())
    began = time.monotonic()
    trained = population.train(members, epochs, epochs, Budget())
    return time.monotonic() - began, [training.score for training in trained]


def measure(way: str, path: Path, folder: Path, seconds: float, stream_above: str | None) -> dict[str, Any]:
    """One way in a process of its own, with its wall time and its peak of resident memory."""
    if way == "engine":
        command = [sys.executable, "-m", "benchmarks.memory", "--engine", str(path), str(folder)]
    else:
        given = ["--target", "y", "--time-limit", f"{seconds:g}s", "--out", str(folder / "run"), "--quiet"]
        given += [] if stream_above is None else ["--stream-above", stream_above]
        command = [sys.executable, "-m", "trainwell", "fit", str(path), *given]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command[1:4])} ended with exit code {code}.")
    found = json.loads((folder / "engine.json").read_text()) if way == "engine" else _of_run(folder / "run")
    return {**found, "seconds": wall, "peak_bytes": used.ru_maxrss * 1024, "asked_bytes": LIMIT}


def _of_run(folder: Path) -> dict[str, Any]:
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    tuned, squeezed = (json.loads((folder / "evidence" / f"{name}.json").read_text()) for name in ("tune", "squeeze"))
    said = [event["message"] for event in events if event["event"] == "note" and "streamed from" in event["message"]]
    return {
        "networks": tuned["measures"].get("trials", 0),
        "epochs": tuned["measures"].get("network_epochs", 0),
        "score": squeezed["measures"]["test_score"],
        "metric": squeezed["measures"]["metric"],
        "streamed": said[0] if said else "nothing was streamed",
    }


def line(way: str, found: dict[str, Any]) -> list[str]:
    if way == "engine":
        what = (
            f"{found['rows']:,} rows encoded at {found['encoded_rows_per_second'] / 1e6:.2f} million a second; "
            f"{NETWORKS} networks trained at {found['trained_rows_per_second'] / 1e6:.2f} million a second, of which reading "
            f"costs {found['share_of_reading']:.0%} (a pass read alone: {found['reading_alone_seconds']:.1f} s)"
        )
    else:
        what = f"{found['networks']} networks. {found['streamed']}"
    held = "yes" if found["peak_bytes"] <= LIMIT else "no"
    peak = f"{found['peak_bytes'] / 1e9:.2f} GB"
    return [f"`{way}`", what, f"{found['metric']} {found['score']:.4f}", f"{found['seconds']:.0f} s", peak, held]


HEADER = ("command", "what was done", "score", "wall time", "peak memory", "under 1.5 GB")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", default=[], metavar="way", help=f"{', '.join(WAYS)}; the first two when left out")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    parser.add_argument("--seconds", type=float, default=60.0, help="time limit of fit")
    parser.add_argument("--stream-above", help="of fit; what is free decides when left out")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--engine", nargs=2, type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.engine:
        path, folder = chosen.engine
        (folder / "engine.json").write_text(json.dumps(engine(path, folder)))
        return
    if unknown := set(chosen.ways) - set(WAYS):
        parser.error(f"{sorted(unknown)[0]!r} is no way to train on the table: there are {', '.join(WAYS)}.")
    ways, found = chosen.ways or WAYS[:2], {}
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), chosen.rows, chosen.columns, csv="csv" in ways)
        for way in ways:
            path = Path(folder) / ("table.csv" if way == "csv" else "table.parquet")
            with tempfile.TemporaryDirectory(dir=folder) as own:
                found[way] = measure(way, path, Path(own), chosen.seconds, chosen.stream_above)
    print_table(HEADER, [line(way, one) for way, one in found.items()])
    write_json(chosen.out, found)


if __name__ == "__main__":
    main()
