"""Rules over how a network starts: as one linear map, with equal units, too large or too small."""

import math
from collections.abc import Iterator

from trainwell.diagnosis.families import DOWNSTREAM
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import graded, looks_wrong

TWINS = 0.5  # chosen: half of a layer's units
# He et al. (2015) and LeCun et al. (1998) lie between 0.58 and 1.73 times 1/sqrt(fan_in); beyond is chosen
SMALL, LARGE = 0.3, 3.0
LINEAR = 1e-4  # chosen: rounding of single precision, with room


@rule(
    "missing-nonlinearity",
    order=20,
    reads="`affine_error`, `weight_layers`, `linear_score`, `simple_score`, re-run `bent`",
    limits=f"distance from an affine map below {LINEAR:g} in two or more layers, where a simple nonlinear "
    "model scores clearly better",
    source="by definition: a chain of affine maps is one",
    remedy="an activation after each hidden layer",
)
def linear(signals: Signals) -> Iterator[Finding]:
    error, layers = signals.number("affine_error"), signals.number("weight_layers")
    if error < LINEAR and layers >= 2 and (looks_wrong(signals) or repair(signals, "bent")):
        yield Finding(
            "missing-nonlinearity",
            "problem",
            f"the {layers:.0f} layers together are one linear map (distance {error:.1g}); the data ask for more",
            error,
            LINEAR,
            remedies=(reruns(signals, "bent", Remedy("activation", to="relu", says="put a ReLU after each hidden layer")),),
            explains=(*DOWNSTREAM, "init-too-small", "vanishing-gradient"),
            certainty=0.94,
        )


@rule(
    "zero-or-constant-init",
    order=21,
    reads="`twin_share` at the start, `equal_weights`, re-run `fresh_weights`",
    limits=f"more than {TWINS:.0%} of a hidden layer's units equal another in weights and gradients, or in weights alone where "
    "fresh ones mend the score; a warning where the score does not show it",
    source="Goodfellow, Bengio & Courville (2016), section 8.4: the start must break symmetry",
    remedy="draw the weights at random",
)
def symmetric(signals: Signals) -> Iterator[Finding]:
    twins = {name: layer.twin_share[0] for name, layer in signals.layers.items() if layer.twin_share}
    hidden = {name: twins[name] for name in list(twins)[:-1]}  # units of the last layer have targets of their own
    if repair(signals, "fresh_weights") > 0:
        equal = signals.facts.get("equal_weights", {})
        hidden = {name: max(share, equal.get(name, 0.0)) for name, share in hidden.items()}
    twins, worst = hidden, max(hidden, key=lambda name: hidden[name], default="")
    if worst and twins[worst] > TWINS:
        yield Finding(
            "zero-or-constant-init",
            graded(signals),
            f"{twins[worst]:.0%} of the units of {worst} start as another unit's; they learn the same",
            twins[worst],
            TWINS,
            layer=worst,
            remedies=(
                reruns(
                    signals,
                    "fresh_weights",
                    Remedy("initializer", to="he_normal", says=f"draw the weights of {worst} at random"),
                ),
            ),
            explains=(
                *DOWNSTREAM,
                "init-too-small",
                "vanishing-gradient",
                "dead-relu",
                "saturated-activation",
                "init-too-large",
            ),
            certainty=0.95,
        )


def _start(signals: Signals, too_large: bool) -> tuple[str, float] | None:
    scales = {name: value for name, value in signals.facts.get("start_scales", {}).items() if value > 0}
    found = [(name, value) for name, value in scales.items() if (value > LARGE if too_large else value < SMALL)]
    return max(found, key=lambda pair: abs(math.log(pair[1]))) if found else None


def _start_finding(signals: Signals, cause: str, found: tuple[str, float], explains: tuple[str, ...]) -> Finding:
    name, value = found
    large = cause == "init-too-large"
    proof = repair(signals, "fresh_weights")
    return Finding(
        cause,
        "problem" if proof > 0 else "note",
        f"the weights of {name} start {value:.2g} times as large as 1/sqrt(fan_in)",
        value,
        LARGE if large else SMALL,
        layer=name,
        remedies=(
            reruns(
                signals,
                "fresh_weights",
                Remedy("initializer", to="he_normal", says=f"start {name} with He's or Xavier's scale"),
            ),
        ),
        explains=explains,
        certainty=0.83 + 0.1 * proof,
    )


@rule(
    "init-too-large",
    order=35,
    reads="`start_scales`, re-run `fresh_weights`",
    limits=f"more than {LARGE:g} times 1/sqrt(fan_in), and fresh weights mend the score",
    source="LeCun et al. (1998), section 4.6; He et al. (2015)",
    remedy="He's or Xavier's scale",
)
def too_large(signals: Signals) -> Iterator[Finding]:
    if found := _start(signals, True):
        yield _start_finding(
            signals, "init-too-large", found, (*DOWNSTREAM, "exploding-gradient", "vanishing-gradient", "dead-relu")
        )


@rule(
    "init-too-small",
    order=36,
    reads="`start_scales`, re-run `fresh_weights`",
    limits=f"less than {SMALL:g} times 1/sqrt(fan_in), and fresh weights mend the score",
    source="LeCun et al. (1998), section 4.6; He et al. (2015)",
    remedy="He's or Xavier's scale",
)
def too_small(signals: Signals) -> Iterator[Finding]:
    if found := _start(signals, False):
        yield _start_finding(signals, "init-too-small", found, DOWNSTREAM)
