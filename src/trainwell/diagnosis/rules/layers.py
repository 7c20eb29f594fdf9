"""Rules over layers: how they start, what passes through them, and what batch norm and dropout do to each other."""

import math
from collections.abc import Iterator

from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals, last
from trainwell.diagnosis.suspicion import looks_wrong

TWINS = 0.5  # chosen: half of a layer's units
SMALL, LARGE = (
    0.3,
    3.0,
)  # He et al. (2015) and LeCun et al. (1998) lie between 0.58 and 1.73 times 1/sqrt(fan_in); beyond is chosen
VANISHED = 1e-3  # AutoTrainer (Zhang et al. 2021): gradient of the first layer over that of the last
EXPLODED = 70.0  # AutoTrainer (Zhang et al. 2021), the other way round
DEAD = 0.7  # AutoTrainer (Zhang et al. 2021) and DeepDiagnosis (Wardat et al. 2022): share of units that never fire
SATURATED = 0.5  # DeepDiagnosis (Wardat et al. 2022): half of the outputs at their ends
LINEAR = 1e-4  # chosen: rounding of single precision, with room
NORM_ROWS = 8  # Wu & He (2018): batch norm's error rises rapidly below batches of 8 to 16
SHIFT = 1.2  # chosen; Li et al. (2019) measure shifts of this size where accuracy breaks down
RESTATED = 0.2  # chosen: share of the validation loss that new statistics take away
DOWNSTREAM = (
    "lr-too-low",
    "lr-too-high",
    "underfitting-capacity",
    "too-few-epochs",
    "optimizer-wrong-for-problem",
    "plateau-or-saddle",
    "batch-size-too-large",
    "batch-size-too-small",
    "momentum-unstable",
    "weight-decay-too-high",
    "class-imbalance-ignored",
)


