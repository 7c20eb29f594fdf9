"""Scores between 0, an answer that ignores the inputs, and 1, perfect."""

import numpy as np


def r_squared(guess: np.ndarray, true: np.ndarray) -> float:
    if guess.shape[1] != true.shape[1]:
        return float("nan")
    total = ((true - true.mean(0)) ** 2).sum()
    return float(max(-1.0, 1 - ((guess - true) ** 2).sum() / total)) if total > 0 else float("nan")


def beyond_majority(guess: np.ndarray, true: np.ndarray) -> float:
    majority = np.unique(true, return_counts=True)[1].max() / len(true)
    return float((np.mean(guess == true) - majority) / (1 - majority)) if majority < 1 else float("nan")


def two_classes(values: np.ndarray, guess: np.ndarray | None, true: np.ndarray) -> float:
    """Mean of how well the values rank the rows and the guesses part them (Youden's index); without guesses the first."""
    positive = true == 1
    if positive.all() or not positive.any():
        return float("nan")
    if guess is None:
        return gini(values, true)
    parted = (guess[positive] == 1).mean() - (guess[~positive] == 1).mean()
    return (gini(values, true) + float(parted)) / 2


def gini(values: np.ndarray, true: np.ndarray) -> float:
    """2 AUC - 1 by the ranks, ties counted half."""
    positive = true == 1
    if positive.all() or not positive.any():
        return float("nan")
    _, ranks, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = middle[ranks][positive].sum()
    p, n = positive.sum(), (~positive).sum()
    return float(2 * (rank_sum - p * (p + 1) / 2) / (p * n) - 1)
