"""Rules over the number of updates and what each is made of."""

import math
from collections.abc import Iterator

from trainwell.diagnosis import curves
from trainwell.diagnosis.families import AFTER_RATE
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import proven
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import looks_wrong

CLIPPED = 0.1  # chosen: a tenth of the gradient left; the tuning playbook cuts in when half of the gradients are clipped at all
FEW_UPDATES = 500  # chosen
MANY_ROWS = 128.0  # chosen


@rule(
    "batch-size-too-large",
    order=44,
    reads="`batch_size`, `steps`, re-run `full_batches`",
    limits=f"fewer than {FEW_UPDATES} updates with batches above {MANY_ROWS:.0f} rows, and batches of 64 mend the score",
    source="Shallue et al. (2019), measuring the effects of data parallelism; Masters & Luschi (2018)",
    remedy="batches of 32 to 256 rows",
)
def large_batches(signals: Signals) -> Iterator[Finding]:
    rows, steps = signals.number("batch_size"), signals.number("steps")
    if rows > MANY_ROWS and steps < FEW_UPDATES:
        yield from proven(
            signals,
            "batch-size-too-large",
            "full_batches",
            f"batches of {rows:.0f} rows leave only {steps:.0f} updates",
            rows,
            MANY_ROWS,
            Remedy("batch_size", to=64),
            ("too-few-epochs", "lr-too-low", "underfitting-capacity", "plateau-or-saddle"),
            0.17,
        )


@rule(
    "batch-size-too-small",
    order=45,
    reads="`batch_size`, re-run `full_batches`",
    limits="batches of 8 rows or fewer, and batches of 64 mend the score",
    source="Smith et al. (2018), don't decay the learning rate, increase the batch size",
    remedy="batches of 32 to 256 rows, or a lower rate",
)
def small_batches(signals: Signals) -> Iterator[Finding]:
    rows = signals.number("batch_size")
    if rows <= 8:
        yield from proven(
            signals,
            "batch-size-too-small",
            "full_batches",
            f"gradients of {rows:.0f} rows are mostly noise",
            rows,
            8.0,
            Remedy("batch_size", to=64),
            ("lr-too-high", "underfitting-capacity", "plateau-or-saddle"),
            0.1,
        )


@rule(
    "too-few-epochs",
    order=47,
    reads="`curves.steps`, re-run `longer`",
    limits="eight times the updates, at least 1500 and at most 3000, mend the score",
    source='Godbole et al. (2023), "Deep learning tuning playbook": best checkpoint in the last steps',
    remedy="more epochs",
)
def short(signals: Signals) -> Iterator[Finding]:
    epochs = signals.number("epochs")
    falling = curves.still_falling(signals.curves.steps)
    yield from proven(
        signals,
        "too-few-epochs",
        "longer",
        f"{epochs:.0f} epochs are too few, the loss still fell by {falling:.0%} at the end",
        epochs,
        None,
        Remedy("epochs", times=8.0),
        ("underfitting-capacity",),
        0.02,
    )


@rule(
    "gradient-clip-too-tight",
    order=26,
    reads="`kept_gradient`, `score`, re-run `control`",
    limits=f"less than {CLIPPED:.0%} of the gradient reaches the optimizer, in a run below what is reachable; less than "
    f"{CLIPPED**2:.0%}, a warning, where the score does not show it",
    source='Godbole et al. (2023), "Deep learning tuning playbook": clip at the 90th percentile of the gradient norm',
    remedy="clip at the 90th percentile of the gradients' norms",
)
def tight(signals: Signals) -> Iterator[Finding]:
    kept = signals.number("kept_gradient")
    if 0 < kept < CLIPPED and not _is_power_of_two(kept):
        bad = looks_wrong(signals) or signals.score_of("control") - signals.number("score") > 0.1
        yield Finding(
            "gradient-clip-too-tight",
            "problem" if bad else "warning" if kept < CLIPPED**2 else "note",
            f"clipping leaves {kept:.1%} of the gradient in half of the updates",
            kept,
            CLIPPED,
            remedies=(
                Remedy("clip by norm", to="90th percentile", says="clip at the 90th percentile of the gradients' norms"),
            ),
            explains=("lr-too-low", *AFTER_RATE, "optimizer-wrong-for-problem", "vanishing-gradient"),
            certainty=0.92,
        )


def _is_power_of_two(value: float) -> bool:
    """The factor of a gradient scaler of mixed precision."""
    return abs(math.log2(value) - round(math.log2(value))) < 1e-4
