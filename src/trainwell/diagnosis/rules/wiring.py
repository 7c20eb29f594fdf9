"""Rules over the loop: gradients kept, lost or cut, weights that nobody moves, modes forgotten, rows mixed."""

from collections.abc import Iterator

from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import looks_wrong

MOST = 0.5  # chosen: more than half of what was observed
DEPENDENCE = 1e-2  # chosen: a hundredth of the outputs' spread is far above rounding
PAIRING = 0.02  # chosen
MODE_SHARE = 0.3  # chosen: also the first epochs of a short run
EVERYTHING_AFTER = (
    "lr-too-high",
    "lr-too-low",
    "vanishing-gradient",
    "exploding-gradient",
    "dead-relu",
    "saturated-activation",
    "plateau-or-saddle",
    "underfitting-capacity",
    "too-few-epochs",
    "optimizer-wrong-for-problem",
    "weight-decay-too-high",
    "momentum-unstable",
    "init-too-small",
    "init-too-large",
    "batch-size-too-large",
    "batch-size-too-small",
    "zero-or-constant-init",
    "dropout-too-high",
    "gradient-clip-too-tight",
    "class-imbalance-ignored",
    "lr-schedule-wrong",
)


@rule(
    "missing-zero-grad",
    order=2,
    reads="`share_accumulated`",
    limits=f"more than {MOST:.0%} of the observed updates still held the gradient of the update before",
    source="by definition",
    remedy="call optimizer.zero_grad() before each backward pass",
)
def kept_gradients(signals: Signals) -> Iterator[Finding]:
    share = signals.number("share_accumulated")
    if share > MOST:
        yield Finding(
            "missing-zero-grad",
            "problem",
            f"in {share:.0%} of the observed updates the gradient of the update before was still there and was added to",
            share,
            MOST,
            remedies=(Remedy("zero_grad", says="call optimizer.zero_grad() before each backward pass"),),
            explains=EVERYTHING_AFTER,
            certainty=0.97,
        )


@rule(
    "optimizer-step-ineffective",
    order=3,
    reads="`share_cleared`, `share_without_step`, `unmoved`, `any_gradient`",
    limits=f"more than {MOST:.0%} of the observed updates had no gradient left, or no update was made at all",
    source="by definition",
    remedy="backward, then step, then zero_grad",
)
def no_effect(signals: Signals) -> Iterator[Finding]:
    cleared, without = signals.number("share_cleared"), signals.number("share_without_step")
    inside = sorted(set(signals.facts.get("unmoved", ())) - set(signals.facts.get("outside_optimizer", ())))
    no_backward = signals.number("any_gradient") == 0 and signals.number("loss_has_graph") == 1
    if cleared > MOST:
        says = "the gradient was cleared between the backward pass and the optimizer's step, so that nothing moves"
    elif without == 1:
        says = "weights got gradients, but the optimizer never made a step"
    elif no_backward:
        says = "no gradient ever arrived although the loss is connected to the weights; the backward pass is missing"
    elif inside and signals.number("unmoved_share") > 0.01 and max(signals.facts.get("learning_rates") or [0.0]) > 0:
        says = f"{len(inside)} weights that the optimizer holds got gradients and never moved ({inside[0]} first)"
    else:
        return
    yield Finding(
        "optimizer-step-ineffective",
        "problem",
        says,
        max(cleared, without) if cleared == cleared else 1.0,
        MOST,
        layer=inside[0] if inside else "",
        remedies=(Remedy("order of the step", says="call zero_grad, forward, backward and step in this order"),),
        explains=(*EVERYTHING_AFTER, "detached-graph"),
        certainty=0.96,
    )


@rule(
    "detached-graph",
    order=4,
    reads="`without_gradient`, `never_reached`, `loss_has_graph`",
    limits="a weight that changes the loss and gets no gradient",
    source="by definition",
    remedy="take out detach(), .data, .item(), NumPy and no_grad between the weights and the loss",
)
def cut(signals: Signals) -> Iterator[Finding]:
    facts = signals.facts
    never = set(facts.get("never_reached", ()))
    names = sorted(set(facts.get("without_gradient", ())) & (never or set(facts.get("without_gradient", ()))))
    if "any_gradient" in facts and not never:
        names = []
    reached_in_check = [name for name in facts.get("start_gradients", {}) if name in never]
    rewrapped = facts.get("loss_has_graph") == 0 and facts.get("any_gradient") == 0
    if rewrapped and reached_in_check:
        names = reached_in_check
    if names:
        what = f"{names[0]} and {len(names) - 1} more change" if len(names) > 1 else f"{names[0]} changes"
        yield Finding(
            "detached-graph",
            "problem",
            f"{what} the loss and no gradient arrives there; the graph is cut between the weights and the loss",
            float(len(names)),
            0.0,
            layer=names[0],
            remedies=(Remedy("keep the graph", says="take out detach(), .data, .item() or no_grad on the way to the loss"),),
            explains=(*EVERYTHING_AFTER, "optimizer-step-ineffective"),
            certainty=0.96,
        )


