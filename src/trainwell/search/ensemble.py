"""Greedy ensemble selection: add, again and again and with repetition, the member that helps the average of all most.

Source: Caruana et al. (2004), "Ensemble selection from libraries of models".
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from trainwell.population.metrics import METRICS

MOST_CANDIDATES = 48  # chosen: weaker members are seldom picked
PICKS = 24  # chosen: a weight is a multiple of 1/24 or more
FIRST_PICKS = 3  # chosen: the average starts from the best three, which keeps one lucky member from deciding alone


@cache
def _gain(metric: str):
    """Compiled: score of the average with each candidate added."""

    def score(total, picked, predictions, target):
        return jax.vmap(lambda one: METRICS[metric].criterion((total + one) / (picked + 1), target))(predictions)

    return jax.jit(score)


def greedy(predictions: np.ndarray, target: np.ndarray, ranks: np.ndarray, metric: str) -> dict[int, float]:
    """Weights (summing to 1) of the chosen members, by place in ``predictions``; never worse on these rows than the best alone.

    Parameters
    ----------
    predictions : (members, rows, outputs), on rows that the members were not trained on.
    target : (rows,).
    ranks : (members,) what is maximized, `Metric.criterion`, of each member alone on these rows.
    metric : the name of what the average is to maximize.
    """
    candidates = [i for i in np.argsort(-ranks, kind="stable")[:MOST_CANDIDATES] if np.isfinite(ranks[i])]
    device_predictions, device_target = jnp.asarray(predictions[candidates]), jnp.asarray(target)
    picks = list(range(min(FIRST_PICKS, len(candidates))))
    best, best_picks = float(ranks[candidates[0]]), [0]  # what an average has to beat
    while len(picks) <= PICKS:
        total = device_predictions[jnp.array(picks)].sum(axis=0)
        own = float(METRICS[metric].criterion(total / len(picks), device_target))
        if own > best:
            best, best_picks = own, list(picks)
        if len(picks) == PICKS:
            break
        picks.append(int(jnp.argmax(_gain(metric)(total, float(len(picks)), device_predictions, device_target))))
    return {candidates[place]: best_picks.count(place) / len(best_picks) for place in sorted(set(best_picks))}
