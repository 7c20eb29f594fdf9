"""From a training to neutral signals, and to what the rules find in it."""

import dataclasses
import math
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from trainwell.diagnosis.diagnose import diagnose
from trainwell.diagnosis.engine.known import Known
from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.signals import Curves, LayerSignals, Signals
from trainwell.network.forward import init
from trainwell.network.structure import Structure, resolve
from trainwell.population.member import Training
from trainwell.population.signals import layers_of

NOT_RUN = {
    "order of the step, modes, graph, optimizer's weights": "the engine is known to do these right",
    "rows apart, output size, loss as a function": "the run's first stages check the wiring",
    "copies and shift between training and validation": "the run's first stage looks at the table",
}


def diagnosed(training: Training, known: Known, whole: bool = True) -> list[Finding]:
    """What the rules find in a training without a re-run, the most likely root cause first; see `signals_of`."""
    return diagnose(signals_of(training, known, whole))


def signals_of(training: Training, known: Known, whole: bool = True) -> Signals:
    """The training as the rules read it.

    Parameters
    ----------
    training : of any length; without epochs there is nothing to read.
    known : what the run knows.
    whole : whether it came to its end; one that a search left behind on its way cannot be held against simple models.
    """
    if not training.curves:
        return Signals(not_run={"everything": "the network never began to train"})
    curves = training.curves
    signals = Signals(_layers(training), Curves(list(curves.training_loss), list(curves.validation_loss)))
    signals.facts = _facts(training, known)
    signals.not_run = dict(NOT_RUN)
    if whole or training.failed:
        scores = known.simple_scores
        signals.facts |= {"simple_scores": scores, "simple_score": max(scores.values(), default=math.nan)}
    else:
        signals.not_run["comparison with simple models"] = "the search left it behind on its way"
    if training.member.structure.first_pass == "none":
        _measure_start(signals, training)
    return signals


def _layers(training: Training) -> dict[str, LayerSignals]:
    found = [one for _, one in training.curves.signals]
    names = layers_of(training.member.structure)
    measured = [field.name for field in dataclasses.fields(LayerSignals) if found and field.name in found[0]]
    return {
        name: LayerSignals(**{kind: [one[kind][place] for one in found] for kind in measured})
        for place, name in enumerate(names)
    }


def _facts(training: Training, known: Known) -> dict[str, Any]:
    structure, settings, curves = training.member.structure, training.member.settings, training.curves
    batch, name = min(structure.batch_size, known.rows), structure.optimizer
    facts: dict[str, Any] = {
        "task": known.task,
        "epochs": len(curves),
        "rows": known.rows,
        "batch_rows": batch,
        "batch_size": batch,
        "steps": len(curves) * max(1, known.rows // batch),
        "outputs": structure.outputs,
        "weight_layers": len(structure.widths) + 1,
        "loss_constant": known.prior_loss,
        "final_train_loss": curves.training_loss[-1],
        "final_validation_loss": curves.validation_loss[-1],
        "score": known.score(training.score),
        "best_kept": 1,
        "optimizer": name.capitalize() if isinstance(name, str) else "a transformation of optax",
        "dropout": settings.get("dropout.rate", 0.0),
        "weight_decay": settings.get("weight_decay.rate", 0.0),
        "start_gradients": _first_gradients(training),
    }
    if isinstance(name, str):
        facts["learning_rates"] = [settings[f"{name}.learning_rate"]] if f"{name}.learning_rate" in settings else []
        facts["momentum"] = settings.get(f"{name}.beta", settings.get(f"{name}.beta1", 0.0))
    if structure.batch_norm != "none":
        facts["norm_rows"] = batch
    if training.failed:
        facts["failed_epoch"] = len(curves)
    if structure.clip == "global_norm" and curves.signals:
        facts["kept_gradient"] = _kept(training, settings)
    return facts


def _sizes(structure: Structure) -> list[int]:
    """Numbers of weights of each layer."""
    return [a * b for a, b in pairwise((structure.entering, *structure.widths, structure.outputs))]


def _first_gradients(training: Training) -> dict[str, float]:
    """The root mean square of each hidden layer's gradient where it was first measured.

    The output layer begins at zero and holds back what lies before it; against its gradient all others would seem to vanish.
    """
    if not training.curves.signals:
        return {}
    structure, norms = training.member.structure, training.curves.signals[0][1]["gradient_norm"]
    found = zip(layers_of(structure), norms, _sizes(structure), strict=True)
    return {name: norm / math.sqrt(size) for name, norm, size in found if name != "output"}


def _kept(training: Training, settings: Mapping[str, float]) -> float:
    """Median share of the gradient's norm that clipping leaves."""
    limit = settings["clip_by_global_norm.limit"]
    norms = [math.sqrt(sum(norm**2 for norm in one["gradient_norm"])) for _, one in training.curves.signals]
    return float(np.median([min(1.0, limit / max(norm, 1e-30)) for norm in norms]))


def _measure_start(signals: Signals, training: Training) -> None:
    """The spread of each layer's first weights, their size, and the share of its units that begin as another."""
    structure = training.member.structure
    kept = (structure.drawn_by, structure.activation, *(("dropout",) if structure.drawn_by == "dropout_adjusted" else ()))
    drawn = {name: value for name, value in training.member.settings.items() if name.rsplit(".", 1)[0] in kept}
    found = _first_weights(structure, tuple(sorted(drawn.items())))
    signals.facts["start_scales"] = {name: first.scale for name, first in found.items()}
    signals.facts["equal_weights"] = {name: first.equal for name, first in found.items()}
    for name, first in found.items():
        layer = signals.layers.setdefault(name, LayerSignals())
        layer.twin_share = [first.equal]
        if structure.weight_norm == "none":  # otherwise the size of a weight is held elsewhere
            layer.weight_norm.insert(0, first.norm)


class First(NamedTuple):
    """First weights: root mean square over 1/sqrt(fan_in), share of units that equal another, Euclidean norm."""

    scale: float
    equal: float
    norm: float


_compiled_init = jax.jit(init, static_argnames="structure")  # a draw compiles whole in half the time of its parts


@cache
def _first_weights(structure: Structure, drawn: tuple[tuple[str, float], ...]) -> dict[str, First]:
    """By layer, of one draw for all members of a structure, as another draw would tell the same."""
    settings = {name: jnp.float32(value) for name, value in resolve(structure, dict(drawn)).items()}
    weights, _ = _compiled_init(jnp.uint32(0), structure, settings, jnp.zeros(structure.outputs))
    found = {}
    for name in layers_of(structure):
        matrix = np.asarray(weights[f"{name}.weight"])
        times = np.unique(matrix, axis=0, return_counts=True)[1]
        scale = float(np.sqrt(np.mean(matrix**2)) * math.sqrt(matrix.shape[1]))
        found[name] = First(scale, float(times[times > 1].sum() / len(matrix)), float(np.linalg.norm(matrix)))
    return found
