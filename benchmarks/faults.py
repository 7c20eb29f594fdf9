"""How well faults of PyTorch programs are found: the score, the confusion of causes, and what watching costs.

    python -m benchmarks.faults [--programs FOLDER] [--seeds 0] [--only NAME ...] [--out results.json]
    python -m benchmarks.faults --rows results.json ...
    python -m benchmarks.faults --overhead [--threads 1]

FOLDER holds a driver `trainwell_tool.py` and `cases/`, whose files define `CASE` and `build(seed)`, and for a faulty program
`fixed(seed)`. The tool sees the program alone. A cause counts as named when its severity is "problem" or "warning"; detection
and false alarms count problems.
"""

import argparse
import importlib
import importlib.util
import json
import statistics
import sys
import time
import traceback
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainwell.torch import watch

GOALS = {"detected": 0.95, "first": 0.70, "three": 0.85, "alarms": 0.02}


def programs(folder: Path, only: list[str] | None) -> list[tuple[str, Any]]:
    """The cases of a folder by name."""
    sys.path.insert(0, str(folder))
    names = sorted(path.stem for path in (folder / "cases").glob("[a-z]*.py"))
    return [(name, importlib.import_module(f"cases.{name}")) for name in names if not only or name in only]


def driver(folder: Path) -> Any:
    found = importlib.util.spec_from_file_location("driver", folder / "trainwell_tool.py")
    if found is None or found.loader is None:
        raise SystemExit(f"There is no trainwell_tool.py in {folder}.")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def judged(diagnose: Any, build: Any, seed: int) -> dict[str, Any]:
    """One program: problems, named causes in order, seconds, and a crash if there was one."""
    torch.manual_seed(seed)
    start = time.perf_counter()
    try:
        findings, error = list(diagnose(build(seed))), None
    except Exception:  # a crash is a miss, and is shown
        findings, error = [], traceback.format_exc(limit=-2)
    named = list(dict.fromkeys(found["cause"] for found in findings if found["severity"] in ("problem", "warning")))
    problems = [found["cause"] for found in findings if found["severity"] == "problem"]
    return {"problems": problems, "named": named, "seconds": time.perf_counter() - start, "error": error}


def all_judged(folder: Path, seeds: list[int], only: list[str] | None, out: Path | None = None) -> list[dict[str, Any]]:
    """One row for each program, kept in the file as they come."""
    tool, rows = driver(folder), []
    for name, module in programs(folder, only):
        labels = module.CASE.labels
        for seed in seeds:
            for kind, build in [("faulty", module.build), ("fixed", module.fixed)] if labels else [("healthy", module.build)]:
                row = {"case": name, "kind": kind, "seed": seed, "labels": labels, **judged(tool.diagnose, build, seed)}
                ranks = [place for place, cause in enumerate(row["named"]) if cause in labels]
                rows.append({**row, "rank": ranks[0] if ranks else None})
                said = ", ".join(row["named"][:3]) or "nothing"
                if out:
                    out.write_text(json.dumps(rows, indent=1))
                print(f"{name:42s} {kind:8s} {row['seconds']:6.1f} s  {said}{'  CRASHED' if row['error'] else ''}", flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The score against the goals."""
    faulty = [row for row in rows if row["kind"] == "faulty"]
    sound = [row for row in rows if row["kind"] != "faulty"]
    lines = ["| measure | goal | reached | programs |", "|---|---|---|---|"]
    counted = [
        ("faulty programs with a problem", "at least", "detected", faulty, lambda row: bool(row["problems"])),
        ("right cause first", "at least", "first", faulty, lambda row: row["rank"] == 0),
        (
            "right cause among the first three",
            "at least",
            "three",
            faulty,
            lambda row: row["rank"] is not None and row["rank"] < 3,
        ),
        ("healthy and fixed programs with a problem", "at most", "alarms", sound, lambda row: bool(row["problems"])),
    ]
    for says, side, goal, chosen, holds in counted:
        hits = sum(map(holds, chosen))
        reached = f"{hits / len(chosen):.1%}" if chosen else "none"
        lines.append(f"| {says} | {side} {GOALS[goal]:.0%} | {reached} | {hits} of {len(chosen)} |")
    return "\n".join(lines)


def confusion(rows: list[dict[str, Any]]) -> str:
    """True cause against the cause named first, most frequent first; right ones in one column."""
    lines = ["| cause of the program | programs | named first | named first instead |", "|---|---|---|---|"]
    faulty = [row for row in rows if row["kind"] == "faulty"]
    for cause in sorted({row["labels"][0] for row in faulty}):
        mine = [row for row in faulty if row["labels"][0] == cause]
        wrong = Counter(row["named"][0] if row["named"] else "nothing" for row in mine if row["rank"] != 0)
        instead = ", ".join(f"{other} {count}" for other, count in wrong.most_common())
        lines.append(f"| {cause} | {len(mine)} | {sum(row['rank'] == 0 for row in mine)} | {instead} |")
    return "\n".join(lines)


def overhead(widths: tuple[int, ...], batch: int, steps: int = 512, rounds: int = 9) -> tuple[float, float]:
    """Median milliseconds of a step without and with `watch`, in turns; the loop alone, not what comes at its end."""
    x, y = torch.randn(batch, 64), torch.randint(0, 10, (batch,))
    loss_fn, times = nn.CrossEntropyLoss(), {False: [], True: []}
    for _ in range(rounds):
        for watched in (False, True):
            sizes = [64, *widths]
            layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
            model = nn.Sequential(*layers, nn.Linear(sizes[-1], 10))
            optimizer = torch.optim.Adam(model.parameters())
            doctor = watch(model, optimizer, loss_fn=loss_fn, prove=False)
            if watched:
                doctor.__enter__()
            for step in range(steps + 8):
                if step == 8:  # the first steps pay for the preflight, once
                    start = time.perf_counter()
                optimizer.zero_grad()
                outputs = model(x)
                loss = loss_fn(outputs, y)
                loss.backward()
                optimizer.step()
                if watched:
                    doctor.step(x, y, outputs, loss)
            times[watched].append((time.perf_counter() - start) / steps * 1e3)
            doctor.recorder.stop()
    return statistics.median(times[False]), statistics.median(times[True])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, default=Path("../shared/faults"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--out", type=Path, help="file for the judgements as JSON, one program after the other")
    parser.add_argument("--rows", type=Path, nargs="+", help="such files; their tables are printed and nothing is run")
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(chosen.threads)
    if chosen.overhead:
        print("| network | batch | ms a step | ms with watch | more |\n|---|---|---|---|---|")
        for widths, batch in (((256, 256, 256), 256), ((32,), 32)):
            plain, watched = overhead(widths, batch)
            name = "-".join(map(str, widths))
            print(f"| {name} | {batch} | {plain:.3f} | {watched:.3f} | {watched / plain - 1:+.1%} |", flush=True)
        return
    if chosen.rows:
        rows = [row for path in chosen.rows for row in json.loads(path.read_text())]
    else:
        rows = all_judged(chosen.programs.resolve(), chosen.seeds, chosen.only, chosen.out)
    print(f"\n{table(rows)}\n\n{confusion(rows)}\n\ncrashed: {sum(bool(row['error']) for row in rows)}")
    print(f"seconds a program, median: {statistics.median(row['seconds'] for row in rows):.1f}")


if __name__ == "__main__":
    main()
