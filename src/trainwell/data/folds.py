"""The rows that train, dealt into parts that validate in turn: with the validation rows they are the folds of a cross-fit."""

import numpy as np

from trainwell.data.schema import Schema, group_values, target_values
from trainwell.data.split import DRAWS, Split, best_draw, ranks
from trainwell.data.tables import Table


def other_folds(split: Split, table: Table, schema: Schema, *, seed: int) -> list[np.ndarray]:
    """`deal` with the target and the groups of the table that was split."""
    if split.kind == "time":
        return []
    target, groups = target_values(table, schema), group_values(table, schema)
    return deal(split, target, schema.task, seed=seed, groups=groups, copies=table.copies)


def deal(
    split: Split,
    target: np.ndarray,
    task: str,
    *,
    seed: int,
    groups: np.ndarray | None = None,
    copies: np.ndarray | None = None,
) -> list[np.ndarray]:
    """The training rows dealt into parts that validate in turn (positions, ascending), each as large as the validation rows.

    A few rows may be in no part: they always train, so that every fold trains on as many rows, and one compiled program serves
    all. Classes are dealt evenly, groups as wholes (then the parts are only about as large). Of a split by time there are none:
    rows would be predicted from later ones. Nor are there where the groups are fewer than the parts, or where no deal of them
    was found that leaves every class to train on.

    Parameters
    ----------
    split : the rows.
    target, task, seed, groups, copies : as of `make_split`; the groups are needed where the split is by group.
    """
    train, size = split.train, len(split.validation)
    parts = round(len(train) / size)
    if split.kind == "time" or parts < 1:
        return []
    random = np.random.default_rng([seed, 1])
    if split.kind == "group":
        assert groups is not None
        return _deal_groups(split, groups, target if task != "regression" else None, parts, random)
    if copies is not None:
        return _deal_copies(train, copies[train], target[train] if task != "regression" else None, parts, random)
    order = train[random.permutation(len(train))]
    if task != "regression":
        order = order[np.argsort(target[order], kind="stable")]
    dealt = parts * min(size, len(order) // parts)
    order = order[np.arange(dealt) * len(order) // dealt]  # rows of all classes stay out, not of the last alone
    return [np.sort(order[number::parts]) for number in range(parts)]


def _deal_copies(
    train: np.ndarray, copies: np.ndarray, target: np.ndarray | None, parts: int, random: np.random.Generator
) -> list[np.ndarray]:
    """Copies of a row as wholes, those with most copies first, each to the part that has fewest rows of its class; then the
    parts are only about as large."""
    _, first, number, sizes = np.unique(copies, return_index=True, return_inverse=True, return_counts=True)
    classes = np.zeros(len(first), int) if target is None else ranks(target[first])
    held = np.zeros((int(classes.max()) + 1, parts), int)
    part = np.zeros(len(first), int)
    for row in np.lexsort((random.permutation(len(first)), -sizes)):
        own = held[classes[row]]
        part[row] = np.lexsort((held.sum(axis=0), own))[0]
        own[part[row]] += sizes[row]
    return [train[part[number] == place] for place in range(parts)]


def _deal_groups(
    split: Split, groups: np.ndarray, target: np.ndarray | None, parts: int, random: np.random.Generator
) -> list[np.ndarray]:
    """The draw of groups whose parts are nearest to equal, among those that keep every class in training."""
    train = split.train
    group = ranks(groups[train])
    size = int(group.max()) + 1
    if size < parts:
        return []

    def lost(part: np.ndarray) -> int:
        """Classes that some part takes away from training."""
        if target is None:
            return 0
        kept = target[split.validation]
        return sum(len(np.setdiff1d(target[train], np.append(target[train[part != number]], kept))) for number in range(parts))

    def miss(part: np.ndarray) -> float:
        return lost(part) + float(np.abs(np.bincount(part, minlength=parts) / len(part) - 1 / parts).max())

    part = best_draw(((random.permutation(size) % parts)[group] for _ in range(DRAWS)), miss)
    return [] if lost(part) else [train[part == number] for number in range(parts)]
