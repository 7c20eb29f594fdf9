"""The tables of `benchmarks.look`: those with a trap and the columns that it consists of, those without, and a large one."""

import importlib.util
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tabular import FOLDER as PEERS
from benchmarks.tabular import TABLES as CLEAN

DATA = Path(os.environ.get("TRAINWELL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
Source = tuple[Any, str, str | None]  # what `read_table` takes, the target, the task or None

TRAPS = {
    "ai4i2020 (whole)": ("TWF", "HDF", "PWF", "OSF", "RNF"),
    "titanic (whole)": ("alive",),
    "bike sharing (whole)": ("casual", "registered", "dteday"),
    "taxis": ("total", "tip", "tolls"),
    "parkinsons, motor": ("subject#",),
    "parkinsons, total": ("subject#",),
    "cmapss": ("column_1",),
    "mice_protein (whole)": ("MouseID", "Genotype", "Treatment", "Behavior"),
}


def _file(name: str, target: str, folder: Path) -> Source:
    return DATA / name, target, None


def _cmapss(folder: Path) -> Source:
    """The target is made as its users make it: the cycles that are left to each engine."""
    columns = np.loadtxt(DATA / "cmapss_train_FD001.txt.gz").T
    unit, cycle = columns[:2].astype(int)
    last = np.zeros(unit.max() + 1, int)
    np.maximum.at(last, unit, cycle)
    table = {f"column_{place}": values for place, values in enumerate(columns, start=1)}
    return table | {"column_1": unit, "column_2": cycle, "RUL": last[unit] - cycle}, "RUL", None


def _clean(name: str, folder: Path) -> Source:
    spec = importlib.util.spec_from_file_location("tables_of_peers", PEERS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    read, target, task = module.TABLES[name]
    return read(), target, task


def _million(folder: Path) -> Source:
    """A million rows: 20 numbers, four of them whole, a date, eight categories, and a class."""
    import pyarrow as pa
    import pyarrow.parquet

    random, rows = np.random.default_rng(0), 1_000_000
    columns: dict[str, Any] = {f"number {place}": random.normal(size=rows) for place in range(16)}
    columns |= {f"count {place}": random.poisson(10.0 ** (1 + place), rows) for place in range(4)}
    columns["day"] = np.datetime64("2020-01-01") + random.integers(0, 2000, rows).astype("timedelta64[D]")
    names = np.array([f"level {place}" for place in range(50)])
    columns |= {f"category {place}": names[random.integers(0, 3 + 5 * place, rows)] for place in range(8)}
    odds = columns["number 0"] + columns["number 1"] * columns["number 2"] - 1
    columns["bought"] = np.where(odds + random.logistic(size=rows) > 0, "yes", "no")
    path = folder / "million.parquet"
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path, "bought", None


SOURCES: dict[str, Callable[[Path], Source]] = {
    "ai4i2020 (whole)": partial(_file, "ai4i2020.csv.gz", "Machine failure"),
    "titanic (whole)": partial(_file, "titanic.csv", "survived"),
    "bike sharing (whole)": partial(_file, "bike_sharing_hour.csv.gz", "cnt"),
    "taxis": partial(_file, "taxis.csv.gz", "fare"),
    "parkinsons, motor": partial(_file, "parkinsons_telemonitoring.csv.gz", "motor_UPDRS"),
    "parkinsons, total": partial(_file, "parkinsons_telemonitoring.csv.gz", "total_UPDRS"),
    "cmapss": _cmapss,
    "mice_protein (whole)": partial(_file, "mice_protein.csv.gz", "class"),
    **{name: partial(_clean, name) for name in CLEAN},
    "million": _million,
}
