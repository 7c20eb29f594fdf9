"""Diagnosis as a Lightning callback; Lightning is imported when the callback is made, and is no dependency.

>>> from trainwell.lightning import diagnosis_callback  # doctest: +SKIP
>>> doctor = diagnosis_callback(loss_fn=loss_fn)  # doctest: +SKIP
>>> Trainer(callbacks=[doctor]).fit(module, train_batches, validation_batches)  # doctest: +SKIP
>>> print(doctor.report())  # doctest: +SKIP
"""

from collections.abc import Callable
from typing import Any

from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.pytorch.watch import EVERY, Watch
from trainwell.errors import InputError


def _callback_class() -> type:
    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return __import__(name, fromlist=["Callback"]).Callback
        except ImportError:
            continue
    raise InputError("Lightning is not installed; `pip install lightning` brings it.")


def diagnosis_callback(
    *, loss_fn: Callable[..., Any] | None = None, task: str | None = None, every: int = EVERY, prove: bool = True
) -> Any:
    """A callback that watches a module whose batches are pairs of inputs and targets.

    The module's steps must give the loss, or a dictionary with `loss` and, so that a breakdown can be traced, `outputs`. Only
    modules with one optimizer are watched.
    """

    class Doctor(_callback_class()):  # type: ignore[misc]
        watch: Watch | None = None

        def on_train_start(self, trainer: Any, module: Any) -> None:
            if len(trainer.optimizers) != 1:
                raise InputError(
                    f"The module has {len(trainer.optimizers)} optimizers; the diagnosis callback watches exactly one."
                )
            self.watch = Watch(module, trainer.optimizers[0], loss_fn=loss_fn, task=task, every=every, prove=prove).__enter__()

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            if self.watch is not None:
                x, y = batch
                loss = outputs["loss"] if isinstance(outputs, dict) else outputs
                self.watch.step(x, y, outputs.get("outputs") if isinstance(outputs, dict) else None, loss)

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            if self.watch is not None:
                self.watch.end_epoch()

        def on_validation_batch_end(
            self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
        ) -> None:
            if self.watch is not None and not trainer.sanity_checking and outputs is not None:
                x, y = batch
                loss = outputs["loss"] if isinstance(outputs, dict) else outputs
                self.watch.validation_step(x, y, outputs.get("outputs") if isinstance(outputs, dict) else None, loss)

        def on_train_end(self, trainer: Any, module: Any) -> None:
            if self.watch is not None:
                self.watch.__exit__(None, None, None)

        @property
        def findings(self) -> list[Finding]:
            return self.watch.findings if self.watch is not None else []

        def report(self) -> str:
            return self.watch.report() if self.watch is not None else "Nothing was watched."

    return Doctor()
