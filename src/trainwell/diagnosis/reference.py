"""What simple models make of the same rows: the level a network should reach, and whether there is anything to learn.

Also tells training from validation inputs apart, and finds copies. NumPy arrays in, numbers out.
"""

import warnings
from typing import Any

import numpy as np

from trainwell.diagnosis.scoring import beyond_majority, gini, r_squared, two_classes

ROWS = 3000  # chosen: training rows a simple model sees
CHECKED = 1000  # chosen: validation rows it is judged on
COLUMNS = 1500  # chosen
TREES = 40  # chosen


def as_table(x: np.ndarray) -> np.ndarray:
    """Rows as columns of numbers; whole numbers that look like words become counts of words."""
    flat = x.reshape(len(x), -1)
    if np.issubdtype(flat.dtype, np.integer):
        top = int(flat.max(initial=0)) + 1
        if 2 < top <= 50_000 and flat.min(initial=0) >= 0:
            return flat  # counted in `_counts`, with the words of the training rows
    return np.nan_to_num(flat.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)[:, :COLUMNS]


def _counts(train: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    words, frequency = np.unique(train, return_counts=True)
    words = np.sort(words[np.argsort(-frequency)][: COLUMNS // 2])

    def count(rows: np.ndarray) -> np.ndarray:
        place = np.clip(np.searchsorted(words, rows), 0, len(words) - 1)
        found = np.zeros((len(rows), len(words)))
        hit = words[place] == rows
        np.add.at(found, (np.nonzero(hit)[0], place[hit]), 1.0)
        return found

    return count(train), count(other)


def prepared(train: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in the standard units of the training rows."""
    train, other = as_table(train), as_table(other)
    if np.issubdtype(train.dtype, np.integer):
        return _counts(train, other)
    mean, size = train.mean(0), train.std(0)
    size[size < 1e-12] = 1.0
    return (train - mean) / size, np.clip((other - mean) / size, -20, 20)


def simple_scores(
    x: np.ndarray, y: np.ndarray, other_x: np.ndarray, other_y: np.ndarray, task: str, weighted: bool = False
) -> dict[str, float]:
    """Scores on the other rows of a linear model, nearest neighbours and a forest fitted to the first."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.linear_model import Ridge, RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    x, y, other_x, other_y = x[:ROWS], y[:ROWS], other_x[:CHECKED], other_y[:CHECKED]
    x, other_x = prepared(x, other_x)
    regression = task == "regression"
    if not regression and len(np.unique(y)) < 2:
        return {}
    models: dict[str, Any] = {
        "linear": Ridge() if regression else RidgeClassifier(),
        "neighbours": (KNeighborsRegressor if regression else KNeighborsClassifier)(min(7, len(x))),
        "forest": (ExtraTreesRegressor if regression else ExtraTreesClassifier)(TREES, min_samples_leaf=2, random_state=0),
    }
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model in models.items():
            model.fit(x, y)
            found[name] = _score(model, other_x, other_y, task, weighted)
    return found


def _score(model: Any, x: np.ndarray, y: np.ndarray, task: str, weighted: bool) -> float:
    if task == "regression":
        return r_squared(model.predict(x).reshape(len(x), -1), y.reshape(len(y), -1))
    if task == "binary":
        values = model.decision_function(x) if hasattr(model, "decision_function") else model.predict_proba(x)[:, -1]
        top = model.classes_[-1]
        return two_classes(values, None if weighted else (model.predict(x) == top).astype(int), (y == top).astype(int))
    return beyond_majority(model.predict(x), y)


def shift(train: np.ndarray, validation: np.ndarray) -> float:
    """Area under the curve of a forest that tells the two apart, each half judged by the other's forest."""
    from sklearn.ensemble import ExtraTreesClassifier

    draw = np.random.default_rng(0)
    few = [part[draw.permutation(len(part))[:CHECKED]] for part in (train, validation)]
    both, _ = prepared(np.concatenate(few), few[0])
    origin = np.repeat([0, 1], [len(few[0]), len(few[1])])
    order = draw.permutation(len(both))
    halves = order[::2], order[1::2]
    found = []
    for fitted, judged in (halves, halves[::-1]):
        forest = ExtraTreesClassifier(TREES, min_samples_leaf=3, class_weight="balanced", random_state=0)
        forest.fit(both[fitted], origin[fitted])
        found.append((gini(forest.predict_proba(both[judged])[:, 1], origin[judged]) + 1) / 2)
    return float(np.mean(found))


def copies(train: np.ndarray, validation: np.ndarray) -> float:
    """Share of validation rows that are copies of training rows, less the share of training rows that are of each other.

    A copy is nearer than a hundredth of the usual distance between a training row and its nearest neighbour.
    """
    from sklearn.neighbors import NearestNeighbors

    few = validation[:CHECKED]
    prepared_train, prepared_few = prepared(train, few)
    if not len(prepared_train) or prepared_train.shape[1] < 2:
        return 0.0
    near = NearestNeighbors(n_neighbors=2).fit(prepared_train)
    own = near.kneighbors(prepared_train[:CHECKED])[0][:, 1]
    other = near.kneighbors(prepared_few, n_neighbors=1)[0][:, 0]
    usual = np.median(own[own > 1e-9]) if (own > 1e-9).any() else 0.0
    limit = max(usual / 100, 1e-9)
    among = 0.0 if _tells_rows_apart(prepared_train) else (own <= limit).mean()
    return float((other <= limit).mean() - among)


def _tells_rows_apart(rows: np.ndarray) -> bool:
    """Whether some column has so many values that two equal rows are hardly chance."""
    distinct = len(np.unique(rows.round(9), axis=0))
    return any(len(np.unique(column.round(9))) > distinct / 2 for column in rows.T[:64])


def order_excess(y: np.ndarray, batches: list[int], task: str) -> float:
    """How far the order of the rows is from chance: 0 by chance, 1 where every batch holds one class or one value."""
    cuts = np.cumsum(batches)[:-1]
    parts = [part for part in np.split(y, cuts) if len(part) > 1]
    if len(parts) < 4:
        return 0.0
    if task == "regression":
        whole = np.concatenate(parts)
        within = np.average([part.var(0, ddof=1).sum() for part in parts], weights=[len(part) - 1 for part in parts])
        total = whole.var(0, ddof=1).sum()
        return float(max(0.0, 1 - within / total)) if total > 0 else 0.0
    whole = np.concatenate(parts)
    shares = np.unique(whole, return_counts=True)[1] / len(whole)
    chance = float((shares**2).sum())
    pairs = np.mean([_same_pairs(part) for part in parts])
    return float((pairs - chance) / (1 - chance)) if chance < 1 else 0.0


def _same_pairs(part: np.ndarray) -> float:
    counts = np.unique(part, return_counts=True)[1]
    return float((counts * (counts - 1)).sum() / (len(part) * (len(part) - 1)))
