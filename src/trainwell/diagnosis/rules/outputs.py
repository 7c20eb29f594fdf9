"""Rules over the loss and the outputs, asked as functions: can the outputs be right, and does the loss say so?"""

from collections.abc import Iterator

from trainwell.diagnosis.families import EVERYTHING_AFTER
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals

OUT_OF_REACH = 0.1  # chosen: share of the best constant answer's loss that stays even with the best outputs in reach
CLASS_RATIO = 1e3  # chosen: class weights rarely go beyond a hundred
ROW_RATIO = 100.0  # chosen: relative errors reach it where targets are near 0
UNBOUNDED = 1.0  # chosen: lower than the loss of right outputs, which should be the floor


def _classes(signals: Signals) -> bool:
    return signals.facts.get("task") in ("binary", "multiclass")


@rule(
    "numerically-unstable-loss",
    order=9,
    reads="`loss_non_finite_step`, `outputs_finite_then`, `gradient_non_finite_then`, `sudden_breakdown`",
    limits="a loss, or its gradient by the outputs, that is not finite for outputs below 10000 in size",
    source="Goodfellow, Bengio & Courville (2016), section 4.1",
    remedy="use the loss on logits, or add a small number inside the logarithm or root",
)
def unstable(signals: Signals) -> Iterator[Finding]:
    if signals.number("input_non_finite", 0.0) > 0 or signals.number("target_non_finite", 0.0) > 0:
        return
    loss, gradient = signals.number("outputs_finite_then") == 1, signals.number("gradient_non_finite_then") == 1
    if loss or gradient:
        yield Finding(
            "numerically-unstable-loss",
            "problem",
            f"at update {signals.number('loss_non_finite_step'):.0f} the "
            f"{'loss' if loss else 'gradient of the loss'} became infinite or "
            "not a number although the outputs were ordinary numbers: the loss takes the logarithm or root of 0 or the like",
            1.0,
            0.0,
            remedies=(Remedy("loss", says="use the loss that takes logits, or clamp what goes into the logarithm or root"),),
            explains=(*EVERYTHING_AFTER, "data-not-scaled", "target-not-scaled"),
            certainty=0.965,
        )
    elif signals.number("sudden_breakdown") == 1:
        yield Finding(
            "numerically-unstable-loss",
            "problem",
            f"at update {signals.number('loss_non_finite_step'):.0f} ordinary outputs turned into infinite ones at once",
            1.0,
            0.0,
            remedies=(
                Remedy("logarithms and roots", says="look for a logarithm, root or division by 0 in the network and the loss"),
            ),
            certainty=0.7,
        )


@rule(
    "loss-sign-flipped",
    order=13,
    reads="`loss_right`, `loss_wrong`, `loss_wrong_below`",
    limits="right outputs have a higher loss than wrong ones",
    source="by definition",
    remedy="turn the sign",
)
def flipped(signals: Signals) -> Iterator[Finding]:
    right, wrong = signals.number("loss_best" if not _classes(signals) else "loss_right"), signals.number("loss_wrong")
    below = signals.number("loss_wrong_below", wrong)
    if right > wrong + 1e-6 and right > below + 1e-6:
        yield Finding(
            "loss-sign-flipped",
            "problem",
            f"exactly right outputs have a loss of {right:.3g} and wrong ones {wrong:.3g}: training makes the network worse",
            right,
            wrong,
            remedies=(Remedy("loss", times=-1.0, says="turn the sign of the loss"),),
            explains=(
                *EVERYTHING_AFTER,
                "wrong-loss-for-task",
                "loss-on-probabilities",
                "wrong-output-activation",
                "target-not-scaled",
            ),
            certainty=0.97,
        )


@rule(
    "loss-on-probabilities",
    order=14,
    reads="`reach_low`, `reach_high`, `loss_right`, `loss_best`",
    limits=f"outputs stay in 0 to 1, and right ones keep {OUT_OF_REACH:.0%} of the constant answer's loss",
    source="documentation of torch.nn.CrossEntropyLoss and BCEWithLogitsLoss: they take logits",
    remedy="leave out the last softmax or sigmoid",
)
def on_probabilities(signals: Signals) -> Iterator[Finding]:
    low, high = signals.number("reach_low"), signals.number("reach_high")
    missed = signals.number("loss_right") - signals.number("loss_best")
    if _classes(signals) and low >= -0.01 and high <= 1.01 and high - low > 0.5 and missed > OUT_OF_REACH * _scale(signals):
        yield Finding(
            "loss-on-probabilities",
            "problem",
            f"the outputs are probabilities, and the loss takes them for logits: even exactly right ones cost {missed:.2f}",
            missed,
            OUT_OF_REACH,
            remedies=(
                Remedy("last activation", to="none", says="leave out the last softmax or sigmoid; the loss has its own"),
            ),
            explains=(*EVERYTHING_AFTER, "wrong-output-activation"),
            certainty=0.95,
        )


def _scale(signals: Signals) -> float:
    return abs(signals.number("loss_constant", 1.0)) or 1.0