@rule(
    "missing-nonlinearity",
    order=20,
    reads="`affine_error`, `weight_layers`, `linear_score`, `simple_score`, re-run `bent`",
    limits=f"distance from an affine map below {LINEAR:g} in two or more layers, where a simple nonlinear model scores clearly better",
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
    reads="`twin_share` at the start",
    limits=f"more than {TWINS:.0%} of a hidden layer's units equal another in weights and gradients",
    source="Goodfellow, Bengio & Courville (2016), section 8.4: the start must break symmetry",
    remedy="draw the weights at random",
)
def symmetric(signals: Signals) -> Iterator[Finding]:
    twins = {name: layer.twin_share[0] for name, layer in signals.layers.items() if layer.twin_share}
    hidden = list(twins)[:-1]  # units of the last layer have targets of their own
    worst = max(hidden, key=lambda name: twins[name], default="")
    if worst and twins[worst] > TWINS and looks_wrong(signals):
        yield Finding(
            "zero-or-constant-init",
            "problem",
            f"{twins[worst]:.0%} of the units of {worst} start equal and get equal gradients; they stay one and the same unit",
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


@rule(
    "dead-relu",
    order=22,
    reads="`silent_share` at the start and at the end",
    limits=f"more than {DEAD:.0%} of a layer's units fire on no row, in a run below what is reachable",
    source="AutoTrainer (Zhang et al. 2021); DeepDiagnosis (Wardat et al. 2022)",
    remedy="He's start, a lower learning rate, or a leaky ReLU",
)
def dead(signals: Signals) -> Iterator[Finding]:
    shares = {name: layer.silent_share for name, layer in signals.layers.items() if layer.silent_share}
    ended = {name: last(share) for name, share in shares.items()}
    worst = max(ended, key=lambda name: ended[name], default="")
    if not worst or ended[worst] <= DEAD or not looks_wrong(signals):
        return
    first = next(name for name in ended if ended[name] > DEAD)
    from_start = shares[first][0] > DEAD
    yield Finding(
        "dead-relu",
        "problem",
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
    limits=f"more than {SATURATED:.0%} of the outputs at their ends, in a run below what is reachable",
    source="DeepDiagnosis (Wardat et al. 2022); Glorot & Bengio (2010)",
    remedy="Xavier's start, scaled inputs, a lower learning rate",
)
def saturated(signals: Signals) -> Iterator[Finding]:
    shares = {name: layer.saturated_share for name, layer in signals.layers.items() if layer.saturated_share}
    worst = max(shares, key=lambda name: last(shares[name]), default="")
    if not worst or not looks_wrong(signals):
        return
    from_start = shares[worst][0] > SATURATED
    if last(shares[worst]) > SATURATED:
        yield Finding(
            "saturated-activation",
            "problem",
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


@rule(
    "vanishing-gradient",
    order=38,
    reads="`start_gradients`, `time_gradient_ratio`",
    limits=f"below {VANISHED:g} of the gradient at the last layer, or at the strongest step of a sequence, in a run below what is reachable",
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
                    Remedy("activation", to="relu", says="use gates (GRU, LSTM)" if time else "use ReLU with He's start"),
                ),
                Remedy("normalization", to="batch", says="put a normalization between the layers"),
            ),
            explains=DOWNSTREAM,
            certainty=0.88,
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
    if not looks_wrong(signals) or len(gradients) < 3:
        return
    ratio = gradients[0] / gradients[-1]
    if ratio > EXPLODED or (repair(signals, "clipped") > 0 and max(gradients) > 1e3):
        yield Finding(
            "exploding-gradient",
            "problem",
            f"the gradient of the first layer is {ratio:.2g} times that of the last at the start",
            ratio,
            EXPLODED,
            remedies=(reruns(signals, "clipped", Remedy("clip by norm", to=1.0, says="clip the gradient's norm at 1")),),
            certainty=0.66,
        )


@rule(
    "dropout-before-batchnorm",
    order=23,
    reads="`dropout_norm_shift`, `eval_mode_loss`, `train_mode_loss`, `restated_validation_loss`, `final_validation_loss`",
    limits=f"a variance shift beyond {SHIFT:g}, and {RESTATED:.0%} more loss in evaluation than in training mode, or {RESTATED:.0%} less of the "
    "validation loss with statistics taken without dropout",
    source="Li et al. (2019), understanding the disharmony between dropout and batch normalization by variance shift",
    remedy="dropout after the last batch norm",
)
def shifted_variance(signals: Signals) -> Iterator[Finding]:
    shift, mended = signals.number("dropout_norm_shift"), _mended(signals)
    worse = signals.number("eval_mode_loss", 0.0) / max(signals.number("train_mode_loss", 1.0), 1e-12) - 1
    if shift == shift and max(shift, 1 / max(shift, 1e-9)) > SHIFT:
        yield Finding(
            "dropout-before-batchnorm",
            "problem" if mended > RESTATED or worse > RESTATED else "note",
            f"dropout before batch norm makes the variance it records {shift:.2f} times that of evaluation; the same training rows "
            f"have a loss {worse:+.0%} higher in evaluation mode than in training mode",
            shift,
            SHIFT,
            remedies=(Remedy("order of layers", says="move dropout behind the last batch norm"),),
            explains=("dropout-too-high", "batchnorm-stats-stale", "overfitting", *DOWNSTREAM),
            certainty=0.93,
        )


def _mended(signals: Signals) -> float:
    """Share of the validation loss that statistics taken again take away."""
    before, after = signals.number("final_validation_loss"), signals.number("restated_validation_loss")
    if math.isnan(after) or before <= 0:
        return 0.0
    return (before - after) / before if math.isfinite(before) else float(math.isfinite(after))


@rule(
    "batchnorm-stats-stale",
    order=24,
    reads="`restated_validation_loss`, `final_validation_loss`, `norm_rows`",
    limits=f"statistics taken again on training rows lower the validation loss by {RESTATED:.0%}",
    source="Ioffe & Szegedy (2015), algorithm 2; Wu & Johnson (2021), rethinking batch in batch norm",
    remedy="raise batch norm's momentum, run it in training mode, or take its statistics again",
)
def stale(signals: Signals) -> Iterator[Finding]:
    mended = _mended(signals)
    if mended > RESTATED and not signals.number("norm_rows") < NORM_ROWS and signals.number("final_validation_loss") > 0.05:
        much = mended > 2 * RESTATED or looks_wrong(signals)
        yield Finding(
            "batchnorm-stats-stale",
            "problem" if much else "note",
            f"statistics of batch norm taken again on training rows lower the validation loss by {mended:.0%}",
            mended,
            RESTATED,
            remedies=(
                Remedy(
                    "batch norm momentum",
                    to=0.1,
                    says="give batch norm a momentum near 0.1 and training mode, or take its statistics again",
                ),
            ),
            explains=("overfitting", *DOWNSTREAM),
            certainty=0.89,
        )


@rule(
    "batchnorm-tiny-batch",
    order=25,
    reads="`norm_rows`, re-run `full_batches`",
    limits=f"means over fewer than {NORM_ROWS} numbers, in a run below what is reachable",
    source="Wu & He (2018), group normalization, figure 1",
    remedy="larger batches, or group or layer norm",
)
def tiny(signals: Signals) -> Iterator[Finding]:
    rows = signals.number("norm_rows")
    if rows < NORM_ROWS:
        bad = repair(signals, "full_batches") > 0 or looks_wrong(signals)
        yield Finding(
            "batchnorm-tiny-batch",
            "problem" if bad else "note",
            f"batch norm takes its mean over {rows:.0f} numbers; what tells one row from another is normalized away",
            rows,
            float(NORM_ROWS),
            remedies=(
                reruns(signals, "full_batches", Remedy("batch_size", to=64, says="use batches of 32 or more, or group norm")),
            ),
            explains=("batchnorm-stats-stale", "dropout-before-batchnorm", *DOWNSTREAM),
            certainty=0.91,
        )
