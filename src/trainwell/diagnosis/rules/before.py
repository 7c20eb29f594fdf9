"""Rules of the preflight: what one batch shows before training, without a cause of its own."""

from collections.abc import Iterator

from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals

HEART = 0.5  # chosen: share of the loss that 200 updates on 16 rows must take away
START = 3.0  # chosen: loss at the start over that of the best constant answer


@rule(
    "rows-not-learned-by-heart",
    order=80,
    reads="`heart_before`, `heart_after`",
    limits=f"200 updates on 16 rows leave more than {HEART:.0%} of their loss",
    source='Karpathy (2019), "A recipe for training neural networks": overfit one batch',
    remedy="simplify until a few rows can be learned by heart",
)
def not_by_heart(signals: Signals) -> Iterator[Finding]:
    before, after = signals.number("heart_before"), signals.number("heart_after")
    if before > 0 and after > HEART * before:
        yield Finding(
            "rows-not-learned-by-heart",
            "warning",
            f"200 updates on 16 rows alone took their loss only from {before:.3g} to {after:.3g}",
            after,
            HEART * before,
            remedies=(
                Remedy(
                    "network", says="look for what stands between these rows and their targets: loss, outputs, start, scale"
                ),
            ),
            certainty=0.3,
        )


@rule(
    "loss-at-start-too-high",
    order=81,
    reads="`loss_start`, `loss_constant`",
    limits=f"more than {START:g} times the loss of the best constant answer",
    source='Karpathy (2019), "A recipe for training neural networks": verify loss at start',
    remedy="start the last layer small, its bias at the mean or the prior",
)
def high_start(signals: Signals) -> Iterator[Finding]:
    start, constant = signals.number("loss_start"), signals.number("loss_constant")
    if constant > 0 and start > START * constant:
        yield Finding(
            "loss-at-start-too-high",
            "note",
            f"the first batch has a loss of {start:.3g}, and an answer that ignores the inputs {constant:.3g}",
            start,
            START * constant,
            remedies=(Remedy("output bias", says="start the last layer small, and its bias at the targets' mean or prior"),),
            certainty=0.25,
        )


@rule(
    "inputs-make-no-difference",
    order=82,
    reads="`zeroed_input_loss`, `given_loss`, `output_spread`",
    limits="the loss is the same to a millionth when all inputs are 0",
    source='Karpathy (2019), "A recipe for training neural networks": input-independent baseline',
    remedy="look at what happens to the inputs before and inside the network",
)
def no_inputs(signals: Signals) -> Iterator[Finding]:
    zeroed, given = signals.number("zeroed_input_loss"), signals.number("given_loss")
    if abs(zeroed - given) <= 1e-6 * abs(given):
        yield Finding(
            "inputs-make-no-difference",
            "warning",
            f"with all inputs at 0 the loss stays at {given:.3g}; the network does not see them",
            zeroed,
            given,
            remedies=(Remedy("inputs", says="look at what happens to the inputs before and inside the network"),),
            certainty=0.35,
        )
