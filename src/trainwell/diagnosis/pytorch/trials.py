"""Re-runs after training, one cause at a time, until one is shown, nothing is left to ask or their time is over."""

import time
from inspect import Parameter, signature
from typing import Any

from trainwell.diagnosis import suspicion
from trainwell.diagnosis.diagnose import diagnose
from trainwell.diagnosis.pytorch.changes import CHANGES
from trainwell.diagnosis.pytorch.guard import named
from trainwell.diagnosis.pytorch.replay import Material, OutOfTimeError, tried

SURE = 0.93  # chosen: the certainty from which on no other cause is asked for
LEAST_SECONDS = 300.0  # chosen: re-runs may take as long as the training, and five minutes where that was shorter


def run(watch: Any, x: Any, y: Any, validation: Any) -> None:
    """Re-runs in the order that the suspicion asks for, until one cause is shown or nothing is left to ask."""
    signals = watch.signals
    model, optimizer = watch.start
    material = Material(
        model=model,
        optimizer=optimizer,
        loss_fn=watch.start_loss,
        task=signals.facts.get("task"),
        weighted=signals.number("loss_by_class", 1.0) > 2,
        train=watch.train_rows.batches,
        rows=(x, y),
        validation=validation,
        rates=watch.recorder.rates,
        steps=watch.recorder.steps,
        until=time.monotonic() + max(watch.seconds, LEAST_SECONDS),
    )
    if _needs_closure(optimizer):
        says = f"the step of {type(optimizer).__name__} needs a closure, which a re-run does not have"
        signals.not_run["the re-runs"] = says
        return
    found = [finding for finding in diagnose(signals) if finding.severity == "problem" and finding.certainty >= SURE]
    sure = tuple(remedy.trial for remedy in found[0].remedies if remedy.trial) if found else None
    while (name := suspicion.next_trial(signals, sure)) is not None:
        trial = None
        with named(signals.not_run, f"re-run: {name}"):  # a re-run may break in as many ways as a run
            try:
                trial = tried(material, CHANGES[name])
            except OutOfTimeError:
                _left_out(signals, max(watch.seconds, LEAST_SECONDS), sure)
                return
        if trial is None:
            signals.not_run.setdefault(f"re-run: {name}", "it does not apply")
        else:
            signals.trials[name] = trial


def _left_out(signals: Any, seconds: float, sure: tuple[str, ...] | None) -> None:
    """Says which re-runs there was no time for."""
    while (name := suspicion.next_trial(signals, sure)) is not None:
        signals.not_run[f"re-run: {name}"] = f"the time for re-runs, {seconds:.0f} s, was over"


def _needs_closure(optimizer: Any) -> bool:
    """As LBFGS does: its step asks for the loss again and again."""
    closure = signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is Parameter.empty
