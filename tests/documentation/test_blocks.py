"""Every block of code of the documentation runs, or says why not."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from documentation.blocks import PAGES, ROOT, blocks
from documentation.tables import write_tables

RUNS = ("churn-2026-11-22", "churn-2026-11-22-1", "churn-2026-11-22-2", "churn-2026-11-23-1")  # as pages call them
HOUSES = ("--ignore", "Churn", "--effort", "minimal", "--out", "runs/houses-2026-11-22-1")
SCRIPT = """
import shlex, sys
import trainwell
from trainwell.cli import run_command
STOPPED = 3  # a stage said that going on is no use

def block(line, language, text):
    print(f"line {line}: {text}", file=sys.stderr, flush=True)
    if language == "python":
        exec(compile(text, f"line {line}", "exec"), names)
    elif (code := run_command(shlex.split(text)[1:])) not in (0, STOPPED):  # as some pages show
        sys.exit(f"the command of line {line} ended with {code}")

names = {"__name__": "__main__", "trainwell": trainwell}
"""


def test_a_block_is_found_shortened_and_excused_as_the_page_says():
    page = (
        "    $ trainwell fit a.csv --target y --time-limit 10m --seed 1\n\n```python\nfit(time_limit=60)\n```\n"
        "<!-- not run: no table -->\n\n    $ trainwell serve runs/a\n"
    )
    fit, python, serve = blocks(page)
    assert fit == (1, "command", "trainwell fit a.csv --target y --seed 1 --effort minimal --quiet", "")
    assert python == (3, "python", 'fit(effort="minimal")\n', "no table")
    assert serve.reason == "it answers until it is stopped"
    (search,) = blocks("    $ trainwell fit a.csv --target y --trials 200 --search grid\n")
    assert search.text == "trainwell fit a.csv --target y --search grid --trials 1 --time-limit 15s --quiet"
    (search,) = blocks('```python\nfit(trials=200, search="grid")\n```\n')
    assert search.text == 'fit(trials=1, time_limit=15, search="grid")\n'


def test_no_block_is_in_a_form_that_would_not_be_run():
    for page in PAGES:
        text = page.read_text()
        fences = re.findall(r"^```(\w*)$", text, re.M)
        assert fences[::2].count("python") == sum(block.language == "python" for block in blocks(text)), page.name
        assert set(fences[::2]) <= {"python", "toml", "json", "text", ""}, page.name


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    """A folder with tables and a finished run, under the names that pages use."""
    folder = tmp_path_factory.mktemp("documentation")
    write_tables(folder)
    subprocess.run([sys.executable, "-m", "trainwell", "demo", "--folder", "demo"], cwd=folder, check=True, timeout=300)
    fit = [sys.executable, "-m", "trainwell", "fit", "churn.csv", "--quiet"]
    for more in (["Churn", "--trials", "2", "--out", f"runs/{RUNS[0]}"], ["MonthlyCharges", *HOUSES]):
        subprocess.run([*fit, "--target", *more], cwd=folder, check=True, timeout=900)
    for name in RUNS[1:]:
        shutil.copytree(folder / "runs" / RUNS[0], folder / "runs" / name)
    return folder


@pytest.mark.documentation
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page.read_text())], ids=lambda page: page.name)
def test_every_block_of_a_page_runs(page, scratch, tmp_path):
    shutil.copytree(scratch, tmp_path, dirs_exist_ok=True)
    calls = [f"block({one.line}, {one.language!r}, {one.text!r})\n" for one in blocks(page.read_text()) if not one.reason]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + "".join(calls)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=2700,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
