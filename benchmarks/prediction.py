"""How fast a saved ensemble predicts: 9 networks of 3x256 on 20 columns, from start to rows on disk.

    python -m benchmarks.prediction [--rows 300000] [--out prediction.json]

The model is made up (random weights): its speed is that of a trained one. ``start`` is the time of ``trainwell predict`` on a
file of one row, ``file`` rows a second of the same command on a whole file, ``batch`` rows a second of encoded rows through the
networks, beside what the machine's matrix products of that size allow, and ``one row`` the time of a call on a loaded model.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import print_table, write_json

ROWS, COLUMNS, MEMBERS, WIDTHS = 300_000, 20, 9, (256, 256, 256)
EMBEDDINGS = ("none", "periodic")
REPEATS = 5  # chosen: the median of so many


def write_rows(path: Path, rows: int, columns: int = COLUMNS) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    numbers = np.random.default_rng(1).normal(size=(columns, rows)).astype(np.float32).round(4)
    table = pa.table({f"x{i}": numbers[i] for i in range(columns)})
    (pyarrow.parquet.write_table if path.suffix == ".parquet" else pyarrow.csv.write_csv)(table, str(path))


def made_model(embedding: str, members: int = MEMBERS, columns: int = COLUMNS):
    """An ensemble of two classes with random weights."""
    from trainwell.data.encode import fit_encoder
    from trainwell.data.schema import infer_schema
    from trainwell.data.tables import read_table
    from trainwell.model import EnsembleMember, Model
    from trainwell.network.forward import init
    from trainwell.network.structure import Structure, resolve

    chance = np.random.default_rng(0)
    table = {f"x{i}": chance.normal(size=1000) for i in range(columns)}
    table["y"] = np.where(chance.random(1000) < 0.5, "yes", "no")
    read = read_table(table)
    encoder = fit_encoder(read, infer_schema(read, "y")[0], np.arange(1000))
    structure = Structure(
        numeric=columns, continuous=columns, cardinalities=(), outputs=1, loss="binary_cross_entropy", widths=WIDTHS,
        numeric_embedding=embedding,
    )  # fmt: skip
    settings, networks = resolve(structure), []
    for number in range(members):
        weights, _ = init(np.uint32(number), structure, settings, np.zeros(1, np.float32))
        weights = {name: np.asarray(value) for name, value in weights.items()}
        weights["output.weight"] = chance.normal(size=(1, WIDTHS[-1])).astype(np.float32) / 16
        networks.append(EnsembleMember(number, 1 / members, structure.to_json(), settings, weights, {}))
    return Model(encoder, tuple(networks), "auc")


def seconds(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The median time of a call."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def command(model: Path, rows: Path, out: Path) -> Callable[[], Any]:
    words = [sys.executable, "-m", "trainwell", "predict", str(model), str(rows), "-o", str(out)]
    return lambda: subprocess.run(words, check=True, capture_output=True)


def floating_operations(embedding: str) -> int:
    """Of the matrix products of one row through all members."""
    sizes = (COLUMNS * (4 if embedding == "periodic" else 1), *WIDTHS, 1)
    return 2 * MEMBERS * sum(a * b for a, b in itertools.pairwise(sizes))


def product_speed(cores: int) -> float:
    """Floating-point operations a second of products of 256 x 256 by 256 x 256, one thread on each core."""
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_limits

    def products(count: int) -> None:
        a, b, c = (np.ones((256, 256), np.float32) for _ in range(3))
        for _ in range(count):
            np.matmul(a, b, out=c)

    count = 500  # chosen: a third of a second
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores) as threads:
        list(threads.map(products, [10] * cores))
        return cores * count * 2 * 256**3 / seconds(lambda: list(threads.map(products, [count] * cores)))


def measure(folder: Path, embedding: str, rows: int, speed: float) -> dict[str, Any]:
    from trainwell.model import load

    saved = made_model(embedding).save(folder / f"model-{embedding}")
    model = load(saved)
    chance = np.random.default_rng(2)
    numeric, none = chance.uniform(-3, 3, (100_000, COLUMNS)).astype(np.float32), np.zeros((100_000, 0), np.int32)
    one = {f"x{i}": [float(chance.normal())] for i in range(COLUMNS)}
    model.predict_proba(one)
    limit = speed / floating_operations(embedding)
    batch = len(numeric) / seconds(lambda: model.average(numeric, none), 3)
    return {
        "embedding": embedding,
        "start_seconds": seconds(command(saved, folder / "one.csv", folder / "out.csv")),
        "csv_rows_a_second": rows / seconds(command(saved, folder / "many.csv", folder / "out.csv"), 3),
        "parquet_rows_a_second": rows / seconds(command(saved, folder / "many.parquet", folder / "out.parquet"), 3),
        "batch_rows_a_second": batch,
        "product_limit_rows_a_second": limit,
        "share_of_limit": batch / limit,
        "one_row_milliseconds": 1000 * seconds(lambda: model.predict_proba(one), 100),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    from trainwell.cores import available_cores

    parser = argparse.ArgumentParser(prog="python -m benchmarks.prediction", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    speed = product_speed(available_cores())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, rows in (("one.csv", 1), ("many.csv", chosen.rows), ("many.parquet", chosen.rows)):
            write_rows(folder / file, rows)
        found = [measure(folder, embedding, chosen.rows, speed) for embedding in EMBEDDINGS]
    print(f"{speed / 1e9:.0f} GFLOP/s in matrix products on {available_cores()} cores")
    print_table(
        list(found[0]), [[f"{value:.4g}" if isinstance(value, float) else value for value in one.values()] for one in found]
    )
    write_json(chosen.out, found)


if __name__ == "__main__":
    main()
