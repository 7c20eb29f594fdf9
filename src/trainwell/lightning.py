"""Diagnosis as a Lightning callback; Lightning is imported when the callback is made, and is no dependency.

>>> from trainwell.lightning import diagnosis_callback  # doctest: +SKIP
>>> doctor = diagnosis_callback(loss_fn=loss_fn)  # doctest: +SKIP
>>> Trainer(callbacks=[doctor]).fit(module, train_batches, validation_batches)  # doctest: +SKIP
>>> print(doctor.report())  # doctest: +SKIP
"""

from collections.abc import Callable
from typing import Any

from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.pytorch.copies import called
from trainwell.diagnosis.pytorch.watch import EVERY, Watch
from trainwell.errors import InputError


def _callback_class() -> type:
    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return __import__(name, fromlist=["Callback"]).Callback
        except ImportError:
            continue
    raise InputError("Lightning is not installed; `pip install lightning` brings it.")


def _pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        what = f"{len(batch)} parts" if isinstance(batch, list | tuple) else f"a {type(batch).__name__}"
        raise InputError(f"A batch of the module is {what}; the diagnosis callback reads pairs of inputs and targets.")
    return batch[0], batch[1]


def _given(result: Any) -> tuple[Any, Any]:
    """(outputs, loss) of what a step of the module gave; None for each that it did not give."""
    if isinstance(result, dict):
        return result.get("outputs"), result.get("loss")
    return None, (result if getattr(result, "ndim", 0) == 0 else None)  # a validation step may give anything


def diagnosis_callback(
    *, loss_fn: Callable[..., Any] | None = None, task: str | None = None, every: int = EVERY, prove: bool = True
) -> Any:
    """A callback that watches a module whose batches are pairs of inputs and targets.

    Parameters
    ----------
    loss_fn, task, every, prove : as of `trainwell.torch.watch`; the module must be callable as ``module(inputs)``, and
        ``loss_fn`` as ``loss_fn(module(inputs), targets)``.

    The module's steps give the loss, or a dictionary with `loss` and, so that a breakdown can be traced, `outputs`. A
    validation step that gives no loss is made up for by one more pass forward, with ``loss_fn``; without that its rows are not
    looked at.

    Raises
    ------
    InputError
        Lightning is not installed; the module has more or fewer than one optimizer; a batch is not a pair.
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
            made, loss = _given(outputs)
            if self.watch is not None and loss is not None:
                self.watch.step(*_pair(batch), made, loss)
                self.watch.signals.facts.pop("loss_has_graph", None)  # the trainer hands on a loss that is cut from its graph

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            if self.watch is not None:
                self.watch.end_epoch()

        def on_validation_batch_end(
            self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
        ) -> None:
            if self.watch is None or trainer.sanity_checking or dataloader_idx:
                return
            made, loss = _given(outputs)
            x, y = _pair(batch)
            if loss is None and loss_fn is not None:
                made = called(module, x)
                loss = loss_fn(made, y)
            if loss is not None:
                self.watch.validation_step(x, y, made, loss)

        def on_train_end(self, trainer: Any, module: Any) -> None:
            if self.watch is not None:
                self.watch.__exit__(None, None, None)

        def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
            if self.watch is not None:
                self.watch.__exit__(type(exception), exception, None)

        @property
        def findings(self) -> list[Finding]:
            return self.watch.findings if self.watch is not None else []

        def report(self) -> str:
            return self.watch.report() if self.watch is not None else "Nothing was watched."

    return Doctor()
