"""The weights that numbers and categories enter a network through, by name, and the way in. The functions are techniques.

``numeric.quantiles`` and ``numeric.edges`` are fitted to training rows and not learned; all others are.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from trainwell.network.structure import Structure, of
from trainwell.techniques import inputs

QUANTILES, EDGES = "numeric.quantiles", "numeric.edges"
FACTORS = "entering.scale"
FITTED_ROWS = 4096  # chosen: training rows whose quantiles are taken
FAR = 3.0  # where encoded numbers end, see `trainwell.data.encode`
PERIODIC = ("frequency", "phase", "projection", "shift")


def learned(name: str) -> bool:
    """Whether training moves a weight."""
    return name not in (QUANTILES, EDGES)


def fits_table(structure: Structure) -> bool:
    """Whether some weights are fitted to training rows."""
    chosen = structure.numeric_scaling == "quantile" or structure.numeric_embedding == "piecewise_linear"
    return chosen and structure.continuous > 0


def init(key: jax.Array, structure: Structure, settings) -> dict[str, Array]:
    """First weights; those that are fitted to a table are evenly spaced where encoded numbers lie, until `fitted` takes their
    place."""
    sizes, columns = structure.cardinalities, structure.continuous
    keys = jax.random.split(jax.random.fold_in(key, 1000), max(1, len(sizes)))
    weights = {f"category{i}.embedding": inputs.draw_category(keys[i], size) for i, size in enumerate(sizes)}
    if structure.input_scaling == "learned":
        weights[FACTORS] = jnp.zeros(structure.entering)
    if not columns:
        return weights
    if structure.numeric_embedding == "periodic":
        drawn = inputs.draw_periodic(jax.random.fold_in(key, 1001), columns, **of("periodic", settings))
        weights |= {f"numeric.{name}": weight for name, weight in drawn.items()}
    for name, parts in _parts(structure).items():
        weights[name] = jnp.tile(jnp.linspace(-FAR, FAR, parts + 1), (columns, 1))
    return weights


def _parts(structure: Structure) -> dict[str, int]:
    """The fitted weights and how many parts each cuts a column into."""
    scaled = {QUANTILES: inputs.RANKED_BY} if structure.numeric_scaling == "quantile" else {}
    return scaled | ({EDGES: inputs.BINS} if structure.numeric_embedding == "piecewise_linear" else {})


def fitted(key: jax.Array, numeric: Float[Array, "rows numeric"], structure: Structure) -> dict[str, Array]:
    """The weights that are not learned, from training rows; edges lie among the numbers as they are scaled."""
    measured = numeric[:, : structure.continuous].T
    weights = {}
    if structure.numeric_scaling == "quantile":
        weights[QUANTILES] = inputs.fit_ranks(measured)
        measured = inputs.quantile_scaling(measured, weights[QUANTILES])
    if structure.numeric_embedding == "piecewise_linear":
        weights[EDGES] = inputs.draw_edges(key, measured)
    return weights


def scaled(weights: dict[str, Array], numbers: Float[Array, "columns rows"], structure: Structure):
    """Measurements as the structure scales them, of the same shape."""
    if structure.numeric_scaling == "quantile" and structure.continuous:
        return inputs.quantile_scaling(numbers, jax.lax.stop_gradient(weights[QUANTILES]))
    return numbers


def embedded(weights: dict[str, Array], numbers: Float[Array, "columns rows"], structure: Structure):
    """Scaled measurements with their embedding, (wider, rows)."""
    if structure.numeric_embedding == "none" or not structure.continuous:
        return numbers
    if structure.numeric_embedding == "periodic":
        return inputs.periodic(numbers, *(weights[f"numeric.{name}"] for name in PERIODIC))
    return inputs.piecewise_linear(numbers, jax.lax.stop_gradient(weights[EDGES]))


def weighed(weights: dict[str, Array], entering: Float[Array, "wide rows"], structure: Structure):
    """What enters the first layer, each number times its learned factor where there is one."""
    return inputs.learned_scaling(entering, weights[FACTORS]) if structure.input_scaling == "learned" else entering


def categories(weights: dict[str, Array], levels: Int[Array, "rows columns"]) -> list[Float[Array, "width rows"]]:
    return [inputs.category(levels[:, i], weights[f"category{i}.embedding"]) for i in range(levels.shape[1])]
