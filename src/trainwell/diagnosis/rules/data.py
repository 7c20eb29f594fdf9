"""Rules over the rows: missing values, targets, order, copies, shift, scale, balance."""

from collections.abc import Iterator

from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns, share_closed
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import looks_wrong

LEAK_SHARE = 0.1  # chosen: a tenth of the validation rows
ORDER_SHARE = 0.3  # chosen
CHANGED_SHARE = 0.05  # chosen
SHIFT_AREA = 0.85  # chosen: an area under the curve of 0.5 is no shift; Lopez-Paz & Oquab (2017) test by classifiers
NEW_CLASSES = 0.2  # chosen
NO_SIGNAL = 0.05  # chosen: no simple model's score reaches it
SCALES = (0.05, 5.0)  # LeCun et al. (1998): inputs of unit size; a factor of 20 below and 5 above are chosen
SCALE_RATIO = 50.0  # chosen
RARE_SHARE = 0.15  # chosen: a class below it is rare
RARE_RECALL = 0.5  # chosen: and ignored where less than half of it is recognized


@rule(
    "data-has-nan-or-inf",
    order=0,
    reads="`input_non_finite`, `target_non_finite`, `validation_non_finite`",
    limits="any value that is not finite",
    source="by definition",
    remedy="fill or drop the missing values before training",
)
def missing_values(signals: Signals) -> Iterator[Finding]:
    share = max(signals.number("input_non_finite", 0.0), signals.number("target_non_finite", 0.0))
    share = max(share, signals.number("validation_non_finite", 0.0))
    if share > 0:
        yield Finding(
            "data-has-nan-or-inf",
            "problem",
            f"{share:.2%} of the numbers given to the network are missing or infinite; one is enough to spoil every weight",
            share,
            0.0,
            remedies=(
                Remedy("fill missing values", says="fill missing values with the column's mean or median, or drop the rows"),
            ),
            explains=("lr-too-high", "exploding-gradient", "numerically-unstable-loss", "labels-shuffled-or-misaligned"),
            certainty=0.99,
        )


@rule(
    "labels-constant-or-single-class",
    order=1,
    reads="`single_target`",
    limits="one value among all training targets",
    source="by definition",
    remedy="look at how the targets are read",
)
def one_target(signals: Signals) -> Iterator[Finding]:
    if signals.number("single_target") == 1:
        yield Finding(
            "labels-constant-or-single-class",
            "problem",
            "every training target is the same; there is nothing to learn, however well the loss looks",
            1.0,
            1.0,
            remedies=(Remedy("read the targets again", says="compare the targets with the file they come from"),),
            explains=("class-imbalance-ignored", "dead-relu", "overfitting"),
            certainty=0.98,
        )


@rule(
    "labels-shuffled-or-misaligned",
    order=30,
    reads="`simple_scores`, `score`, `rows`",
    limits=f"no simple model scores above {NO_SIGNAL} on validation rows, nor does the network, from 200 rows on",
    source="chosen; the randomization test of Zhang et al. (2017) turned around",
    remedy="join inputs and targets by a key, and look at a few pairs",
)
def misaligned(signals: Signals) -> Iterator[Finding]:
    scores = signals.facts.get("simple_scores") or {}
    if not scores or signals.number("rows") < 200 or signals.number("single_target") == 1:
        return
    best = max(*scores.values(), signals.number("score", 0.0))
    trial = max((trial.score for trial in signals.trials.values()), default=0.0)
    if max(best, trial) < NO_SIGNAL and not signals.number("new_classes") > NEW_CLASSES:
        yield Finding(
            "labels-shuffled-or-misaligned",
            "problem",
            "neither this network nor a linear model, nearest neighbours or a forest find anything in the inputs that tells the "
            f"targets (best score {best:.2f} of 1); rows and targets probably do not belong together",
            best,
            NO_SIGNAL,
            remedies=(Remedy("join by a key", says="join inputs and targets by a key instead of by position"),),
            explains=("underfitting-capacity", "lr-too-low", "plateau-or-saddle", "overfitting", "too-few-epochs"),
            certainty=0.9,
        )


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
            f"{share:.0%} of the validation rows came back with other inputs for the same targets; random changes meant for training "
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
        severity = "problem" if gap > 0.1 or (looks_wrong(signals) and area > 0.95) else "note"
        says = f"training and validation inputs can be told apart (area {area:.2f}), and the score is {gap:.2f} lower in validation"
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


@rule(
    "data-not-scaled",
    order=33,
    reads="`input_scale`, `input_scale_ratio`, `input_normalized`, re-run `standardized`",
    limits=f"a size outside {SCALES[0]} to {SCALES[1]} or columns {SCALE_RATIO:.0f} times apart, and standard units mend the score",
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


@rule(
    "class-imbalance-ignored",
    order=70,
    reads="`rare_share`, `rare_recall`, `loss_by_class`",
    limits=f"a class of less than {RARE_SHARE:.0%}, less than {RARE_RECALL:.0%} of which is recognized, under a loss that weighs all rows alike",
    source="He & Garcia (2009), learning from imbalanced data; the limits are chosen",
    remedy="weigh the classes in the loss, or move the threshold",
)
def imbalance(signals: Signals) -> Iterator[Finding]:
    share, recall = signals.number("rare_share"), signals.number("rare_recall")
    alike = not signals.number("loss_by_class") > 2
    few = min(RARE_SHARE, 0.5 / max(signals.number("classes", 2), 2))
    if share < few and recall < RARE_RECALL and alike:
        yield Finding(
            "class-imbalance-ignored",
            "problem",
            f"the rarest class has {share:.1%} of the rows and only {recall:.0%} of it is recognized; the loss weighs all rows alike",
            recall,
            RARE_RECALL,
            remedies=(
                Remedy("class weights", to="1 / frequency", says="weigh the classes in the loss by one over their frequency"),
            ),
            explains=(),
            certainty=0.62,
        )