@rule(
    "wrong-output-activation",
    order=15,
    reads="`reach_low`, `reach_high`, `loss_right`, `loss_best`, `outputs`",
    limits=f"right answers out of reach cost {OUT_OF_REACH:.0%} of the constant answer's loss",
    source="Goodfellow, Bengio & Courville (2016), section 6.2.2",
    remedy="choose the last activation by the range of the targets; none for a regression",
)
def out_of_reach(signals: Signals) -> Iterator[Finding]:
    low, high = signals.number("reach_low"), signals.number("reach_high")
    missed = signals.number("loss_right") - signals.number("loss_best")
    probabilities = _classes(signals) and low >= -0.01 and high <= 1.01 and high - low > 0.5
    stuck = low == high
    if (missed > OUT_OF_REACH * _scale(signals) and not probabilities and (low > -1e3 or high < 1e3)) or stuck:
        says = (
            f"the last layer can only put out {low:.3g}, whatever its weights"
            if stuck
            else f"the outputs can only be {_range(low, high)}, and the targets need others"
        )
        yield Finding(
            "wrong-output-activation",
            "problem",
            says,
            _range(low, high),
            "range of the targets",
            remedies=(
                Remedy(
                    "last activation", to="none", says="leave out the last activation, or choose it by the range of the targets"
                ),
            ),
            explains=(*EVERYTHING_AFTER, "target-not-scaled", "data-not-scaled", "wrong-loss-for-task"),
            certainty=0.95,
        )


def _range(low: float, high: float) -> str:
    if low <= -1e3 and high >= 1e3:
        return "anything"
    return f"above {low:.3g}" if high >= 1e3 else f"below {high:.3g}" if low <= -1e3 else f"between {low:.3g} and {high:.3g}"


@rule(
    "wrong-output-size",
    order=12,
    reads="`classes`, `outputs`, `target_numbers`, `outputs_alike`",
    limits="fewer outputs than classes or than a regression's targets; or more than these, where the loss compares each with "
    "the same target",
    source="by definition",
    remedy="as many outputs as classes, or as target columns",
)
def size(signals: Signals) -> Iterator[Finding]:
    outputs, classes = signals.number("outputs"), signals.number("classes")
    targets = signals.number("target_numbers")
    if signals.facts.get("task") == "multiclass" and outputs < classes and classes > 2:
        says = f"{classes:.0f} classes and {outputs:.0f} output{'s' if outputs > 1 else ''}"
    elif signals.facts.get("task") == "regression" and (
        outputs < targets or (outputs > targets and signals.number("outputs_alike") == 1)
    ):
        says, classes = f"{targets:.0f} targets and {outputs:.0f} outputs a row", targets
    else:
        return
    yield Finding(
        "wrong-output-size",
        "problem",
        f"there are {says}; some answers cannot be given",
        outputs,
        classes,
        remedies=(Remedy("outputs", to=int(classes), says=f"give the last layer {classes:.0f} outputs"),),
        explains=(*EVERYTHING_AFTER, "loss-on-probabilities", "wrong-output-activation"),
        certainty=0.96,
    )


@rule(
    "wrong-loss-for-task",
    order=16,
    reads="`loss_far`, `loss_best`, `loss_by_class`, `loss_by_row`, `loss_right`, `loss_wrong`, `target_low`, `target_high`",
    limits=f"a loss without a floor, the same for right and wrong, {CLASS_RATIO:.0f} times as heavy on one class, or "
    f"{ROW_RATIO:.0f} times on one row",
    source="Goodfellow, Bengio & Courville (2016), section 6.2.1",
    remedy="cross-entropy for classes, squared or absolute error for numbers",
)
def wrong_loss(signals: Signals) -> Iterator[Finding]:
    far, best = signals.number("loss_far"), signals.number("loss_best")
    right, wrong = signals.number("loss_right"), signals.number("loss_wrong")
    by_class, by_row = signals.number("loss_by_class"), signals.number("loss_by_row")
    constant, regression = signals.number("loss_constant", best), not _classes(signals)
    floor = min(best, constant) if regression else best
    meant = best <= min(constant, wrong, signals.number("loss_wrong_below", wrong))  # outputs are meant to equal the targets
    if far < floor - UNBOUNDED and (right <= wrong or regression):
        says, measured, limit = f"larger and larger outputs lower the loss below that of right ones (to {far:.3g})", far, best
    elif by_class > CLASS_RATIO:
        says, measured, limit = (
            f"a mistake in one class weighs {by_class:.2g} times as much as in another",
            by_class,
            CLASS_RATIO,
        )
    elif by_row > ROW_RATIO and meant:
        says, measured, limit = f"the same mistake weighs {by_row:.2g} times as much in one row as usual", by_row, ROW_RATIO
    elif abs(right - wrong) < 1e-9:
        says, measured, limit = "the loss is the same for right and for wrong outputs", right, wrong
    else:
        return
    yield Finding(
        "wrong-loss-for-task",
        "problem",
        f"{says}; it does not fit targets between {signals.number('target_low'):.3g} and {signals.number('target_high'):.3g}",
        measured,
        limit,
        remedies=(
            Remedy(
                "loss", to="cross-entropy", says="use cross-entropy for classes 0 and 1, squared or absolute error for numbers"
            ),
        ),
        explains=(*EVERYTHING_AFTER, "loss-on-probabilities", "wrong-output-activation"),
        certainty=0.955,
    )
