"""Rules over the rows and their targets: missing values, one class, pairs that do not belong together, balance."""

from collections.abc import Iterator

from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.rules.splits import NEW_CLASSES, SHIFT_AREA
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import RARE_RECALL, RARE_SHARE, ignores_a_class, looks_wrong

NO_SIGNAL = 0.05  # chosen: no simple model's score reaches it


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
    limits=f"no simple model scores above {NO_SIGNAL} on validation rows, nor does the network; 200 rows or more, and no shift",
    source="chosen; the randomization test of Zhang et al. (2017) turned around",
    remedy="join inputs and targets by a key, and look at a few pairs",
)
def misaligned(signals: Signals) -> Iterator[Finding]:
    scores = signals.facts.get("simple_scores") or {}
    if not scores or signals.number("rows") < 200 or signals.number("single_target") == 1:
        return
    best = max(*scores.values(), signals.number("score", 0.0))
    trial = max((trial.score for trial in signals.trials.values()), default=0.0)
    moved = signals.number("new_classes") > NEW_CLASSES or signals.number("shift") > SHIFT_AREA
    if max(best, trial) < NO_SIGNAL and not moved:
        yield Finding(
            "labels-shuffled-or-misaligned",
            "problem",
            "neither this network nor a linear model, nearest neighbours or a forest find anything in the "
            f"inputs that tells the targets (best score {best:.2f} of 1); rows and targets probably do not belong together",
            best,
            NO_SIGNAL,
            remedies=(Remedy("join by a key", says="join inputs and targets by a key instead of by position"),),
            explains=("underfitting-capacity", "lr-too-low", "plateau-or-saddle", "overfitting", "too-few-epochs"),
            certainty=0.9,
        )


@rule(
    "class-imbalance-ignored",
    order=70,
    reads="`rare_share`, `rare_recall`, `loss_by_class`, re-run `balanced`",
    limits=f"a class of less than {RARE_SHARE:.0%}, less than {RARE_RECALL:.0%} of which is recognized, under "
    "a loss that weighs all rows alike",
    source="He & Garcia (2009), learning from imbalanced data; the limits are chosen",
    remedy="weigh the classes in the loss, or move the threshold",
)
def imbalance(signals: Signals) -> Iterator[Finding]:
    share, recall, proof = signals.number("rare_share"), signals.number("rare_recall"), repair(signals, "balanced")
    if ignores_a_class(signals):
        yield Finding(
            "class-imbalance-ignored",
            "problem" if proof > 0 else "warning" if looks_wrong(signals) else "note",
            f"the rarest class has {share:.1%} of the rows, {recall:.0%} of it is recognized; the loss weighs all rows alike",
            recall,
            RARE_RECALL,
            remedies=(
                reruns(
                    signals,
                    "balanced",
                    Remedy("class weights", to="1 / frequency", says="weigh the classes by one over their frequency"),
                ),
            ),
            explains=("too-few-epochs", "underfitting-capacity", "lr-too-low") if proof > 0 else (),
            certainty=0.64 + 0.15 * proof,
        )
