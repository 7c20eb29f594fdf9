"""The wheel in an empty environment: built, installed, and used as a stranger would.

python -m benchmarks.package [--out package.json]

Says how many packages the installation brings, how large they are and how long each command takes. Ends with an error where a
command does.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIT = ("fit", "demo/breast_cancer.csv", "--target", "diagnosis", "--effort", "fast", "--out", "demo/run", "--quiet")
WALK = (
    ("--help",),
    ("demo",),
    FIT,
    ("predict", "demo/run", "demo/new_patients.csv", "-o", "demo/predictions.csv"),
    ("report", "demo/run"),
    ("where", "dropout"),
)
EXTRAS = {
    "serve": ("serve", "demo/run"),
    "mlflow": ("track", "demo/run", "--to", "mlflow"),
    "tensorboard": ("track", "demo/run", "--to", "tensorboard"),
}
MOST = 45  # packages, the goal


def build(folder: Path) -> Path:
    """The wheel of this checkout, built in an environment of its own."""
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)], check=True, stdout=2)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """An environment with the wheel and what it needs; returns its programs' folder."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    return programs


def packages(programs: Path) -> list[str]:
    """What is installed, without pip itself and setuptools, which an environment begins with."""
    listed = subprocess.run([programs / "python", "-m", "pip", "list", "--format=json"], check=True, capture_output=True)
    return [one["name"] for one in json.loads(listed.stdout) if one["name"] not in ("pip", "setuptools")]


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6


def walk(programs: Path, folder: Path) -> dict[str, float]:
    """Seconds of each command, in a folder without the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    seconds = {}
    for words in WALK:
        began = time.monotonic()
        subprocess.run([programs / "trainwell", *words], check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        seconds[f"trainwell {words[0]}"] = time.monotonic() - began
    for extra, words in EXTRAS.items():
        done = subprocess.run([programs / "trainwell", *words], cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode != 2 or f"pip install 'trainwell[{extra}]'" not in done.stderr:
            raise SystemExit(f"without the extra {extra}: {done.returncode}, {done.stderr}")
    return seconds


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.package", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder / "wheel")
        programs = install(wheel, folder / "environment")
        names = packages(programs)
        (folder / "work").mkdir()
        seconds = walk(programs, folder / "work")
        size = megabytes(folder / "environment")
    print(f"{len(names)} packages, {size:,.0f} MB: {', '.join(names)}")
    for command, taken in seconds.items():
        print(f"{command:20} {taken:6.1f} s")
    if chosen.out:
        chosen.out.write_text(json.dumps({"packages": names, "megabytes": size, "seconds": seconds}, indent=1))
    if len(names) > MOST:
        raise SystemExit(f"{len(names)} packages were installed, the goal is at most {MOST}.")


if __name__ == "__main__":
    main()
