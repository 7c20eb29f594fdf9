"""The cheap model with which the inspections measure: randomized trees, and the score that goes with a task.

Source: Geurts, Ernst & Wehenkel (2006), "Extremely randomized trees"; of bootstrapped trees, those that a row did not train
predict it (Breiman, 1996, "Out-of-bag estimation"), which is a cross-validation for the price of one fit.
"""

from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.metrics import r2_score, roc_auc_score

TREES = 20  # chosen: 40 more change no score by more than 0.01
OUT_OF_BAG_TREES = 60  # chosen: each row is out of the bag of about 22
FEATURES_OF_NUMBERS = 0.4  # chosen: share of the features that a split is chosen from; all of them take twice as long
MOST_COLUMNS = 200  # chosen: of wide tables, those that tell most by themselves
LARGEST = 1e37  # chosen: a tenth of the largest float32, so that there is room below
SCORES = {"binary": "AUC", "multiclass": "accuracy", "regression": "R²"}


def filled(values: np.ndarray) -> np.ndarray:
    """Values without holes: what is missing lies below all that is known, where a tree can cut it off."""
    known = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)
    empty = np.isnan(known)
    if not empty.any():
        return known.astype(np.float32)
    lowest = np.where(empty, np.inf, known).min(axis=0, initial=np.inf)
    highest = np.where(empty, -np.inf, known).max(axis=0, initial=-np.inf)
    below = np.where(np.isfinite(lowest), lowest - np.maximum(1.0, highest - lowest), 0.0)
    return np.where(empty, below, known).astype(np.float32)


def forest(task: str, seed: int, *, out_of_bag: bool = False, smallest_leaf: int = 2) -> Any:
    """An unfitted forest of one thread."""
    make = ExtraTreesRegressor if task == "regression" else ExtraTreesClassifier
    more = {"bootstrap": True, "oob_score": True} if out_of_bag else {}
    return make(
        OUT_OF_BAG_TREES if out_of_bag else TREES,
        min_samples_leaf=smallest_leaf,
        max_features=FEATURES_OF_NUMBERS if task == "regression" else "sqrt",
        random_state=seed,
        n_jobs=1,
        **more,
    )


def held_out_score(values: np.ndarray, target: np.ndarray, task: str, train: np.ndarray, test: np.ndarray, seed: int) -> float:
    """The score on some rows of a forest that was trained on others; NaN where that cannot be measured."""
    if not len(train) or len(test) < 2 or (task != "regression" and len(np.unique(target[train])) < 2):
        return float("nan")
    model = forest(task, seed).fit(values[train], target[train])
    if task == "binary":
        return score(target[test], model.predict_proba(values[test])[:, 1], task)
    return score(target[test], model.predict(values[test]), task)


def score(truth: np.ndarray, guess: np.ndarray, task: str) -> float:
    """AUC, accuracy or R², 1 at best; NaN where the rows are all alike."""
    if len(truth) < 2 or (task != "multiclass" and (truth == truth[0]).all()):
        return float("nan")
    if task == "binary":
        return float(roc_auc_score(truth, guess))
    if task == "multiclass":
        return float((truth == guess).mean())
    return float(r2_score(truth, guess))
