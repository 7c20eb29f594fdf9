"""A small table with a known answer, and one whole run on it that many tests look at."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainwell.recipe.run import fit


def small_table(rows: int = 300, seed: int = 0) -> dict[str, list]:
    """Two numbers and a category decide the class, a third number says nothing."""
    random = np.random.default_rng(seed)
    age, income, noise = random.normal(40, 10, rows), random.normal(3000, 800, rows), random.normal(size=rows)
    plan = random.choice(["basic", "plus", "max"], rows)
    odds = (age - 40) / 5 - (income - 3000) / 600 + 2 * (plan == "max") + random.logistic(size=rows) / 2
    return {
        "age": age.round(2).tolist(),
        "income": income.round(1).tolist(),
        "noise": noise.round(3).tolist(),
        "plan": plan.tolist(),
        "left": np.where(odds > 0.5, "yes", "no").tolist(),
    }


@pytest.fixture(scope="session")
def make_table() -> Callable[..., dict[str, list]]:
    return small_table


@pytest.fixture(scope="session")
def table():
    return small_table()


@pytest.fixture(scope="session")
def write_table(table) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([list(table), *zip(*table.values(), strict=True)])
        return path

    return write


@pytest.fixture(scope="session")
def trials() -> int:
    return 3


@pytest.fixture(scope="session")
def events() -> list[dict]:
    return []


@pytest.fixture(scope="session")
def run(table, trials, events, tmp_path_factory):
    """A run with a fixed number of trials and cores and no time limit, so that it is the same every time."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return fit(table, "left", out=folder, trials=trials, cores=2, listeners=[events.append])
