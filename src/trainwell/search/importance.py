"""What mattered: how much of the spread of scores each choice and each setting explains, over all members of a search.

A forest learns the score of a member from what was drawn for it; functional analysis of variance then takes the forest's
predictions over the whole space apart. What a setting explains by itself is V[E[score | setting]] / V[score]; what it explains
together with others is what remains unexplained when all others are known, E[V[score | others]] / V[score].

Halving trains the members for different times, and longer those that do well. So they are compared after as many epochs as all
of them had, those of the first rung: there are as many of each kind as were drawn, and being left behind costs nothing.

Sources: Hutter et al. (2014), "An efficient approach for assessing hyperparameter importance"; the estimators: Jansen (1999),
"Analysis of variance designs for model output"; the points: Sobol' (1967).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc
from sklearn.ensemble import RandomForestRegressor

from trainwell.population.member import Training
from trainwell.search.space import Space

FEWEST = 12  # chosen: members; of fewer nothing can be said
CLIP = 0.1  # chosen: the worst tenth counts as the best of it: how bad the worst are says little
TREES, LEAF = 100, 5  # chosen: more trees change the shares by less than a hundredth; leaves of five smooth the noise
POINTS = 2048  # chosen: a power of two, as the points ask for; shares are then right to about a hundredth
ABSENT = 0.5  # chosen: where a member has no such setting; the forest sees its choices beside it


@dataclass(frozen=True)
class Importance:
    """Shares of what can be explained, the largest first: by itself, and together with others.

    ``explained`` is the share of the spread that the forest predicts for members it has not seen; where there is nothing it can
    predict there are no shares. ``epochs`` are those after which members were compared.
    """

    alone: dict[str, float]
    together: dict[str, float]
    explained: float
    epochs: int = 0


def importance(space: Space, trainings: Sequence[Training]) -> Importance:
    """The importance of everything that was drawn, see above; members that broke down count among the worst."""
    begun, epochs = _compared([t for t in trainings if t.curves and t.member.structure in space.structures])
    scores = np.array([t.curves.score_at(epochs) if t.sound else np.nan for t in begun])
    if np.isfinite(scores).sum() < FEWEST:
        return Importance({}, {}, 0.0)
    scores = np.where(np.isfinite(scores), scores, np.nanmin(scores))
    scores = np.maximum(scores, np.quantile(scores, CLIP))
    names, drawn = _coded(space, begun, scores)
    if not names or scores.std() < 1e-9:  # nothing to explain, or nothing to explain it by
        return Importance({}, {}, 0.0)
    forest = RandomForestRegressor(TREES, min_samples_leaf=LEAF, oob_score=True, random_state=0).fit(drawn, scores)
    if forest.oob_score_ <= 0:
        return Importance({}, {}, 0.0)
    alone, together = _shares(forest, drawn)
    order = sorted(range(len(names)), key=lambda place: -together[place])
    alone_of, together_of = ({names[i]: float(shares[i]) for i in order} for shares in (alone, together))
    return Importance(alone_of, together_of, float(forest.oob_score_), epochs)


def _compared(trainings: Sequence[Training]) -> tuple[list[Training], int]:
    """(those that can be compared, after how many epochs): where most were left behind, which is the first rung.

    Those that the end of the time kept from it are left out; one that stopped or broke down before it is as it was then."""
    left = Counter(t.epochs for t in trainings if not t.stopped) or Counter(t.epochs for t in trainings)
    epochs = min(left, key=lambda one: (-left[one], one), default=0)
    return [t for t in trainings if t.stopped or t.epochs >= epochs], epochs


def _coded(space: Space, trainings: Sequence[Training], scores: np.ndarray) -> tuple[list[str], np.ndarray]:
    """(names, a column for each): positions from 0 to 1 for settings, for choices the rank of their mean score.

    In that order one cut finds the best division of the values of a choice (Breiman et al., 1984, theorem 4.5)."""
    points = [space.point(training.member) for training in trainings]
    names, columns = [], []
    for name in dict.fromkeys(name for point in points for name in point):
        if name in space.choices:
            own = [point[name] for point in points]
            means = {value: scores[[one == value for one in own]].mean() for value in set(own)}
            ranks = {value: rank for rank, value in enumerate(sorted(means, key=lambda value: (means[value], str(value))))}
            column = np.array([ranks[value] for value in own], float)
        else:
            axes = {t.member.structure: space.axes(t.member.structure) for t in trainings}
            column = np.array(
                [
                    axes[t.member.structure][name].position(t.member.settings[name]) if name in point else ABSENT
                    for t, point in zip(trainings, points, strict=True)
                ]
            )
        if column.min() < column.max():
            names.append(name)
            columns.append(column)
    return names, np.array(columns).reshape(len(columns), -1).T


def _shares(forest: RandomForestRegressor, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(by itself, together with others) of each column, over points spread evenly."""
    count, predicted = drawn.shape[1], forest.predict
    spread = qmc.Sobol(2 * count, scramble=True, rng=np.random.default_rng(0)).random(POINTS)
    first, second = (_values(drawn, half) for half in (spread[:, :count], spread[:, count:]))
    at_first, at_second = predicted(first), predicted(second)
    variance = ((at_first - at_second) ** 2).mean() / 2
    alone, together = np.zeros(count), np.zeros(count)
    for place in range(count):
        mixed = first.copy()
        mixed[:, place] = second[:, place]
        at_mixed = predicted(mixed)
        alone[place] = 1 - ((at_second - at_mixed) ** 2).mean() / 2 / max(variance, 1e-30)
        together[place] = ((at_first - at_mixed) ** 2).mean() / 2 / max(variance, 1e-30)
    return np.clip(alone, 0, 1), np.clip(together, 0, 1)


def _values(drawn: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Positions from 0 to 1 as values of the columns: of a column with few values one of these, else as far as it reaches."""
    columns = []
    for column, position in zip(drawn.T, positions.T, strict=True):
        levels = np.unique(column)
        few = len(levels) <= max(2, len(column) // 3)
        columns.append(
            levels[np.minimum((position * len(levels)).astype(int), len(levels) - 1)]
            if few
            else levels[0] + position * (levels[-1] - levels[0])
        )
    return np.array(columns).T
