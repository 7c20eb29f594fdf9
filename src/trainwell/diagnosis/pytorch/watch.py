"""`watch`: beside a user's own loop, one line a step."""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from trainwell.diagnosis import report as reports
from trainwell.diagnosis.diagnose import diagnose
from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.pytorch import measure
from trainwell.diagnosis.pytorch.copies import copied, loss_copied, mapped, rows_of, state_kept, tensors
from trainwell.diagnosis.pytorch.guard import named
from trainwell.diagnosis.pytorch.recorder import Recorder, Store
from trainwell.diagnosis.signals import Signals
from trainwell.errors import InputError

EVERY = 64  # chosen: at one observed step in so many, observing costs about a hundredth of training
TASKS = ("binary", "multiclass", "regression")
NO_TENSORS = "the inputs hold no tensors, whose first axis would be the rows"
ENOUGH = 16  # chosen: rows from which on a batch shows what must be seen


def checked(model: Any, optimizer: Any, loss_fn: Any, task: Any) -> None:
    """One sentence for each thing that cannot be worked with."""
    if not isinstance(model, nn.Module):
        raise InputError(f"The model is a {type(model).__name__}; it must be a torch.nn.Module.")
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise InputError(f"The optimizer is a {type(optimizer).__name__}; it must be a torch.optim.Optimizer.")
    if loss_fn is not None and not callable(loss_fn):
        raise InputError(f"loss_fn is a {type(loss_fn).__name__}; it must be callable as loss_fn(outputs, targets).")
    if task is not None and task not in TASKS:
        raise InputError(f"task is {task!r}; it must be one of {', '.join(TASKS)}, or left out.")


def check_rows(name: str, x: Any, y: Any) -> None:
    if tensors(x) and tensors(y) and rows_of(x) != rows_of(y):
        raise InputError(f"{name} was given {rows_of(x)} rows of inputs and {rows_of(y)} of targets; they must be as many.")


