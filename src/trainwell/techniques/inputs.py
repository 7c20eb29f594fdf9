"""How numbers and categories enter a network: brought to one scale, and given the detail that a first layer cannot see.

A network's first layer sees a number only as one direction. Cosines, or a bend at each of many edges, let it answer
differently to small differences; a rank lets it tell apart numbers that lie close together where most rows are.

Arrays of numbers are (columns, rows): a network multiplies with its weights from the left. What is fitted to a table is fitted
to some of its training rows and is not learned.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from trainwell.hyperparameter import Hyperparameter
from trainwell.techniques.constants import (
    BINS,
    CLOSEST,
    COSINE,
    COSINES,
    EXTRA,
    FARTHEST,
    NARROWEST,
    RANKED_BY,
    SCALED_FASTER,
    category_width,
)

FREQUENCY = Hyperparameter(
    "frequency",
    default=0.3,
    low=1e-3,
    high=100.0,
    scale="log",
    meaning="standard deviation of the frequencies, in turns per unit of the scaled number",
    source="Holzmueller et al. (2024): 0.1; Gorishniy et al. (2022) tune it from 0.01 to 10",
    search=(0.02, 30.0),
)


def cosine_of_turns(turns: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """cos(2 pi turns), for turns of any size that a float32 resolves; a polynomial in the fraction of a turn.

    A CPU computes it eight at a time, where the library's cosine goes one by one.

    Examples
    --------
    >>> cosine_of_turns(jnp.array([0.0, 0.5, 7.0])).round(5).tolist()
    [1.0, -1.0, 1.0]
    """
    square = (turns - jax.lax.stop_gradient(jnp.round(turns))) ** 2
    value = jnp.full_like(square, COSINE[-1])
    for coefficient in COSINE[-2::-1]:
        value = value * square + coefficient
    return value


def draw_periodic(key: jax.Array, columns: int, frequency: Float[Array, ""]) -> dict[str, Array]:
    """First weights of `periodic`, one set for each column, by their argument's name.

    Examples
    --------
    >>> {name: weight.shape for name, weight in draw_periodic(jax.random.key(0), 2, 0.3).items()}
    {'frequency': (2, 16), 'phase': (2, 16), 'projection': (2, 16, 3), 'shift': (2, 3)}
    """
    keys = jax.random.split(key, 3)
    return {
        "frequency": frequency * jax.random.normal(keys[0], (columns, COSINES)),
        "phase": jax.random.uniform(keys[1], (columns, COSINES)),
        "projection": jax.random.normal(keys[2], (columns, COSINES, EXTRA)) * (2 / COSINES) ** 0.5,
        "shift": jnp.zeros((columns, EXTRA)),
    }


def periodic(
    numbers: Float[Array, "columns rows"],
    frequency: Float[Array, "columns cosines"],
    phase: Float[Array, "columns cosines"],
    projection: Float[Array, "columns cosines extra"],
    shift: Float[Array, "columns extra"],
) -> Float[Array, "wider rows"]:
    """Each number itself, then a few learned sums of cosines of it.

        e(x) = [x, W cos(2 pi (f x + b)) + c],   at the start  f ~ N(0, frequency^2),  b ~ U[0, 1)

    ``frequency`` says how fine the detail is. All four weights of a column are learned.

    Use: wherever there are rows enough to learn the detail from, a few thousand; of fewer it is mostly noise.

    Source: Gorishniy et al. (2022), "On embeddings for numerical features in tabular deep learning"; with x itself and a bias
    inside the cosine it is PBLD of Holzmueller et al. (2024), "Better by default".

    Examples
    --------
    >>> weights = draw_periodic(jax.random.key(0), 2, 0.3)
    >>> periodic(jnp.zeros((2, 5)), **weights).shape
    (8, 5)
    """
    turns = numbers[:, None] * frequency[:, :, None] + phase[:, :, None]
    extra = jnp.einsum("cfe,cfr->cer", projection, cosine_of_turns(turns)) + shift[:, :, None]
    return jnp.concatenate([numbers, extra.reshape(-1, numbers.shape[1])])


def quantiles(numbers: Float[Array, "columns rows"], levels: Float[Array, " levels"]) -> Float[Array, "columns levels"]:
    """Of each column, by a straight line between neighbours; exactly a column's own number where both neighbours are that.

    Examples
    --------
    >>> quantiles(jnp.array([[3.0, 1.0, 2.0], [7.0, 7.0, 7.0]]), jnp.array([0.0, 0.25, 1.0])).tolist()
    [[1.0, 1.5, 3.0], [7.0, 7.0, 7.0]]
    """
    ordered, last = jnp.sort(numbers, axis=1), numbers.shape[1] - 1
    place = jnp.clip(levels, 0, 1) * last
    below = jnp.floor(place).astype(int)
    low, high = ordered[:, below], ordered[:, jnp.minimum(below + 1, last)]
    return low + (place - below) * (high - low)


def draw_edges(key: jax.Array, numbers: Float[Array, "columns rows"]) -> Float[Array, "columns edges"]:
    """Edges for `piecewise_linear` at quantiles; all but the first and the last are moved by up to half a bin.

    So every network of an ensemble bends in places of its own, and all together bend in more than one of them does.

    Examples
    --------
    >>> edges = draw_edges(jax.random.key(0), jnp.linspace(0.0, 1.0, 101)[None])
    >>> edges.shape, bool((jnp.diff(edges) >= 0).all()), float(edges[0, 0]), float(edges[0, -1])
    ((1, 17), True, 0.0, 1.0)
    """
    moved = jax.random.uniform(key, (BINS - 1,), minval=-0.5, maxval=0.5)
    return quantiles(numbers, (jnp.arange(BINS + 1) + jnp.pad(moved, 1)) / BINS)


def piecewise_linear(numbers: Float[Array, "columns rows"], edges: Float[Array, "columns edges"]) -> Float[Array, "wider rows"]:
    """For each number as many as there are bins: 1 for every bin below it, its place from 0 to 1 in its own.

        e(x)_t = min(1, max(0, (x - b_(t-1)) / (b_t - b_(t-1)))),   b_0 < ... < b_T quantiles of training rows

    It lets the first layer bend at each edge, as a tree splits there. The edges are not learned. Beyond the first and the last
    edge nothing changes any more. In the paper the first and the last bin go on in a straight line there; with edges of a part
    of the rows, and end bins that may be as narrow as 0.0001, one row far out would then enter as a number of ten thousands.

    Use: of numbers to which the target answers in steps; beside networks with another embedding, whose errors are others.

    Source: Gorishniy et al. (2022), "On embeddings for numerical features in tabular deep learning", section 3.1, with both
    ends clipped.

    Examples
    --------
    >>> piecewise_linear(jnp.array([[-1.0, 0.5, 3.0]]), jnp.array([[0.0, 1.0, 5.0]])).tolist()
    [[0.0, 0.5, 1.0], [0.0, 0.0, 0.5]]
    """
    low, width = edges[:, :-1, None], jnp.maximum(jnp.diff(edges, axis=1), NARROWEST)[:, :, None]
    return jnp.clip((numbers[:, None] - low) / width, 0, 1).reshape(-1, numbers.shape[1])


def fit_ranks(numbers: Float[Array, "columns rows"]) -> Float[Array, "columns quantiles"]:
    """The evenly spaced quantiles that `ranks` and `quantile_scaling` go by.

    Examples
    --------
    >>> fit_ranks(jnp.arange(129.0)[None])[0, :3].tolist()
    [0.0, 2.0, 4.0]
    """
    return quantiles(numbers, jnp.arange(RANKED_BY + 1) / RANKED_BY)


def ranks(numbers: Float[Array, "columns rows"], quantiles: Float[Array, "columns quantiles"]) -> Float[Array, "columns rows"]:
    """The share of the training rows below each number, 0 to 1; half of those that are equal to it count.

    Examples
    --------
    >>> ranks(jnp.array([[-5.0, 0.5, 1.0, 2.0, 9.0]]), jnp.array([[0.0, 1.0, 1.0, 3.0, 4.0]])).tolist()
    [[0.0, 0.125, 0.375, 0.625, 1.0]]
    """
    low, high = quantiles[:, :-1, None], quantiles[:, 1:, None]
    width, x = jnp.maximum(high - low, CLOSEST), numbers[:, None]
    passed, left = jnp.clip((x - low) / width, 0, 1), jnp.clip((high - x) / width, 0, 1)  # between equal quantiles both are 0
    return (1 + (passed - left).mean(axis=1)) / 2


def quantile_scaling(
    numbers: Float[Array, "columns rows"], quantiles: Float[Array, "columns quantiles"]
) -> Float[Array, "columns rows"]:
    """Each number's rank among the training rows, drawn out to the shape of the normal distribution and kept within 3.

        s(x) = Phi^-1(min(Phi(3), max(Phi(-3), F(x)))),   F by straight lines between 64 + 1 quantiles of training rows

    Whatever shape a column has, it then has that of a bell; what is far out lies no farther than the first and the last row.
    scikit-learn's QuantileTransformer is the same inside the range of the training rows, to the same quantiles. At its ends we
    differ: it goes on to 5.2, and of a column with many equal smallest numbers it puts those there, too, far from all others.

    Use: of heavy-tailed or crowded columns. Robust scaling, the default, keeps distances, which ranks lose.

    Source: Conover & Iman (1981), "Rank transformations"; Gorishniy et al. (2021), "Revisiting deep learning models for tabular
    data", who train networks on numbers scaled so; scikit-learn's QuantileTransformer.

    Examples
    --------
    >>> quantile_scaling(jnp.array([[0.0, 50.0, 1000.0]]), fit_ranks(jnp.arange(101.0)[None])).round().tolist()
    [[-3.0, 0.0, 3.0]]
    """
    end = math.erf(FARTHEST / 2**0.5)
    return 2**0.5 * jax.scipy.special.erfinv(jnp.clip(2 * ranks(numbers, quantiles) - 1, -end, end))


def learned_scaling(entering: Float[Array, "wide rows"], amounts: Float[Array, " wide"]) -> Float[Array, "wide rows"]:
    """Each number that enters the first layer times a factor of its own, which is learned from 1.

        y = (1 + 6 a) x,   a learned from 0

    The first layer could learn the same by itself, but one weight at a time. Adam moves every weight by about the learning
    rate, and so the factor by six of them: what is of no use is soon shut out as a whole, what is of use is soon heard.

    Use: of tables with many columns of which few matter.

    Source: Holzmueller et al. (2024), "Better by default", whose scaling layer has six times the learning rate.

    Examples
    --------
    >>> learned_scaling(jnp.array([[1.0, 2.0], [1.0, 2.0]]), jnp.array([0.0, 0.5])).tolist()
    [[1.0, 2.0], [4.0, 8.0]]
    """
    return (1 + SCALED_FASTER * amounts)[:, None] * entering


def draw_category(key: jax.Array, cardinality: int) -> Float[Array, "levels width"]:
    """Vectors of about unit length, so that a category weighs as much as a number at the start.

    That of level 0 is zero, the mean of all: where no training row lacks the category and no level is rare, nothing trains it,
    and a level met later then says nothing, rather than something at random.

    Examples
    --------
    >>> vectors = draw_category(jax.random.key(0), 50)
    >>> vectors.shape, vectors[0].tolist()
    ((50, 7), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """
    width = category_width(cardinality)
    return (jax.random.normal(key, (cardinality, width)) * width**-0.5).at[0].set(0)


def category(levels: Int[Array, " rows"], vectors: Float[Array, "levels width"]) -> Float[Array, "width rows"]:
    """The learned vector of each row's level; level 0 is for missing, rare and unseen ones.

        e(level) = row `level` of a learned table

    Use: of categories of more levels than can each have a column of 0 and 1.

    Source: Guo & Berkhahn (2016), "Entity embeddings of categorical variables".

    Examples
    --------
    >>> category(jnp.array([1, 0]), jnp.array([[0.0, 0.1], [1.0, 1.1]])).round(1).tolist()
    [[1.0, 0.0], [1.100000023841858, 0.10000000149011612]]
    """
    return vectors[levels].T
