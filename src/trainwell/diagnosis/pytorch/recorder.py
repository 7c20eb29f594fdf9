"""What is seen of the run itself, at little cost: losses and rates of every step, gradients and moves of some.

One step in `every` is observed: hooks on its gradients, and its weights before and after. Nothing is read back from a device
before the epoch ends.
"""

import sys
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainwell.diagnosis.pytorch.guard import named

FIRST = 4  # chosen: so many steps are observed at once, before the cadence begins
STORED_BYTES = 64 * 2**20  # chosen: memory for rows of training, and again for validation
STORED_ROWS = 12_000  # chosen


class Recorder:
    """Holds what one `watch` has seen so far."""

    def __init__(self, model: nn.Module, optimizer: Any, every: int, not_run: dict[str, str]) -> None:
        self.model, self.optimizer, self.every = model, optimizer, every
        self.not_run = not_run  # what fails inside the user's backward pass or step is named there
        known = [*model.named_parameters(), *unregistered(model)]
        self.names = [name for name, _ in known]
        self.parameters = [p for _, p in known]
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        self.held = [id(p) in held for p in self.parameters]
        self.optimizer_steps = self._steps_before = 0
        self._stepped_last = False
        self.observed: list[dict[str, Tensor]] = []
        self.observed_at: list[int] = []
        self.rates: list[float] = []
        self.loss_parts: list[Any] = []
        self.step_losses: list[float] = []
        self.steps = 0
        self.quiet = False  # while checks run, whose backward passes may reach the real weights
        self._armed: dict[str, Any] | None = None
        self._hooks: list[Any] = []
        self._always: list[Any] = []

    def start(self) -> None:
        self._always = [
            self.optimizer.register_step_pre_hook(self._before),
            self.optimizer.register_step_post_hook(self._after),
        ]
        self._arm()

    def stop(self) -> None:
        for hook in (*self._hooks, *self._always):
            hook.remove()
        self._hooks, self._always = [], []

    def _arm(self) -> None:
        """Hooks for the next step: what arrives at each weight, and what lay there before."""
        count, device = len(self.parameters), self.parameters[0].device if self.parameters else "cpu"
        armed: dict[str, Any] = {
            "fresh": [None] * count,
            "old": [None] * count,
            "arrived": [False] * count,
            "used": None,
            "scale": 1.0,
            "in_step": False,
            "inside": False,
            "passes": self.optimizer_steps,
            "earlier": self._stepped_last,
        }
        armed["before"] = [p.detach().clone() for p in self.parameters]
        armed["zero"] = torch.zeros((), device=device)

        def arrival(place: int, parameter: Tensor):
            def see(gradient: Tensor) -> None:
                if not self.quiet:
                    with named(self.not_run, "the gradients of observed updates"):
                        arrives(gradient)

            def arrives(gradient: Tensor) -> None:
                armed["arrived"][place] = True
                if armed["in_step"]:  # the backward pass runs in a closure inside the optimizer's step
                    armed["inside"] = True
                elif armed["used"] is not None:
                    return  # after the update: the gradient of another network's loss, say, which is cleared unused
                norm, left = gradient.detach().norm(), parameter.grad
                left = armed["zero"].to(norm) if left is None else left.detach().norm()
                fresh, old = armed["fresh"][place], armed["old"][place]
                # what was cleared in between counts neither as arrived nor as left over
                armed["fresh"][place] = norm if fresh is None else torch.where(left == 0, norm, fresh + norm)
                armed["old"][place] = left if old is None else torch.minimum(old, left)

            return see

        self._hooks = [p.register_hook(arrival(i, p)) for i, p in enumerate(self.parameters) if p.requires_grad]
        self._armed = armed

    def _before(self, *_: Any) -> None:
        if self._armed is not None:
            self._armed["in_step"] = True
            if self._armed["used"] is None:
                with named(self.not_run, "the gradients of observed updates"):
                    self._armed["used"], self._armed["scale"] = self._gradients(), loss_scale()

    def _gradients(self) -> list[Tensor | None]:
        return [None if p.grad is None else p.grad.detach().norm() for p in self.parameters]

    def _after(self, *_: Any) -> None:
        self.optimizer_steps += 1
        if self._armed is not None:
            if self._armed["inside"]:
                with named(self.not_run, "the gradients of observed updates"):
                    self._armed["used"] = self._gradients()
            self._armed["in_step"] = self._armed["inside"] = False

    def step(self, loss: Any) -> None:
        """One update is done."""
        self.steps += 1
        self.rates += highest_rate(self.optimizer)
        self.loss_parts.append(loss)
        if self._armed is not None:
            self._disarm()
        self._stepped_last, self._steps_before = self.optimizer_steps > self._steps_before, self.optimizer_steps
        if self.steps < FIRST or self.steps % self.every == 0:
            self._arm()

    @property
    def observing(self) -> bool:
        """Whether the step under way is an observed one."""
        return self._armed is not None

    def _disarm(self) -> None:
        armed, self._armed = self._armed, None
        assert armed is not None
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        zero, now = armed["zero"], [p.detach() for p in self.parameters]
        used = armed["used"] or [None] * len(now)

        def stacked(values: list[Tensor | None]) -> Tensor:
            return (
                torch.stack([zero if value is None else value.float().to(zero.device) for value in values])
                if values
                else zero[None]
            )

        self.observed.append(
            {
                "fresh": stacked(armed["fresh"]) / armed["scale"],
                "old": stacked(armed["old"]) / armed["scale"],
                "used": stacked(used),
                "arrived": torch.tensor(armed["arrived"]),
                "stepped": torch.tensor([float(self.optimizer_steps > armed["passes"])]),
                "earlier": torch.tensor([float(armed["earlier"])]),
                "weight": stacked([p.float().norm() for p in armed["before"]]),
                "moved": stacked([(p - b).float().norm() for p, b in zip(now, armed["before"], strict=True)]),
            }
        )
        self.observed_at.append(self.steps - 1)

    def read_losses(self) -> list[float]:
        """The losses since the last call, read back at once."""
        waiting = [part for part in self.loss_parts if isinstance(part, Tensor)]
        read = iter(torch.stack([part.float().reshape(()) for part in waiting]).tolist() if waiting else [])
        found = [next(read) if isinstance(part, Tensor) else float(part) for part in self.loss_parts]
        self.loss_parts = []
        self.step_losses += found
        return found

    def series(self, name: str) -> np.ndarray:
        """(observations, weights) of one measure."""
        return np.array([seen[name].cpu().numpy() for seen in self.observed]).reshape(len(self.observed), -1)


