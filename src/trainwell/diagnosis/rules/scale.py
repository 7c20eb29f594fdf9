"""Rules over the size of inputs and targets."""

from collections.abc import Iterator

from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns, share_closed
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals

SCALES = (0.05, 5.0)  # LeCun et al. (1998): inputs of unit size; a factor of 20 below and 5 above are chosen
SCALE_RATIO = 50.0  # chosen


@rule(
    "data-not-scaled",
    order=33,
    reads="`input_scale`, `input_scale_ratio`, `input_normalized`, re-run `standardized`",
    limits=f"a size outside {SCALES[0]} to {SCALES[1]} or columns {SCALE_RATIO:.0f} times apart, and standard "
    "units mend the score",
    source="LeCun et al. (1998), efficient backprop, section 4.3; the limits are chosen",
    remedy="bring the inputs to mean 0 and spread 1 with the training rows' statistics",
)
def unscaled(signals: Signals) -> Iterator[Finding]:
    scale, ratio = signals.number("input_scale"), signals.number("input_scale_ratio")
    off = not SCALES[0] <= scale <= SCALES[1] and scale == scale
    apart = ratio > SCALE_RATIO and signals.number("input_largest") > SCALES[1]
    if not (off or apart) or signals.number("input_normalized") == 1:
        return
    closed = share_closed(signals, "standardized")
    yield Finding(
        "data-not-scaled",
        "problem" if repair(signals, "standardized") > 0 else "note",
        f"the inputs have a size of {scale:.3g}"
        + (f" and columns {ratio:.3g} times apart" if ratio == ratio else "")
        + ", where a network expects about 1",
        scale,
        f"{SCALES[0]} to {SCALES[1]}",
        remedies=(
            reruns(signals, "standardized", Remedy("standardize the inputs", says="bring the inputs to mean 0 and spread 1")),
        ),
        explains=(
            "lr-too-high",
            "lr-too-low",
            "exploding-gradient",
            "vanishing-gradient",
            "dead-relu",
            "saturated-activation",
            "init-too-large",
            "init-too-small",
            "underfitting-capacity",
            "optimizer-wrong-for-problem",
            "too-few-epochs",
            "plateau-or-saddle",
            "weight-decay-too-high",
            "batch-size-too-large",
            "batch-size-too-small",
            "momentum-unstable",
        ),
        certainty=0.85 + 0.05 * closed,
    )


@rule(
    "target-not-scaled",
    order=34,
    reads="`target_scale`, re-run `targets_standardized`",
    limits=f"a size outside {SCALES[0]} to {SCALES[1]}, and standard units mend the score",
    source="Bishop (1995), neural networks for pattern recognition, section 8.2; the limits are chosen",
    remedy="bring the targets to mean 0 and spread 1, and predictions back",
)
def unscaled_targets(signals: Signals) -> Iterator[Finding]:
    scale = signals.number("target_scale")
    if signals.facts.get("task") != "regression" or SCALES[0] <= scale <= SCALES[1] or scale != scale:
        return
    closed = share_closed(signals, "targets_standardized")
    yield Finding(
        "target-not-scaled",
        "problem" if repair(signals, "targets_standardized") > 0 else "note",
        f"the targets have a size of {scale:.3g}, where the loss and the learning rate expect about 1",
        scale,
        f"{SCALES[0]} to {SCALES[1]}",
        remedies=(
            reruns(
                signals,
                "targets_standardized",
                Remedy("standardize the targets", says="bring the targets to mean 0 and spread 1"),
            ),
        ),
        explains=(
            "lr-too-high",
            "lr-too-low",
            "exploding-gradient",
            "dead-relu",
            "saturated-activation",
            "underfitting-capacity",
            "too-few-epochs",
            "optimizer-wrong-for-problem",
            "weight-decay-too-high",
            "batch-size-too-large",
            "plateau-or-saddle",
            "momentum-unstable",
        ),
        certainty=0.86 + 0.05 * closed,
    )