@rule(
    "parameters-not-in-optimizer",
    order=5,
    reads="`outside_optimizer`, `unmoved`, `unmoved_random`, re-run `thawed`",
    limits="weights with gradients that no group holds and that never move; a problem where they look freshly drawn or the run is bad",
    source="by definition; Marchenko & Pastur (1967) for what freshly drawn looks like",
    remedy="create the optimizer from model.parameters(), after the model has all its parts",
)
def unknown_to_optimizer(signals: Signals) -> Iterator[Finding]:
    facts = signals.facts
    outside = facts.get("outside_optimizer", [])
    names = [name for name in outside if name in facts["unmoved"]] if "unmoved" in facts else outside
    if not names:
        return
    fresh = [name for name in facts.get("unmoved_random", []) if name in names]
    serious = bool(fresh) or looks_wrong(signals) or repair(signals, "thawed") > 0 or "unmoved" not in facts
    yield Finding(
        "parameters-not-in-optimizer",
        "problem" if serious else "note",
        f"{len(names)} weights that should learn are in no group of the optimizer and stay as they are ({names[0]} first)",
        float(len(names)),
        0.0,
        layer=names[0],
        remedies=(reruns(signals, "thawed", Remedy("optimizer", says="create the optimizer from all of model.parameters()")),),
        explains=(*EVERYTHING_AFTER, "frozen-layer"),
        certainty=0.95,
    )


@rule(
    "frozen-layer",
    order=6,
    reads="`frozen`, `frozen_random`, `score`, re-run `thawed`",
    limits="frozen weights that look freshly drawn, in a run below what is reachable",
    source="Marchenko & Pastur (1967) for what freshly drawn looks like",
    remedy="set requires_grad to True",
)
def frozen(signals: Signals) -> Iterator[Finding]:
    names, fresh = signals.facts.get("frozen", []), signals.facts.get("frozen_random", [])
    if not names:
        return
    proof = repair(signals, "thawed")
    serious = bool(fresh) and (looks_wrong(signals) or proof > 0)
    yield Finding(
        "frozen-layer",
        "problem" if serious else "note",
        f"{len(names)} weights have requires_grad off ({names[0]} first)" + (" and look freshly drawn" if fresh else ""),
        float(len(names)),
        0.0,
        layer=(fresh or names)[0],
        remedies=(
            reruns(signals, "thawed", Remedy("requires_grad", to=True, says=f"set requires_grad of {names[0]} to True")),
        ),
        explains=EVERYTHING_AFTER,
        certainty=0.8 + 0.1 * proof,
    )


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
    limits=f"more than {MODE_SHARE:.0%} of the validation batches in training mode, or a dropout that evaluation mode does not stop",
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
    limits=f"shapes differ and a row's gradient changes by {PAIRING:.0%} with other rows' targets",
    source="by definition; NumPy's broadcasting rules",
    remedy="give outputs and targets one shape",
)
def broadcasting(signals: Signals) -> Iterator[Finding]:
    shapes = signals.facts.get("output_shape"), signals.facts.get("target_shape")
    mixed = signals.number("loss_pairs_rows")
    if None in shapes or mixed <= PAIRING or mixed != mixed or list(shapes[0]) == list(shapes[1]):
        return
    if signals.facts.get("task") == "multiclass" and signals.number("outputs") > 1 and len(shapes[1]) == 1:
        return  # the usual (N, K) against (N,)
    if signals.number("outputs") != signals.number("target_numbers"):
        return
    yield Finding(
        "broadcasting-loss",
        "problem",
        f"outputs {tuple(shapes[0])} against targets {tuple(shapes[1])}: the loss compares every row with every other",
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
                f"a row's output changes by {moved:.0%} of the outputs' spread when only the other rows of the batch are changed",
                moved,
                DEPENDENCE,
                remedies=(
                    Remedy("keep rows apart", says="use permute or transpose instead of view, and check every dim argument"),
                ),
                explains=(*EVERYTHING_AFTER, "overfitting"),
                certainty=0.965,
            )
            return
