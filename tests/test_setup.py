"""What a stranger meets first: the import, the help, the Makefile's promises, the README's commands."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from trainwell.cli import app

ROOT = Path(__file__).parent.parent
HEAVY = ("jax", "numpy", "pyarrow", "sklearn", "pandas", "polars", "optuna", "plotly", "torch", "jinja2", "pydantic")
README = (ROOT / "README.md").read_text()


def loaded_after(code: str) -> set[str]:
    """The heavy modules that a fresh Python has loaded after some code."""
    ask = f"{code}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=300, check=True)
    return set(re.findall(r"'(\w+)'", done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import trainwell; trainwell.__version__; dir(trainwell)",
        "from trainwell.cli import run_command; run_command(['--help'])",
        "from trainwell.cli import run_command; run_command(['fit', '--help'])",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code):
    assert loaded_after(code) == set()


def test_the_package_offers_what_it_says_and_no_more():
    import trainwell

    assert dir(trainwell) == ["NeuralClassifier", "NeuralRegressor", "__version__", "compare", "fit", "load", "open_run"]
    assert trainwell.__version__ == re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    with pytest.raises(AttributeError, match=r"^module 'trainwell' has no attribute 'fitt'$"):
        trainwell.fitt  # noqa: B018


def test_the_license_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert text.strip().startswith("Apache License")
    for clause in ("1. Definitions.", "9. Accepting Warranty or Additional Liability.", "END OF TERMS AND CONDITIONS"):
        assert clause in text


def commands(text: str) -> list[str]:
    """The lines of a text's command blocks that call trainwell."""
    return re.findall(r"^ {4}\$ (trainwell .+)$", text, re.M)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_documentation_is_understood(page):
    for command in commands(page.read_text()):
        app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)


def test_the_readme_shows_the_main_commands():
    assert any(command.startswith("trainwell fit ") for command in commands(README))
    assert any(command.startswith("trainwell predict ") for command in commands(README))
    assert "    make demo\n" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"^ {4}make (\w+)", README + (ROOT / "CONTRIBUTING.md").read_text(), re.M))
    assert named <= targets
    assert {"demo", "test", "check", "bench", "format", "clean", "help"} <= targets