def check_loss(name: str, loss: Any) -> None:
    if loss.numel() != 1 if isinstance(loss, Tensor) else not isinstance(loss, Real):
        shape = list(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise InputError(f"The loss given to {name} is {shape}; it must be one number.")


class Watch:
    """Watches one training run, as a context manager around its loop; `findings` and `report()` say what was found.

    Parameters
    ----------
    model : the torch.nn.Module that is trained, with parameters.
    optimizer : the torch.optim.Optimizer that trains it.
    loss_fn : ``loss_fn(outputs, targets)`` gives one number; without it what needs the loss of other rows is not looked at.
    task : ``"binary"``, ``"multiclass"`` or ``"regression"``; told from the targets when left out.
    every : of how many steps one is observed closely, 1 or more; by default 64, which costs about a hundredth of training.
    prove : whether a cause is proven by short re-runs with its remedy where the run stays below what simple models reach. They
        end when they have taken as long as the training, or five minutes.

    Raises
    ------
    InputError : something given is not of these kinds; the watch is entered twice, or a method is called outside the block.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any = None,
        *,
        loss_fn: Callable[..., Any] | None = None,
        task: str | None = None,
        every: int = EVERY,
        prove: bool = True,
    ) -> None:
        checked(model, optimizer, loss_fn, task)
        if optimizer is None:
            raise InputError("watch was given no optimizer; it must be called as watch(model, optimizer, loss_fn=...).")
        if every < 1:
            raise InputError(f"every is {every}; it must be 1 or more.")
        self.model, self.optimizer, self.loss_fn, self.task = model, optimizer, loss_fn, task
        self.prove = prove
        self.signals = Signals(not_run={"everything": "step was never called"})
        self.recorder = Recorder(model, optimizer, every, self.signals.not_run)
        if not self.recorder.parameters:
            raise InputError(f"The model, a {type(model).__name__}, has no parameters; watch needs one that has some to train.")
        self.train_rows, self.validation_rows = Store(), Store()
        self.start: tuple[nn.Module, Any] | None = None
        self.start_loss = loss_fn
        self.epoch = 0
        self.seconds = self._entered = 0.0
        self.modes = {"train": [0, 0], "validation": [0, 0]}
        self._inside = self._finished = self._checked = False
        self._validation_batches = 0
        self._validated: int | None = None  # the first epoch with validation
        self._validation_losses: list[Tensor] = []
        self._changed = [0, 0]
        self._reordered = False
        self._last: tuple[Any, Any] | None = None
        self._found: list[Finding] | None = None

    def __enter__(self) -> "Watch":
        if self._inside or self.recorder.steps:
            raise InputError("watch was entered a second time; each training run needs a watch of its own.")
        try:
            memory: dict[int, Any] = {}
            self.start = copied(self.model, self.optimizer, memory)
            self.start_loss = loss_copied(self.loss_fn, memory)
        except Exception as problem:  # whatever a user's module does when it is copied
            self.signals.not_run["everything that needs a copy of the model"] = f"the model cannot be copied ({problem})"
        self._inside, self._entered = True, time.monotonic()
        with named(self.signals.not_run, "the record of the steps"):
            self.recorder.start()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        self._inside, self.seconds = False, time.monotonic() - self._entered
        self.recorder.stop()
        if kind is None:
            self._finish()
        elif self.recorder.steps:  # the loop's own record must do: nobody waits for re-runs then
            says = f"the loop ended with {kind.__name__}"
            self.signals.not_run["the rows, the trained network and the re-runs"], self._found = says, None

    def _must_be_inside(self, name: str) -> None:
        if not self._inside:
            raise InputError(
                f"{name} was called outside the with block; it must be called between entering watch and leaving it."
            )

    def step(self, x: Any, y: Any, outputs: Any, loss: Any) -> None:
        """After each update: the batch ``x``, ``y`` (tensors, or tuples or dictionaries of tensors, first axis the rows), the
        ``outputs`` for it, and its ``loss``, one number; `InputError` for rows that are not as many, or a loss that is none."""
        recorder = self.recorder
        if recorder.observing or not self._inside:
            self._must_be_inside("step")
            check_rows("step", x, y)
        check_loss("step", loss)
        self._found = None
        self.modes["train"][self.model.training] += 1
        if recorder.steps == 0:
            self.signals.not_run.pop("everything", None)
            self.signals.facts["loss_has_graph"] = float(isinstance(loss, Tensor) and loss.grad_fn is not None)
            self.signals.facts["batch_size"] = rows_of(x) or rows_of(y)
        if self.epoch == 0 and not self.train_rows.full:
            with named(self.signals.not_run, "the checks of the first batch"):
                self.train_rows.add(x, y)
                self._preflight(outputs)
        with named(self.signals.not_run, "the record of the steps"):
            recorder.step(self._read(y, outputs, loss))

    def _preflight(self, outputs: Any = None, enough: int = ENOUGH) -> None:
        """On the first batch; of tiny batches, on the first that are a few rows together."""
        if self._checked or not self.train_rows.batches:
            return
        if not self.train_rows.rows:
            self.signals.not_run["the checks of the first batch"] = NO_TENSORS
        elif self.train_rows.rows >= enough:
            self._checked = True
            with self._apart():
                measure.first_rows(self, *self.train_rows.together(), outputs)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """What is done inside is not part of the run: it is not recorded, and leaves the user's model and loss as they are."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.recorder.quiet = True
        try:
            with state_kept(self.model, self.loss_fn, parameters=[*self.recorder.parameters, *parameters]):
                yield
        finally:
            self.recorder.quiet = False

    def _read(self, y: Any, outputs: Any, loss: Any) -> Any:
        """The loss as a number; on a device as it is, as reading would wait for it. At the first that is not finite, why."""
        if isinstance(loss, Tensor):
            if loss.device.type != "cpu":
                return loss.detach()
            loss = loss.item()
        if not math.isfinite(loss) and "loss_non_finite_step" not in self.signals.facts:
            self.signals.facts["loss_non_finite_step"] = self.recorder.steps
            with self._apart():
                measure.breakdown(self, y, outputs, self._last)
        self._last = (y, outputs.detach()) if isinstance(outputs, Tensor) else None
        return loss

    def validation_step(self, x: Any, y: Any, outputs: Any, loss: Any) -> None:
        """After each validation batch, given as to `step`."""
        self._must_be_inside("validation_step")
        check_rows("validation_step", x, y)
        check_loss("validation_step", loss)
        self._found = None
        self.modes["validation"][self.model.training] += 1
        at, self._validation_batches = self._validation_batches, self._validation_batches + 1
        with named(self.signals.not_run, "the checks of the validation batches"):
            self._validated = self.epoch if self._validated is None else self._validated
            if self.epoch == self._validated:
                self.validation_rows.add(x, y)
            elif at < len(self.validation_rows.batches):
                self._compare(x, y, *self.validation_rows.batches[at])
        rows = float(rows_of(x) or rows_of(y) or 1)
        self._validation_losses += [torch.as_tensor(loss).detach().float().reshape(()) * rows, torch.tensor(rows)]

    def _compare(self, x: Any, y: Any, x_before: Any, y_before: Any) -> None:
        """The same targets in the same order, all through, and other inputs: the inputs are changed at random."""
        now, before = tensors((x, y)), tensors((x_before, y_before))
        same_shape = [t.shape for t in now] == [t.shape for t in before]
        if not same_shape or not tensors(y) or not torch.equal(tensors(y)[0], tensors(y_before)[0]):
            self._reordered = True
            return
        given = next((tensor for tensor in tensors(x) if tensor.ndim), None)
        if given is None:
            self.signals.not_run["random changes of validation data"] = NO_TENSORS
            return
        earlier = next(tensor for tensor in tensors(x_before) if tensor.ndim)
        different = ((given != earlier) & (given == given)).reshape(len(given), -1)
        self._changed[0] += int(different.any(1).sum())
        self._changed[1] += len(given)

    def end_epoch(self) -> None:
        """After each pass over the training rows, and its validation."""
        self._must_be_inside("end_epoch")
        self._found = None
        with named(self.signals.not_run, "the checks of the first batch"):
            self._preflight(enough=1)
        with named(self.signals.not_run, "the curves"):
            self._add_to_curves()
        self._validation_losses, self._validation_batches = [], 0
        self.epoch += 1

    def _add_to_curves(self) -> None:
        curves = self.signals.curves
        losses = self.recorder.read_losses()
        curves.steps = self.recorder.step_losses
        if losses:
            curves.train.append(sum(losses) / len(losses))
        if self._validation_losses:
            values = torch.stack([value.cpu() for value in self._validation_losses]).tolist()
            curves.validation.append(sum(values[::2]) / max(sum(values[1::2]), 1.0))

    def _finish(self) -> None:
        """The checks that need the whole run, once."""
        if self._finished or not self.recorder.steps:
            return
        self._finished = True
        if not self.validation_rows.batches:
            self.signals.not_run["the score and whatever compares training with validation"] = (
                "validation_step was never called"
            )
        if not self.epoch:
            self.signals.not_run["the curves by epoch"] = "end_epoch was never called"
        with named(self.signals.not_run, "the checks of the first batch"):
            self._preflight(enough=1)
        with warnings.catch_warnings(), named(self.signals.not_run, "the checks after training"):
            warnings.simplefilter("ignore")
            if self.recorder.loss_parts:
                self.recorder.read_losses()
            with self._apart():
                measure.whole_run(self)
        self._found = None

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, the most likely root cause first."""
        if self._found is None:
            with named(self.signals.not_run, "what the record of the steps shows"):
                measure.so_far(self)
            self._found = diagnose(self.signals)
        return self._found

    def report(self) -> str:
        """The findings for a person, with their remedies and the checks that were not run."""
        return reports.text(self.findings, self.signals)

    def html(self, path: Any) -> None:
        """The same as one page in a file."""
        reports.write_page(path, self.findings, self.signals)


def held_rows(store: Store) -> tuple[Any, Any] | None:
    return mapped(lambda t: t.detach(), store.joined()) if store.batches else None
