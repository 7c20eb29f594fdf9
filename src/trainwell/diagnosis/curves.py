"""Loss curves read as a person reads them; numbers in, readings out.

Source: Godbole et al. (2023), "Deep learning tuning playbook", the section on examining training curves.
"""

import numpy as np

from trainwell.diagnosis.signals import Curves, finite

RISE = 0.15  # chosen: share by which the last validation losses lie above the best
FALLING = 0.05  # chosen: share of its height that a curve still loses in the last fifth
SPIKES = 0.3  # chosen: spread of an epoch's steps about the mean of their neighbours, as a share of the mean loss


def rise(validation: list[float]) -> float:
    """How far the end of the validation curve lies above its best, as a share of the best."""
    values = finite(validation)
    if len(values) < 4:
        return 0.0
    best, end = values.min(), np.median(values[-max(1, len(values) // 10) :])
    return float((end - best) / max(abs(best), 1e-12))


def best_at(validation: list[float]) -> float:
    """Share of the run after which the validation loss was best."""
    values = finite(validation)
    return float((values.argmin() + 1) / len(values)) if len(values) else 1.0


def still_falling(steps: list[float]) -> float:
    """Loss of the last fifth of the steps against the fifth before, as a share of the latter."""
    values = finite(steps)
    fifth = len(values) // 5
    if fifth < 4:
        return 0.0
    before, after = values[-2 * fifth : -fifth].mean(), values[-fifth:].mean()
    return float((before - after) / max(abs(before), 1e-12))


def swing(steps: list[float]) -> float:
    """Mean change of the loss from one window of steps to the next, up and down alike, as a share of the mean loss."""
    values = finite(steps)
    windows = np.array_split(values[len(values) // 3 :], 20) if len(values) >= 60 else []
    means = np.array([window.mean() for window in windows])
    return float(np.abs(np.diff(means)).mean() / max(abs(means.mean()), 1e-12)) if len(means) else 0.0


def worse_than_best(steps: list[float]) -> float:
    """Loss of the last tenth of the steps over the best tenth."""
    values = finite(steps)
    if len(values) < 40:
        return 1.0
    windows = [window.mean() for window in np.array_split(values, 10)]
    return float(windows[-1] / max(min(windows), 1e-12)) if min(windows) > 0 else 1.0


def periodic(validation: list[float]) -> float:
    """Largest autocorrelation of the changes of a curve at a lag of 2 or more; near 1 is periodic."""
    values = finite(validation)
    if len(values) < 12:
        return 0.0
    change = np.diff(values) - np.diff(values).mean()
    power = float((change**2).sum())
    lags = range(2, len(change) // 2)
    return max(float((change[lag:] * change[:-lag]).sum()) / power for lag in lags) if power > 0 else 0.0


def read(curves: Curves) -> list[str]:
    """Sentences about the curves, the most telling first; empty where nothing stands out."""
    said = []
    if curves.train and not np.isfinite(curves.train).all():
        said.append("the training loss became infinite or not a number")
    if rise(curves.validation) > RISE:
        said.append(
            f"the validation loss rose {rise(curves.validation):.0%} above its best, which came after "
            f"{best_at(curves.validation):.0%} of the run"
        )
    if worse_than_best(curves.steps) > 1.5:
        said.append("the training loss ended above its best: an unstable run, or a change in the data")
    if still_falling(curves.steps) > FALLING:
        said.append(f"the training loss still fell by {still_falling(curves.steps):.0%} over the last fifth of the run")
    if swing(curves.steps) > SPIKES:
        said.append(f"the training loss swings by {swing(curves.steps):.0%} from one stretch to the next")
    if periodic(curves.validation) > 0.5:
        said.append("the validation loss goes up and down in a rhythm: look for an order in the data")
    return said