def loss_scale() -> float:
    """What the gradient scaler of mixed precision that makes this step multiplied the loss by; 1 where there is none.

    The scaler has divided the gradients again by now, and may have done so before they were clipped; it is a caller of
    the step, and the optimizer does not know of it.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        scaler = frame.f_locals.get("self") if frame.f_code.co_filename.endswith("grad_scaler.py") else None
        if isinstance(scaler, torch.amp.GradScaler):
            return float(scaler.get_scale()) or 1.0
        frame = frame.f_back
    return 1.0


def highest_rate(optimizer: Any) -> list[float]:
    """The highest learning rate of all groups, or none where the optimizer finds its own (lr=None)."""
    rates = [float(group["lr"]) for group in optimizer.param_groups if group.get("lr") is not None]
    return [max(rates)] if rates else []


def unregistered(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Weights in plain lists and dictionaries, which `parameters()` does not give."""
    known = {id(p) for p in model.parameters()}
    found: list[tuple[str, nn.Parameter]] = []

    def look(path: str, value: Any, depth: int = 0) -> None:
        if isinstance(value, nn.Parameter):
            if id(value) not in known:
                known.add(id(value))
                found.append((path, value))
        elif isinstance(value, nn.Module):
            for name, parameter in value.named_parameters():
                look(f"{path}.{name}", parameter)
        elif isinstance(value, list | tuple | dict) and depth < 3:
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                look(f"{path}.{key}", item, depth + 1)

    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if not name.startswith("_") and isinstance(value, list | tuple | dict):
                look(f"{path}.{name}".strip("."), value)
    return found


class Store:
    """The first rows that come, copied, up to a limit of memory."""

    def __init__(self) -> None:
        self.batches: list[tuple[Any, Any]] = []
        self.bytes = self.rows = 0
        self.full = False

    def add(self, x: Any, y: Any) -> None:
        from trainwell.diagnosis.pytorch.copies import mapped, rows_of, tensors

        if self.full:
            return
        pair = mapped(lambda tensor: tensor.detach().clone(), (x, y))
        self.bytes += sum(t.numel() * t.element_size() for t in tensors(pair))
        self.rows += rows_of(x)
        self.batches.append(pair)
        self.full = self.bytes > STORED_BYTES or self.rows > STORED_ROWS

    def joined(self) -> tuple[Any, Any]:
        from trainwell.diagnosis.pytorch.copies import joined

        return joined([x for x, _ in self.batches]), joined([y for _, y in self.batches])

    def together(self) -> tuple[Any, Any]:
        """All rows; of batches that are padded to different lengths the largest one."""
        from trainwell.diagnosis.pytorch.copies import rows_of

        try:
            return self.joined()
        except (RuntimeError, ValueError):
            return max(self.batches, key=lambda batch: rows_of(batch[0]))
