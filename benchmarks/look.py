"""What the stage look finds in real tables: traps found, false alarms, seconds, peak memory.

    python -m benchmarks.look [--out look.json] [table ...]

Tables with a known leak, grouping or order must have it found; the thirteen tables of `benchmarks.tabular`, whose leaks were
taken out, must raise no such alarm. ``million`` is a made-up table of a million rows and 30 columns. Every table is looked at
in a process of its own. The tables are read from the folder TRAINWELL_DATA, or ``shared/data`` beside the checkout; the
thirteen as ``tables.py`` in TRAINWELL_PEERS, or ``shared/peers``, makes them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.look_tables import DATA, PEERS, SOURCES, TRAPS
from benchmarks.tabular import TABLES as CLEAN

ALARMS = ("copy of the target", "parts of the target", "tells the target alone", "groups", "time")
LIMITS = {"adult": (10.0, 2e9), "million": (60.0, 2e9)}  # asked: seconds and bytes


class Looked(NamedTuple):
    """One table: the alarms that it raised with their columns, and what that took."""

    rows: int
    features: int
    alarms: dict[str, list[str]]
    compared: list[tuple[str, str, float, float]]
    read_seconds: float
    look_seconds: float
    peak_bytes: int

    @property
    def alarmed(self) -> set[str]:
        return {name for names in self.alarms.values() for name in names}


def look_at(name: str) -> Looked:
    """One table in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.look", "--one", name], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"looking at {name} ended with exit code {code}.")
    return Looked(**json.loads(said.splitlines()[-1]), peak_bytes=used.ru_maxrss * 1024)


def one(name: str) -> dict[str, Any]:
    """What the child process measures."""
    from trainwell.data.encode import fit_encoder
    from trainwell.data.schema import infer_schema, usable_rows
    from trainwell.data.split import split_table
    from trainwell.data.tables import read_table
    from trainwell.inspection.inspect import Subject, inspect

    with tempfile.TemporaryDirectory() as folder:
        source, target, task = SOURCES[name](Path(folder))
        start = time.perf_counter()
        table = read_table(source)
    schema, _ = infer_schema(table, target, task=task)
    table = table.take(usable_rows(table, schema))
    split = split_table(table, schema, seed=0)
    encoder = fit_encoder(table, schema, split.train)
    subject = Subject(table, schema, split, encoder, encoder.transform(table))
    between = time.perf_counter()
    found = inspect(subject)
    end = time.perf_counter()
    alarms: dict[str, list[str]] = {}
    for remark in found.remarks:
        if remark.kind in ALARMS:
            alarms.setdefault(remark.kind, []).extend(remark.columns)
    return {
        "rows": table.rows,
        "features": len(schema.features),
        "alarms": alarms,
        "compared": [(one.column, one.kind, one.random, one.apart) for one in found.compared],
        "read_seconds": between - start,
        "look_seconds": end - between,
    }


def line(name: str, looked: Looked) -> str:
    """A row of the table in ``docs/benchmarks.md``."""
    asked = set(TRAPS.get(name, ()))
    found, false = sorted(asked & looked.alarmed), sorted(looked.alarmed - asked)
    missed = f" (missed: {', '.join(sorted(asked - looked.alarmed))})" if asked - looked.alarmed else ""
    traps = f"{len(found)} of {len(asked)}{missed}: {', '.join(found)}" if asked else "-"
    compared = "; ".join(f"{column} {random:.3f} / {apart:.3f}" for column, _, random, apart in looked.compared)
    return (
        f"| {name} | {looked.rows:,} x {looked.features} | {traps} | {', '.join(false) or 'none'} | {compared or '-'} | "
        f"{looked.read_seconds:.1f} | {looked.look_seconds:.1f} | {looked.peak_bytes / 1e9:.2f} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=[], metavar="table", help=", ".join(SOURCES))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        print(json.dumps(one(chosen.one)))
        return
    if unknown := set(chosen.tables) - set(SOURCES):
        parser.error(f"{sorted(unknown)[0]!r} is no table of this benchmark: it has {', '.join(SOURCES)}.")
    if not DATA.is_dir():
        raise SystemExit(f"The real tables are not in {DATA}: set TRAINWELL_DATA to their folder.")
    names = chosen.tables or [name for name in SOURCES if name not in CLEAN or (PEERS / "tables.py").is_file()]
    print("| table | rows x features | traps found | false alarms | random / apart | read s | look s | peak GB |")
    print("|---|---|---|---|---|---|---|---|")
    results = {}
    for name in names:
        looked = look_at(name)
        results[name] = looked._asdict()
        print(line(name, looked), flush=True)
        if name in LIMITS:
            seconds, memory = LIMITS[name]
            held = looked.look_seconds <= seconds and looked.peak_bytes <= memory
            print(f"asked of {name}: {seconds:g} s and {memory / 1e9:g} GB: {'held' if held else 'missed'}", file=sys.stderr)
    if chosen.out:
        chosen.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
