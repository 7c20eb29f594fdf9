"""What a network's description says of its forward pass at test time: all else in it is about training."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from trainwell.inference.activations import ACTIVATIONS
from trainwell.network.limits import ADAPTERS, ADDED, DEEPEST, MOST, WIDEST
from trainwell.techniques.constants import BINS, COSINES, EXTRA, RANKED_BY, category_width

Shapes = dict[str, tuple[int, ...]]
ALLOWED = {
    "activation": tuple(ACTIVATIONS),
    "numeric_scaling": ("robust", "quantile"),
    "numeric_embedding": ("none", "periodic", "piecewise_linear"),
    "input_scaling": ("none", "learned"),
    "batch_norm": ("none", "before", "after"),
    "weight_norm": ("none", "plain", "centered"),
    "dropout": ("none", "inverted", "course"),
}


@dataclass(frozen=True)
class Architecture:
    """The part of a `trainwell.network.structure.Structure` that a prediction depends on; the same words.

    Parameters
    ----------
    settings : the numbers that the forward pass reads, by full name: those of the activation, and of normalization and dropout.
    """

    numeric: int
    continuous: int
    cardinalities: tuple[int, ...]
    outputs: int
    widths: tuple[int, ...]
    activation: str
    numeric_scaling: str
    numeric_embedding: str
    input_scaling: str
    batch_norm: str
    weight_norm: str
    dropout: str
    logarithm: tuple[float, ...]
    adapters: int
    settings: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, structure: Mapping[str, Any], settings: Mapping[str, float]) -> "Architecture":
        """From plain data as ``model.json`` holds it.

        Raises
        ------
        ValueError : something in it is missing, of another kind, or out of bounds; in a few words.
        """
        given = {**ADDED, **structure}
        names = [field.name for field in fields(cls) if field.name != "settings"]
        if missing := [name for name in names if name not in given]:
            raise ValueError(f"{missing[0]} is missing")
        chosen: dict[str, Any] = {name: tuple(given[name]) if isinstance(given[name], list) else given[name] for name in names}
        _check(chosen)
        wanted = _read_by(chosen)
        if missing := [name for name in wanted if name not in settings]:
            raise ValueError(f"the setting {missing[0]} is missing")
        found = cls(**chosen, settings=tuple((name, float(settings[name])) for name in wanted))
        if not all(abs(value) <= 1e6 for _, value in found.settings):  # NaN neither
            raise ValueError("a setting is out of bounds")
        return found

    @property
    def entering(self) -> int:
        """How many numbers reach the first dense layer."""
        extra = {"none": 0, "periodic": EXTRA, "piecewise_linear": BINS - 1}[self.numeric_embedding]
        return self.numeric + extra * self.continuous + sum(map(category_width, self.cardinalities))

    def setting(self, name: str) -> float:
        return dict(self.settings)[name]

    def shapes(self) -> tuple[Shapes, Shapes]:
        """Names and shapes of the (weights, statistics), as `trainwell.network.forward.shapes` has them."""
        weights = self._entering_shapes()
        statistics: Shapes = {}
        sizes = (self.entering, *self.widths, self.outputs)
        names = [f"layer{i}" for i in range(1, len(self.widths) + 1)]
        for name, fan_in, fan_out in zip((*names, "output"), sizes[:-1], sizes[1:], strict=True):
            weights |= self._layer_shapes(name, fan_in, fan_out)
            if self.weight_norm != "none":
                weights[f"{name}.gain"] = (fan_out,)
            if self.batch_norm != "none" and name != "output":
                weights |= {f"{name}.scale": (fan_out,), f"{name}.shift": (fan_out,)}
                statistics |= {f"{name}.mean": (fan_out,), f"{name}.variance": (fan_out,)}
        return weights, statistics

    def _layer_shapes(self, name: str, fan_in: int, fan_out: int) -> Shapes:
        networks = self.adapters
        if not networks:
            return {f"{name}.weight": (fan_out, fan_in), f"{name}.bias": (fan_out,)}
        if name == "output":
            return {f"{name}.weight": (networks, fan_out, fan_in), f"{name}.bias": (networks, fan_out)}
        factors = {f"{name}.entering_scale": (fan_in, networks), f"{name}.leaving_scale": (fan_out, networks)}
        return {f"{name}.weight": (fan_out, fan_in), f"{name}.bias": (fan_out, networks), **factors}

    def _entering_shapes(self) -> Shapes:
        columns = self.continuous
        shapes: Shapes = {f"category{i}.embedding": (size, category_width(size)) for i, size in enumerate(self.cardinalities)}
        if columns and self.numeric_embedding == "periodic":
            shapes |= {"numeric.frequency": (columns, COSINES), "numeric.phase": (columns, COSINES)}
            shapes |= {"numeric.projection": (columns, COSINES, EXTRA), "numeric.shift": (columns, EXTRA)}
        if columns and self.numeric_scaling == "quantile":
            shapes["numeric.quantiles"] = (columns, RANKED_BY + 1)
        if columns and self.numeric_embedding == "piecewise_linear":
            shapes["numeric.edges"] = (columns, BINS + 1)
        if self.input_scaling == "learned":
            shapes["entering.scale"] = (self.entering,)
        return shapes


def _read_by(chosen: Mapping[str, Any]) -> list[str]:
    names = [f"{chosen['activation']}.{name}" for name in ACTIVATIONS[chosen["activation"]].settings]
    if chosen["batch_norm"] != "none":
        names.append("batch_norm.epsilon")
    return [*names, "dropout.rate"] if chosen["dropout"] == "course" else names


def _check(chosen: Mapping[str, Any]) -> None:
    for name, allowed in ALLOWED.items():
        if chosen[name] not in allowed:
            raise ValueError(f"{name} is {chosen[name]!r}")
    for name in ("numeric", "continuous", "outputs"):
        if type(chosen[name]) is not int or not 0 <= chosen[name] <= MOST:
            raise ValueError(f"{name} is {chosen[name]!r}")
    for name, most in (("cardinalities", MOST), ("widths", WIDEST)):
        if not isinstance(chosen[name], tuple) or not all(type(size) is int and 1 <= size <= most for size in chosen[name]):
            raise ValueError(f"{name} is {str(chosen[name])[:80]}")
    if len(chosen["widths"]) > DEEPEST or chosen["continuous"] > chosen["numeric"] or chosen["outputs"] < 1:
        raise ValueError("its sizes do not go together")
    if type(chosen["adapters"]) is not int or chosen["adapters"] not in (0, *ADAPTERS):
        raise ValueError(f"adapters is {chosen['adapters']!r}")
    if chosen["adapters"] and (not chosen["widths"] or {chosen["batch_norm"], chosen["weight_norm"]} != {"none"}):
        raise ValueError("there are adapters that do not go with its layers")
    logarithm = chosen["logarithm"]
    if not isinstance(logarithm, tuple) or len(logarithm) not in (0, 4) or not all(type(x) is float for x in logarithm):
        raise ValueError(f"logarithm is {str(logarithm)[:80]}")
