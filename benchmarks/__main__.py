"""Everything that can be measured here, in under 15 minutes on two cores.

python -m benchmarks [--out FOLDER]
"""

import argparse
import sys
import time
from pathlib import Path

from benchmarks import gpu, growth, parts, speed, tables, widths

PARTS = {
    "speed": speed.main,
    "growth": growth.main,
    "parts": parts.main,
    "widths": widths.main,
    "gpu": gpu.main,
    "tables": tables.main,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for a JSON file of each part")
    chosen = parser.parse_args()
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for name, part in PARTS.items():
        print(f"== {name}", flush=True)
        try:
            part(["--out", str(chosen.out / f"{name}.json")] if chosen.out else [])
        except SystemExit as refusal:  # a part that cannot be measured here says why, and the others go on
            print(refusal, file=sys.stderr)
    print(f"All of it took {(time.monotonic() - started) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
