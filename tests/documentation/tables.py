"""Made-up tables by the names that the documentation uses."""

import csv
from pathlib import Path

import numpy as np

ROWS = 160


def write_tables(folder: Path) -> None:
    """Every file that a page reads, small enough to train on in seconds."""
    chance = np.random.default_rng(0)
    number = chance.normal(size=ROWS)
    label = np.where(number + chance.normal(size=ROWS) / 2 > 0.3, "Yes", "No")
    days = [f"2024-{1 + i // 28 % 12:02}-{1 + i % 28:02}" for i in range(ROWS)]
    groups = [f"m{i // 8}" for i in range(ROWS)]
    shared = {"number": number.round(3), "other": chance.normal(size=ROWS).round(3), "date": days, "machine": groups}
    plans = {"zip": chance.integers(10, 30, ROWS), "product": chance.integers(1, 9, ROWS)}
    table = {**shared, **plans, "y": label}
    tenure, charges = chance.integers(1, 72, ROWS), chance.uniform(20, 110, ROWS).round(2)
    contract = chance.choice(["Month-to-month", "One year", "Two year"], ROWS)
    churn = {"tenure": tenure, "MonthlyCharges": charges, "Contract": contract, "Churn": label}
    visits = {**shared, "patient": groups, "days": (10 + 3 * number).round(2)}
    titanic = {
        "age": tenure,
        "fare": charges,
        "alive": np.where(label == "Yes", "yes", "no"),
        "survived": (label == "Yes").astype(int),
    }
    voices = {"subject#": np.arange(ROWS) // 8, "shimmer": number.round(3), "motor_UPDRS": (20 + 5 * number).round(2)}
    (folder / "space.toml").write_text('["adam.learning_rate"]\nlow = 1e-4\nhigh = 1e-2\n')
    write(folder / "titanic.csv", titanic)
    write(folder / "voices.csv", voices)
    for name, columns in {"table": table, "churn": churn, "churn_2026": churn, "visits": visits}.items():
        write(folder / f"{name}.csv", columns)
    write(folder / "new.csv", {name: column for name, column in churn.items() if name != "Churn"})
    _parquet(folder, "table", "visits", "new")


def write(path: Path, columns: dict) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])


def _parquet(folder: Path, *names: str) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    for name in names:
        pyarrow.parquet.write_table(pyarrow.csv.read_csv(folder / f"{name}.csv"), folder / f"{name}.parquet")
