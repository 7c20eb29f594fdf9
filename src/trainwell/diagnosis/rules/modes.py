"""Rules over modes that were forgotten and rows that were mixed."""

from collections.abc import Iterator

from trainwell.diagnosis.families import EVERYTHING_AFTER
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import looks_wrong

DEPENDENCE = 1e-2  # chosen: a hundredth of the outputs' spread is far above rounding
PAIRING = 0.02  # chosen
MODE_SHARE = 0.3  # chosen: also the first epochs of a short run


@rule(
    "train-mode-missing",
    order=10,
    reads="`share_train_mode_off`, `mode_parts`",
    limits=f"more than {MODE_SHARE:.0%} of the training batches in evaluation mode",
    source="by definition",
    remedy="call model.train() at the start of each epoch",
)
def not_training(signals: Signals) -> Iterator[Finding]:
    share, parts = signals.number("share_train_mode_off"), signals.facts.get("mode_parts", [])
    if share > MODE_SHARE and parts:
        yield Finding(
            "train-mode-missing",
            "problem",
            f"{share:.0%} of the training batches ran in evaluation mode, where {parts[0]} does not do what it is there for",
            share,
            MODE_SHARE,
            layer=parts[0],
            remedies=(Remedy("model.train()", says="call model.train() at the start of each epoch"),),
            explains=("overfitting", "lr-too-high", "exploding-gradient", "batchnorm-stats-stale", "dropout-before-batchnorm"),
            certainty=0.96,
        )


@rule(
    "eval-mode-missing",
    order=11,
    reads="`share_validation_mode_on`, `mode_parts`, `evaluation_dropouts`",
    limits=f"more than {MODE_SHARE:.0%} of the validation batches in training mode, or a dropout that "
    "evaluation mode does not stop",
    source="by definition",
    remedy="call model.eval() before validation, and pass training=self.training to functional dropout",
)
def not_evaluating(signals: Signals) -> Iterator[Finding]:
    share, parts = signals.number("share_validation_mode_on"), signals.facts.get("mode_parts", [])
    effect, always = signals.number("mode_effect", 0.0), signals.number("evaluation_dropouts", 0.0)
    forgotten = share > MODE_SHARE and (parts or effect > DEPENDENCE)
    if forgotten or always:
        layer = parts[0] if parts else ""
        says = (
            f"{share:.0%} of the validation batches ran in training mode, with {layer or 'parts'} on"
            if forgotten
            else "dropout is called as a function and goes on in evaluation mode"
        )
        yield Finding(
            "eval-mode-missing",
            "problem",
            says,
            share if forgotten else always,
            MODE_SHARE,
            layer=layer,
            remedies=(Remedy("model.eval()", says="call model.eval() before validation and model.train() after it"),),
            explains=(
                "batchnorm-stats-stale",
                "dropout-before-batchnorm",
                "batchnorm-tiny-batch",
                "dropout-too-high",
                "train-mode-missing",
            ),
            certainty=0.955,
        )


@rule(
    "broadcasting-loss",
    order=7,
    reads="`loss_pairs_rows`, `output_shape`, `target_shape`",
    limits=f"a row's gradient changes by {PAIRING:.0%} with other rows' targets, and shapes differ or the run is bad",
    source="by definition; NumPy's broadcasting rules",
    remedy="give outputs and targets one shape",
)
def broadcasting(signals: Signals) -> Iterator[Finding]:
    given, wanted = signals.facts.get("output_shape") or [], signals.facts.get("target_shape") or []
    mixed = signals.number("loss_pairs_rows")
    if not given or not wanted or not mixed > PAIRING:
        return
    if given == wanted and not (looks_wrong(signals) and signals.number("outputs") == 1):
        return
    if signals.facts.get("task") == "multiclass" and signals.number("outputs") > 1 and len(wanted) == 1:
        return  # the usual (N, K) against (N,)
    if signals.number("outputs") != signals.number("target_numbers"):
        return
    yield Finding(
        "broadcasting-loss",
        "problem",
        f"outputs {tuple(given)} against targets {tuple(wanted)}: the loss compares every row with every other",
        mixed,
        PAIRING,
        remedies=(Remedy("squeeze", says="give both one shape: outputs.squeeze(1), or targets.unsqueeze(1)"),),
        explains=(*EVERYTHING_AFTER, "labels-shuffled-or-misaligned"),
        certainty=0.97,
    )


@rule(
    "batch-mixing",
    order=8,
    reads="`row_dependence`, `late_row_dependence`, `eval_noise`",
    limits=f"in evaluation mode, a row's output changes by {DEPENDENCE:.0%} of the spread when only other rows change",
    source='Karpathy (2019), "A recipe for training neural networks": use backprop to chart dependencies',
    remedy="permute instead of view, and check the axis of softmax, attention and normalization",
)
def mixing(signals: Signals) -> Iterator[Finding]:
    for prefix in ("", "late_"):
        moved, noise = signals.number(f"{prefix}row_dependence"), signals.number(f"{prefix}eval_noise", 0.0)
        if moved > DEPENDENCE and moved > 10 * noise:
            yield Finding(
                "batch-mixing",
                "problem",
                f"a row's output changes by {moved:.0%} of the outputs' spread when only the other rows of "
                "the batch are changed",
                moved,
                DEPENDENCE,
                remedies=(
                    Remedy("keep rows apart", says="use permute or transpose instead of view, and check every dim argument"),
                ),
                explains=(*EVERYTHING_AFTER, "overfitting"),
                certainty=0.965,
            )
            return
