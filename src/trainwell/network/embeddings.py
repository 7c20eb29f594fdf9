"""How numbers and categories enter a network.

Periodic embedding of a number x, one set of weights for each column:

    e(x) = [x, W cos(2 pi (f x + b)) + c],   f ~ N(0, frequency^2),  b ~ U[0, 1)

A network's first layer sees a number only as one direction; the cosines give it detail, and ``frequency`` says how fine.

Piecewise-linear encoding of a number x, with edges b_0 < ... < b_T at quantiles of training rows:

    e(x)_t = min(1, max(0, (x - b_{t-1}) / (b_t - b_{t-1})))

It lets the first layer bend at each edge, as a tree splits there. Every network draws its own quantiles, evenly spread, so that
an ensemble bends in more places than one network does.

A category is looked up in a table of learned vectors; slot 0 is for missing, rare and unseen levels.

Sources: Gorishniy et al. (2022), "On embeddings for numerical features in tabular deep learning", for both; the periodic form,
with x itself and a bias inside the cosine, is PBLD of Holzmueller et al. (2024), "Better by default". The cosine is a
polynomial in the fraction of a turn (error below 1e-6), which a CPU computes eight at a time where the library's goes one by
one.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from trainwell.hyperparameter import Hyperparameter

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
COSINES = 16  # Holzmueller et al. (2024)
EXTRA = 3  # numbers that the cosines of one column are projected to: with x itself 4, as in Holzmueller et al. (2024)
BINS = 16  # measured: with 48 no better; Gorishniy et al. (2022) tune 2 to 256
EDGE_ROWS = 4096  # chosen: training rows whose quantiles are the edges
NARROWEST = 1e-4  # chosen: of a bin, in units of the scaled number; a narrower one is a step
WIDEST_CATEGORY = 16  # chosen

# cos(2 pi r) for r in [-1/2, 1/2] as a polynomial in r^2: Chebyshev interpolation of degree 6, error 1.1e-8
COSINE = (0.999999989, -19.7392045, 64.9391159, -85.4501134, 60.1674298, -25.9668846, 6.52770596)


def cosine_of_turns(turns: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """cos(2 pi turns), for turns of any size that a float32 resolves."""
    square = (turns - jax.lax.stop_gradient(jnp.round(turns))) ** 2
    value = jnp.full_like(square, COSINE[-1])
    for coefficient in COSINE[-2::-1]:
        value = value * square + coefficient
    return value


def category_width(cardinality: int) -> int:
    """Length of the learned vector of one category column: about the square root of its levels, at most 16."""
    return min(WIDEST_CATEGORY, max(2, round(cardinality**0.5)))


def init_periodic(key: jax.Array, columns: int, frequency: Float[Array, ""]) -> dict[str, Array]:
    keys = jax.random.split(key, 3)
    return {
        "numeric.frequency": frequency * jax.random.normal(keys[0], (columns, COSINES)),
        "numeric.phase": jax.random.uniform(keys[1], (columns, COSINES)),
        "numeric.projection": jax.random.normal(keys[2], (columns, COSINES, EXTRA)) * (2 / COSINES) ** 0.5,
        "numeric.shift": jnp.zeros((columns, EXTRA)),
    }


def periodic(weights: dict[str, Array], numbers: Float[Array, "columns rows"]) -> Float[Array, "wider rows"]:
    """The numbers themselves, then ``EXTRA`` more for each of them."""
    turns = numbers[:, None] * weights["numeric.frequency"][:, :, None] + weights["numeric.phase"][:, :, None]
    extra = jnp.einsum("cfe,cfr->cer", weights["numeric.projection"], cosine_of_turns(turns))
    extra += weights["numeric.shift"][:, :, None]
    return jnp.concatenate([numbers, extra.reshape(-1, numbers.shape[1])])


def init_edges(columns: int) -> dict[str, Array]:
    """Edges evenly spaced where scaled numbers lie, until those of the table take their place."""
    return {"numeric.edges": jnp.tile(jnp.linspace(-3.0, 3.0, BINS + 1), (columns, 1))}


def quantile_edges(key: jax.Array, numbers: Float[Array, "rows columns"]) -> dict[str, Array]:
    """Edges at quantiles of the numbers; all but the first and the last are moved by up to half a bin."""
    moved = jax.random.uniform(key, (BINS - 1,), minval=-0.5, maxval=0.5)
    levels = (jnp.arange(BINS + 1) + jnp.pad(moved, 1)) / BINS
    return {"numeric.edges": jnp.quantile(numbers, levels, axis=0).T}


def piecewise_linear(weights: dict[str, Array], numbers: Float[Array, "columns rows"]) -> Float[Array, "wider rows"]:
    """``BINS`` numbers from 0 to 1 for each; the edges are not learned."""
    edges = jax.lax.stop_gradient(weights["numeric.edges"])
    low, width = edges[:, :-1, None], jnp.maximum(jnp.diff(edges, axis=1), NARROWEST)[:, :, None]
    return jnp.clip((numbers[:, None] - low) / width, 0, 1).reshape(-1, numbers.shape[1])


def init_categories(key: jax.Array, cardinalities: tuple[int, ...]) -> dict[str, Array]:
    """Vectors of about unit length, so that a category weighs as much as a number at the start."""
    keys = jax.random.split(key, max(1, len(cardinalities)))
    return {
        f"category{i}.embedding": jax.random.normal(keys[i], (size, category_width(size))) * category_width(size) ** -0.5
        for i, size in enumerate(cardinalities)
    }


def categories(weights: dict[str, Array], levels: Int[Array, "rows columns"]) -> list[Float[Array, "width rows"]]:
    return [weights[f"category{i}.embedding"][levels[:, i]].T for i in range(levels.shape[1])]


def embedded_width(numeric: int, continuous: int, cardinalities: tuple[int, ...], numeric_embedding: str) -> int:
    """How many numbers reach the first dense layer."""
    extra = {"periodic": EXTRA, "piecewise_linear": BINS - 1}.get(numeric_embedding, 0) * continuous
    return numeric + extra + sum(category_width(size) for size in cardinalities)
