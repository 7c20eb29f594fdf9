"""Rules over the way of the gradient: kept, lost, cut, or to weights that nobody moves."""

from collections.abc import Iterator

from trainwell.diagnosis.families import EVERYTHING_AFTER
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import looks_wrong

ALL = 0.9  # chosen: a share of the weights that stands for all of them
MOST = 0.5  # chosen: more than half of what was observed


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
    elif (
        inside
        and (looks_wrong(signals) or signals.number("unmoved_share") > ALL)
        and max(signals.facts.get("learning_rates") or [0.0]) > 0
    ):
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
    limits="weights with gradients that no group holds and that never move; a problem where they look "
    "freshly drawn or the run is bad",
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
    worse = not signals.number("score") >= signals.number("simple_score")  # also where there is no score
    serious = (bool(fresh) and worse) or looks_wrong(signals) or repair(signals, "thawed") > 0 or "unmoved" not in facts
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
    limits="frozen weights that look freshly drawn, in a run below what is reachable or that is mended by setting them free",
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
