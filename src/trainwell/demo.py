"""A real table to try trainwell on: 569 tumours, each described by 30 measurements of its cell nuclei, benign or malignant.

Source: Street, Wolberg & Mangasarian (1993), Breast Cancer Wisconsin (Diagnostic), as scikit-learn carries it.
"""

import csv
import random
from pathlib import Path
from typing import NamedTuple

NEW_PATIENTS = 40  # chosen: rows kept out of the training table, to be predicted later


class Demo(NamedTuple):
    """The files of the demo: a table to train on, and one to predict."""

    train: Path
    new: Path
    target: str


def write_demo(folder: Path) -> Demo:
    """Write ``breast_cancer.csv`` and ``new_patients.csv`` (which lacks the diagnosis) into the folder."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in table.feature_names]
    rows = [
        [f"P{number:03}", *values, str(table.target_names[target])]
        for number, (values, target) in enumerate(zip(table.data.tolist(), table.target, strict=True), start=1)
    ]
    random.Random(0).shuffle(rows)
    folder.mkdir(parents=True, exist_ok=True)
    demo = Demo(folder / "breast_cancer.csv", folder / "new_patients.csv", "diagnosis")
    _write(demo.train, ["patient", *names, demo.target], rows[NEW_PATIENTS:])
    _write(demo.new, ["patient", *names], [row[:-1] for row in rows[:NEW_PATIENTS]])
    return demo


def _write(path: Path, names: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([names, *rows])
