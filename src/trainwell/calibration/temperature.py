"""Temperature scaling: one number that makes probabilities as sure as they are right.

    p -> softmax(log p / T)        two classes: p -> sigmoid(logit(p) / T)

T above 1 makes an overconfident model less sure, T below 1 a timid one surer. The order of rows and the likeliest class stay as
they are, so neither AUC nor accuracy changes.

Source: Guo et al. (2017), "On calibration of modern neural networks", section 4.2.
"""

import numpy as np
from jaxtyping import Float, Int

COLDEST, HOTTEST = 0.1, 10.0  # chosen: a model that needs more is not mended by a temperature
PARTS = 5  # chosen: rows are fitted on four fifths and judged on the fifth
ENDS = (1e-46, 1 - 2.0**-25)  # what stands for 0 and 1: beyond the least and the largest float32 between them

Probabilities = Float[np.ndarray, "rows outputs"]
Classes = Int[np.ndarray, " rows"]


def scaled(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Probabilities at a temperature, in float64, so that no two rows come to be equal; at 1 they are left as they are.

    Parameters
    ----------
    probabilities : (rows, classes), or (rows, 1) of the second class of two.
    temperature : above 0.

    Examples
    --------
    >>> scaled(np.array([[0.9]]), 2.0).round(2).tolist(), scaled(np.array([[0.5]]), 2.0).tolist()
    ([[0.75]], [[0.5]])
    """
    if temperature == 1:
        return probabilities
    logits = _logits(probabilities) / temperature
    if probabilities.shape[1] == 1:
        return np.exp(-np.logaddexp(0, -logits))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(
    probabilities: Probabilities, target: Classes, temperature: float = 1.0, weights: np.ndarray | None = None
) -> float:
    """Mean, by the rows' weights, of minus the log probability of the right class, at a temperature."""
    logits = _logits(probabilities) / temperature
    if probabilities.shape[1] == 1:
        return float(np.average(np.logaddexp(0, np.where(target == 1, -1, 1) * logits[:, 0]), weights=weights))
    right = logits[np.arange(len(target)), target]
    return float(np.average(np.logaddexp.reduce(logits, axis=1) - right, weights=weights))


def fit_temperature(probabilities: Probabilities, target: Classes, weights: np.ndarray | None = None) -> float:
    """The temperature with the least log loss; 1 where it does not help on rows that it was not fitted on.

    Parameters
    ----------
    probabilities : (rows, classes) or (rows, 1) of rows that no network was trained on.
    target : (rows,) the number of each row's class.
    weights : how much each row counts (rows,); None where all count the same.
    """
    if len(target) < 2 * PARTS:
        return 1.0
    part = np.random.default_rng(0).permutation(len(target)) % PARTS
    before = after = 0.0
    for held_out in range(PARTS):
        own, other = part == held_out, part != held_out
        some = [None if weights is None else weights[rows] for rows in (own, other)]
        counts = own.sum() if some[0] is None else some[0].sum()
        temperature = _least(probabilities[other], target[other], some[1])
        before += log_loss(probabilities[own], target[own], weights=some[0]) * counts
        after += log_loss(probabilities[own], target[own], temperature, some[0]) * counts
    return _least(probabilities, target, weights) if after < before else 1.0


def _least(probabilities: Probabilities, target: Classes, weights: np.ndarray | None) -> float:
    """The loss is convex in 1/T, so that it has one minimum."""
    from scipy.optimize import minimize_scalar  # slow to import, and no prediction needs it

    def loss(log_temperature: float) -> float:
        return log_loss(probabilities, target, float(np.exp(log_temperature)), weights)

    ends = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    return float(np.exp(minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-4}).x))


def _logits(probabilities: Probabilities) -> Probabilities:
    """Logits that the probabilities are of, up to a constant for each row."""
    p = np.clip(probabilities.astype(np.float64), *ENDS)
    return np.log(p) - np.log1p(-p) if p.shape[1] == 1 else np.log(p)
