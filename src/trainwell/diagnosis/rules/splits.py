"""Rules over how rows were split, ordered and prepared for training and validation."""

from collections.abc import Iterator

from trainwell.diagnosis.findings import Finding, Severity, rule
from trainwell.diagnosis.proofs import repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import looks_wrong

LEAK_SHARE = 0.1  # chosen: a tenth of the validation rows
ORDER_SHARE = 0.3  # chosen
CHANGED_SHARE = 0.05  # chosen
SHIFT_AREA = 0.85  # chosen: an area under the curve of 0.5 is no shift; Lopez-Paz & Oquab (2017) test by classifiers
NEW_CLASSES = 0.2  # chosen


@rule(
    "leak-train-validation",
    order=12,
    reads="`leak_share`",
    limits=f"more than {LEAK_SHARE:.0%} of the validation rows beyond what chance gives",
    source="chosen; a copy is nearer than a hundredth of the usual distance to the nearest neighbour",
    remedy="split before copying, sampling or shuffling rows",
)
def leak(signals: Signals) -> Iterator[Finding]:
    share = signals.number("leak_share")
    if share > LEAK_SHARE:
        yield Finding(
            "leak-train-validation",
            "problem",
            f"{share:.0%} of the validation rows are copies of training rows; their score is that of memory",
            share,
            LEAK_SHARE,
            remedies=(Remedy("split first", says="split the rows first, and copy, sample or shuffle only afterwards"),),
            explains=("overfitting",),
            certainty=0.93,
        )


@rule(
    "augmentation-on-validation",
    order=13,
    reads="`validation_changes`",
    limits=f"more than {CHANGED_SHARE:.0%} of the validation rows change from epoch to epoch",
    source="chosen",
    remedy="leave random changes out of the validation data",
)
def changing_validation(signals: Signals) -> Iterator[Finding]:
    share = signals.number("validation_changes")
    if share > CHANGED_SHARE:
        yield Finding(
            "augmentation-on-validation",
            "problem",
            f"{share:.0%} of the validation rows came back with other inputs for the same targets; random "
            "changes meant for training "
            "are applied to them",
            share,
            CHANGED_SHARE,
            remedies=(
                Remedy("plain validation data", says="give the validation data its own transform, without random changes"),
            ),
            explains=("train-validation-distribution-shift",),
            certainty=0.95,
        )


@rule(
    "train-validation-distribution-shift",
    order=31,
    reads="`shift`, `new_classes`, `score`, `train_score`",
    limits=f"an area above {SHIFT_AREA} with a validation score well below training, or {NEW_CLASSES:.0%} of unknown classes",
    source="Lopez-Paz & Oquab (2017), classifier two-sample tests; the limits are chosen",
    remedy="prepare and draw both the same way",
)
def shifted(signals: Signals) -> Iterator[Finding]:
    area, gap = signals.number("shift"), signals.number("train_score") - signals.number("score")
    new = signals.number("new_classes")
    remedy = (Remedy("split at random", says="shuffle before the split, and prepare both parts by the same code"),)
    explains = ("overfitting", "underfitting-capacity", "lr-too-high", "dropout-too-high", "batch-size-too-large")
    if new > NEW_CLASSES:
        says = f"{new:.0%} of the validation targets are of classes that no training row has; the rows were split in order"
        yield Finding(
            "train-validation-distribution-shift",
            "problem",
            says,
            new,
            NEW_CLASSES,
            remedies=remedy,
            explains=explains,
            certainty=0.94,
        )
    elif area > SHIFT_AREA:
        severity: Severity = "problem" if gap > 0.1 or (looks_wrong(signals) and area > 0.95) else "note"
        says = f"training and validation inputs can be told apart (area {area:.2f}); the validation score is {gap:.2f} lower"
        yield Finding(
            "train-validation-distribution-shift",
            severity,
            says,
            area,
            SHIFT_AREA,
            remedies=remedy,
            explains=explains,
            certainty=0.6 + 0.3 * (area > 0.95),
        )


@rule(
    "no-shuffle-sorted-classes",
    order=32,
    reads="`order_excess`, re-run `shuffled`",
    limits=f"neighbouring rows share their class {ORDER_SHARE:.0%} more often than chance, and shuffling mends the score",
    source="chosen; Bottou (2012), stochastic gradient descent tricks: shuffle the examples",
    remedy="shuffle the training rows in every epoch",
)
def sorted_rows(signals: Signals) -> Iterator[Finding]:
    excess = signals.number("order_excess")
    proof = repair(signals, "shuffled")
    if signals.number("new_classes") > NEW_CLASSES:
        yield Finding(
            "no-shuffle-sorted-classes",
            "warning",
            "validation holds classes that training lacks, as a table sorted by class gives when it is cut in order",
            signals.number("new_classes"),
            NEW_CLASSES,
            certainty=0.9,
        )
    elif excess > ORDER_SHARE:
        proven = proof > 0 and looks_wrong(signals)
        yield Finding(
            "no-shuffle-sorted-classes",
            "problem" if proven or (excess > 0.8 and looks_wrong(signals)) else "note",
            f"the batches come sorted: {excess:.0%} of the way from chance to one class or region a batch",
            excess,
            ORDER_SHARE,
            remedies=(
                reruns(signals, "shuffled", Remedy("shuffle", to=True, says="shuffle the training rows in every epoch")),
            ),
            explains=(
                "lr-too-high",
                "lr-too-low",
                "underfitting-capacity",
                "overfitting",
                "batch-size-too-small",
                "plateau-or-saddle",
            ),
            certainty=0.9,
        )
