"""Rules over what passes through the layers: dead and saturated units, vanishing and exploding gradients."""

from collections.abc import Iterator

from trainwell.diagnosis.families import DOWNSTREAM
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.rules.starts import LARGE
from trainwell.diagnosis.signals import Signals, last
from trainwell.diagnosis.suspicion import broken, graded, looks_wrong

VANISHED = 1e-3  # AutoTrainer (Zhang et al. 2021): gradient of the first layer over that of the last
EXPLODED = 70.0  # AutoTrainer (Zhang et al. 2021), the other way round
DEAD = 0.7  # AutoTrainer (Zhang et al. 2021) and DeepDiagnosis (Wardat et al. 2022): share of units that never fire
SATURATED = 0.5  # DeepDiagnosis (Wardat et al. 2022): half of the outputs at their ends


@rule(
    "dead-relu",
    order=22,
    reads="`silent_share` at the start and at the end",
    limits=f"more than {DEAD:.0%} of a layer's units fire on no row; a warning where the score does not show it",
    source="AutoTrainer (Zhang et al. 2021); DeepDiagnosis (Wardat et al. 2022)",
    remedy="He's start, a lower learning rate, or a leaky ReLU",
)
def dead(signals: Signals) -> Iterator[Finding]:
    shares = {name: layer.silent_share for name, layer in signals.layers.items() if layer.silent_share}
    ended = {name: last(share) for name, share in shares.items()}
    worst = max(ended, key=lambda name: ended[name], default="")
    if not worst or ended[worst] <= DEAD:
        return
    first = next(name for name in ended if ended[name] > DEAD)
    from_start = len(shares[first]) > 1 and shares[first][0] > DEAD
    yield Finding(
        "dead-relu",
        graded(signals),
        f"{ended[first]:.0%} of the units of {first} fire on no row" + (", and did so from the start" if from_start else ""),
        ended[first],
        DEAD,
        layer=first,
        remedies=(
            reruns(signals, "leaky", Remedy("activation", to="leaky_relu", says="use a leaky ReLU, or He's start")),
            Remedy("learning_rate", times=0.3, says="lower the learning rate"),
        ),
        explains=(*DOWNSTREAM, "vanishing-gradient", "init-too-large", "init-too-small") if from_start else (),
        certainty=0.94 if from_start else 0.6,
    )


@rule(
    "saturated-activation",
    order=37,
    reads="`saturated_share` at the start",
    limits=f"more than {SATURATED:.0%} of the outputs at their ends; a warning where they were from the start and the "
    "score does not show it",
    source="DeepDiagnosis (Wardat et al. 2022); Glorot & Bengio (2010)",
    remedy="Xavier's start, scaled inputs, a lower learning rate",
)
def saturated(signals: Signals) -> Iterator[Finding]:
    shares = {name: layer.saturated_share for name, layer in signals.layers.items() if layer.saturated_share}
    worst = max(shares, key=lambda name: last(shares[name]), default="")
    if not worst:
        return
    large = signals.facts.get("start_scales", {}).get(worst, 0.0) > LARGE  # then one observation tells of the start too
    from_start = (len(shares[worst]) > 1 or large) and shares[worst][0] > SATURATED
    if last(shares[worst]) > SATURATED and (from_start or looks_wrong(signals)):  # a last sigmoid may well learn to saturate
        yield Finding(
            "saturated-activation",
            graded(signals),
            f"{last(shares[worst]):.0%} of what {worst} puts out lies at the ends of its range"
            + (", from the start" if from_start else ""),
            last(shares[worst]),
            SATURATED,
            layer=worst,
            remedies=(
                reruns(signals, "fresh_weights", Remedy("initializer", to="xavier_normal", says="start with Xavier's scale")),
            ),
            explains=("vanishing-gradient", *DOWNSTREAM) if from_start else (),
            certainty=0.9 if from_start else 0.55,
        )


REMEDIES = ("use ReLU with He's start", "use gates (GRU, LSTM)", "let the gates begin open, or shorten the sequence")


@rule(
    "vanishing-gradient",
    order=38,
    reads="`start_gradients`, `time_gradient_ratio`, `gated`",
    limits=f"below {VANISHED:g} of the gradient at the last layer, or at the strongest step of a sequence, in "
    "a run below what is reachable",
    source="AutoTrainer (Zhang et al. 2021); Bengio, Simard & Frasconi (1994) for sequences",
    remedy="ReLU and He's start, normalization or residual connections; gates for sequences",
)
def vanishing(signals: Signals) -> Iterator[Finding]:
    gradients = [value for value in signals.facts.get("start_gradients", {}).values() if value > 0]
    through_time = signals.number("time_gradient_ratio")
    names = list(signals.facts.get("start_gradients", {}))
    if not looks_wrong(signals):
        return
    depth = gradients[0] / gradients[-1] if len(gradients) > 2 else float("nan")
    if depth < VANISHED or through_time < VANISHED:
        time = not depth < VANISHED
        gated = time and signals.number("gated") == 1  # whose first steps count for little before they are learned
        value = through_time if time else depth
        yield Finding(
            "vanishing-gradient",
            "problem",
            f"the gradient of the first {'step of the sequence' if time else 'layer'} is {value:.1g} times that of the "
            f"{'strongest step' if time else 'last layer'} at the start; what lies there does not learn",
            value,
            VANISHED,
            layer=names[0] if names else "",
            remedies=(
                reruns(
                    signals,
                    "leaky",
                    Remedy("activation", to="relu", says=REMEDIES[time + gated]),
                ),
                Remedy("normalization", to="batch", says="put a normalization between the layers"),
            ),
            explains=() if gated else DOWNSTREAM,
            certainty=0.55 if gated else 0.88,
        )


@rule(
    "exploding-gradient",
    order=39,
    reads="`start_gradients`, `curves.steps`, re-run `clipped`",
    limits=f"more than {EXPLODED:g} times the gradient at the last layer, or a breakdown that clipping mends",
    source="AutoTrainer (Zhang et al. 2021); Pascanu, Mikolov & Bengio (2013)",
    remedy="He's or Xavier's start, clipping, a lower learning rate",
)
def exploding(signals: Signals) -> Iterator[Finding]:
    gradients = [value for value in signals.facts.get("start_gradients", {}).values() if value > 0]
    ratio = gradients[0] / gradients[-1] if len(gradients) > 2 else float("nan")
    mended = broken(signals) and repair(signals, "clipped") > 0
    if looks_wrong(signals) and (ratio > EXPLODED or mended):
        says = f"the gradient of the first layer is {ratio:.2g} times that of the last at the start"
        yield Finding(
            "exploding-gradient",
            "problem",
            says if ratio > EXPLODED else "the loss left the finite numbers, and a re-run with clipped gradients does not",
            ratio,
            EXPLODED,
            remedies=(reruns(signals, "clipped", Remedy("clip by norm", to=1.0, says="clip the gradient's norm at 1")),),
            certainty=0.66,
        )
