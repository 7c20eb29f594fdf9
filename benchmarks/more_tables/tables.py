"""Ten tables on which no default was settled, with the interface of the thirteen of `benchmarks.tabular`.

    train, test, target, task = load("taxis")

Those of scikit-learn come with it, the others lie in the folder ``data`` beside that of the thirteen. What tells the target
is left out: of taxis the sums that hold the fare, of cmapss and parkinsons the engine and the subject.
"""

import os
from pathlib import Path

import pandas as pd
from scipy.io import loadmat
from sklearn import datasets
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import train_test_split

PEERS = Path(os.environ.get("TRAINWELL_PEERS") or Path(__file__).resolve().parents[3] / "shared" / "peers")
DATA = PEERS.parent / "data"


def _matrix(name):
    """A file of MATLAB's: X (rows, columns) and Y."""
    read = loadmat(DATA / name)
    table = pd.DataFrame(read["X"].astype(float), columns=[f"x{place}" for place in range(read["X"].shape[1])])
    return table.assign(y=read["Y"].ravel().astype(int))


def _of_scikit_learn(load):
    read = load(as_frame=True)
    return read.data.assign(y=read.target)


def _cmapss():
    table = pd.read_csv(DATA / "cmapss_train_FD001.txt.gz", sep=r"\s+", header=None)
    table.columns = [f"c{place}" for place in range(table.shape[1])]
    cycles_left = table.groupby("c0")["c1"].transform("max") - table["c1"]
    return table.assign(cycles_left=cycles_left).drop(columns="c0")


TABLES = {  # name: (loader, target, task)
    "madelon": (lambda: _matrix("madelon.mat"), "y", "binary"),
    "isolet": (lambda: _matrix("isolet.mat"), "y", "multiclass"),
    "arcene": (lambda: _matrix("arcene.mat"), "y", "binary"),
    "taxis": (lambda: pd.read_csv(DATA / "taxis.csv.gz").drop(columns=["total", "tip", "tolls"]), "fare", "regression"),
    "parkinsons": (
        lambda: pd.read_csv(DATA / "parkinsons_telemonitoring.csv.gz").drop(columns=["motor_UPDRS", "subject#"]),
        "total_UPDRS",
        "regression",
    ),
    "cmapss": (_cmapss, "cycles_left", "regression"),
    "breast_cancer": (lambda: _of_scikit_learn(datasets.load_breast_cancer), "y", "binary"),
    "wine": (lambda: _of_scikit_learn(datasets.load_wine), "y", "multiclass"),
    "diabetes": (lambda: _of_scikit_learn(datasets.load_diabetes), "y", "regression"),
    "digits": (lambda: _of_scikit_learn(datasets.load_digits), "y", "multiclass"),
}


def load(name, seed=0):
    """(training rows, test rows, target, task): three quarters and a quarter, classes in equal shares."""
    read, target, task = TABLES[name]
    table = read()
    classes = None if task == "regression" else table[target]
    train, test = train_test_split(table, test_size=0.25, random_state=seed, stratify=classes)
    return train.reset_index(drop=True), test.reset_index(drop=True), target, task


def score(task, truth, prediction):
    """AUC, accuracy or R2, larger is better."""
    return {"binary": roc_auc_score, "multiclass": accuracy_score, "regression": r2_score}[task](truth, prediction)
