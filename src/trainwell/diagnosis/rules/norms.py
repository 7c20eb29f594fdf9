"""Rules over batch norm, and what dropout does to it."""

import math
from collections.abc import Iterator

from trainwell.diagnosis.families import DOWNSTREAM
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import looks_wrong

NORM_ROWS = 8  # Wu & He (2018): batch norm's error rises rapidly below batches of 8 to 16
SHIFT = 1.2  # chosen; Li et al. (2019) measure shifts of this size where accuracy breaks down
RESTATED = 0.2  # chosen: share of the validation loss that new statistics take away


@rule(
    "dropout-before-batchnorm",
    order=23,
    reads="`dropout_norm_shift`, `eval_mode_loss`, `train_mode_loss`, `restated_validation_loss`, `final_validation_loss`",
    limits=f"a variance shift beyond {SHIFT:g}, and {RESTATED:.0%} more loss in evaluation than in training "
    f"mode, or {RESTATED:.0%} less of the "
    "validation loss with statistics taken without dropout",
    source="Li et al. (2019), understanding the disharmony between dropout and batch normalization by variance shift",
    remedy="dropout after the last batch norm",
)
def shifted_variance(signals: Signals) -> Iterator[Finding]:
    shift, mended = signals.number("dropout_norm_shift"), _mended(signals)
    worse = signals.number("eval_mode_loss", 0.0) / max(signals.number("train_mode_loss", 1.0), 1e-12) - 1
    if shift == shift and max(shift, 1 / max(shift, 1e-9)) > SHIFT:
        yield Finding(
            "dropout-before-batchnorm",
            "problem" if mended > RESTATED or worse > RESTATED else "note",
            f"dropout before batch norm makes the variance it records {shift:.2f} times that of evaluation; "
            "the same training rows "
            f"have a loss {worse:+.0%} higher in evaluation mode than in training mode",
            shift,
            SHIFT,
            remedies=(Remedy("order of layers", says="move dropout behind the last batch norm"),),
            explains=("dropout-too-high", "batchnorm-stats-stale", "overfitting", *DOWNSTREAM),
            certainty=0.93,
        )


def _mended(signals: Signals) -> float:
    """Share of the validation loss that statistics taken again take away."""
    before, after = signals.number("final_validation_loss"), signals.number("restated_validation_loss")
    if math.isnan(after) or before <= 0:
        return 0.0
    return (before - after) / before if math.isfinite(before) else float(math.isfinite(after))


@rule(
    "batchnorm-stats-stale",
    order=24,
    reads="`restated_validation_loss`, `final_validation_loss`, `norm_rows`",
    limits=f"statistics taken again on training rows lower the validation loss by {RESTATED:.0%}",
    source="Ioffe & Szegedy (2015), algorithm 2; Wu & Johnson (2021), rethinking batch in batch norm",
    remedy="raise batch norm's momentum, run it in training mode, or take its statistics again",
)
def stale(signals: Signals) -> Iterator[Finding]:
    mended = _mended(signals)
    if mended > RESTATED and not signals.number("norm_rows") < NORM_ROWS and signals.number("final_validation_loss") > 0.05:
        much = mended > 2 * RESTATED or looks_wrong(signals)
        yield Finding(
            "batchnorm-stats-stale",
            "problem" if much else "note",
            f"statistics of batch norm taken again on training rows lower the validation loss by {mended:.0%}",
            mended,
            RESTATED,
            remedies=(
                Remedy(
                    "batch norm momentum",
                    to=0.1,
                    says="give batch norm a momentum near 0.1 and training mode, or take its statistics again",
                ),
            ),
            explains=("overfitting", "data-not-scaled", *DOWNSTREAM),  # which the statistics would have to follow
            certainty=0.92 if mended > 2 * RESTATED else 0.89,
        )


@rule(
    "batchnorm-tiny-batch",
    order=25,
    reads="`norm_rows`, re-run `full_batches`",
    limits=f"means over fewer than {NORM_ROWS} numbers; a warning where the score does not show it",
    source="Wu & He (2018), group normalization, figure 1",
    remedy="larger batches, or group or layer norm",
)
def tiny(signals: Signals) -> Iterator[Finding]:
    rows = signals.number("norm_rows")
    if rows < NORM_ROWS:
        bad = repair(signals, "full_batches") > 0 or looks_wrong(signals)
        yield Finding(
            "batchnorm-tiny-batch",
            "problem" if bad else "warning",
            f"batch norm takes its mean over {rows:.0f} numbers; what tells one row from another is normalized away",
            rows,
            float(NORM_ROWS),
            remedies=(
                reruns(signals, "full_batches", Remedy("batch_size", to=64, says="use batches of 32 or more, or group norm")),
            ),
            explains=("batchnorm-stats-stale", "dropout-before-batchnorm", *DOWNSTREAM),
            certainty=0.91,
        )
