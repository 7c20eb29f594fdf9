"""Permutation importance: what the score loses when one feature is taken from other rows.

    importance(feature) = score(rows) - mean over shuffles of score(rows with the feature shuffled)

Measured on rows that no network was trained on, it says what the model reads, not what the world depends on: of two features
that say the same, each is worth little because the other is still there.

Source: Breiman (2001), "Random forests", section 10; for any model: Fisher, Rudin & Dominici (2019), "All models are wrong, but
many are useful". Shuffles are of whole features: all columns that one was encoded as move together.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from trainwell.data.encode import Arrays
from trainwell.explain.columns import Place, permuted, stacked

Networks = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (numeric, categories) -> (networks, rows, outputs)
Scores = Callable[[np.ndarray], np.ndarray]  # (models, rows, outputs) -> (models,)


class Importance(NamedTuple):
    """What a feature is worth.

    Parameters
    ----------
    loss : what the ensemble's score loses, mean over the shuffles.
    shuffles : (shuffles,) of it.
    networks : (networks,) what each network's own score loses, mean over the shuffles.
    """

    loss: float
    shuffles: np.ndarray
    networks: np.ndarray


def permutation_importance(
    networks: Networks,
    shares: np.ndarray,
    rows: Arrays,
    features: Mapping[str, Place],
    scores: Scores,
    *,
    shuffles: int,
    together: int,
    seed: int,
    passed: Callable[[], bool] = lambda: False,
) -> dict[str, Importance]:
    """Every feature's importance, the most important first; those that the time did not suffice for are left out.

    Parameters
    ----------
    networks : predictions of each network.
    shares : (networks,) summing to 1, of the average that the ensemble is.
    rows : encoded, not seen in training; ``scores`` knows their target.
    features : the columns of each feature.
    scores : of several models at once, larger is better.
    shuffles : of each feature; the same orders for all of them.
    together : rows that are predicted at a time.
    seed : of the orders.
    passed : whether time is up; asked before each call.
    """
    before = _scored(networks(rows.numeric, rows.categories), shares, scores)
    count = len(rows.numeric)
    orders = [np.random.default_rng([seed, place]).permutation(count) for place in range(shuffles)]
    jobs = [(name, order) for name in features for order in orders]
    each = max(1, together // count)
    losses: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(jobs), each):
        if passed():
            break
        part = jobs[first : first + each]
        predictions = _each(networks, [permuted(rows, features[name], order) for name, order in part])
        for (name, _), guess in zip(part, predictions, strict=True):
            losses.setdefault(name, []).append(before - _scored(guess, shares, scores))
    whole = {name: np.array(found) for name, found in losses.items() if len(found) == shuffles}
    made = {name: Importance(float(one[:, 0].mean()), one[:, 0], one[:, 1:].mean(axis=0)) for name, one in whole.items()}
    return dict(sorted(made.items(), key=lambda item: -item[1].loss))


def _each(networks: Networks, parts: list[Arrays]) -> Iterator[np.ndarray]:
    """Predictions (networks, rows, outputs) of each part, all predicted in one call."""
    together = stacked(parts)
    predictions = networks(together.numeric, together.categories)
    yield from np.split(predictions, len(parts), axis=1)


def _scored(predictions: np.ndarray, shares: np.ndarray, scores: Scores) -> np.ndarray:
    """(1 + networks,): the score of the ensemble and then that of each network."""
    average = np.tensordot(shares, predictions, 1)
    return np.asarray(scores(np.concatenate([average[None], predictions])), np.float64)
