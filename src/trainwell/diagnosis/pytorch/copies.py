"""Work on copies: nothing that is measured may change the model, its optimizer or any random stream."""

import copy
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ROWS = 512  # chosen: rows on which a network is judged at a time


@contextmanager
def own_randomness(seed: int = 0) -> Iterator[None]:
    """Random numbers of one's own; afterwards every global stream goes on as if nothing had been drawn."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global stream is what must be kept
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    try:
        with torch.random.fork_rng(devices), torch.autocast("cpu", enabled=False):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def copied(model: nn.Module, optimizer: Any = None, memory: dict[int, Any] | None = None) -> tuple[nn.Module, Any]:
    """Both, with the copied optimizer holding the copied weights where it held the weights; `memory` says what became what."""
    memory = {} if memory is None else memory
    again = copy.deepcopy(model, memory)
    return again, (None if optimizer is None else copy.deepcopy(optimizer, memory))


def loss_copied(loss_fn: Any, memory: dict[int, Any] | None = None) -> Any:
    """A loss that artificial calls may change; a function has nothing of its own, and what cannot be copied stays itself."""
    if loss_fn is None or isinstance(loss_fn, FunctionType | BuiltinFunctionType | MethodType | partial):
        return loss_fn
    try:
        return copy.deepcopy(loss_fn, {} if memory is None else memory)
    except Exception:  # whatever a user's object does when it is copied
        return loss_fn


@contextmanager
def state_kept(*owners: Any, parameters: Iterable[Tensor] = ()) -> Iterator[None]:
    """Gradients and buffers of modules are afterwards what they were, also where a loss reaches into the real model."""
    modules = [owner for owner in owners if isinstance(owner, nn.Module)]
    every = {id(p): p for p in (*parameters, *(p for module in modules for p in module.parameters()))}
    gradients = [(parameter, parameter.grad) for parameter in every.values()]
    buffers = [(buffer, buffer.detach().clone()) for module in modules for buffer in module.buffers()]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for buffer, before in buffers:
            if not torch.equal(buffer, before):
                buffer.detach().copy_(before)


def mapped(function, value: Any) -> Any:
    """The same nest with the function applied to each tensor."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return {key: mapped(function, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return _nest_like(value, [mapped(function, item) for item in value])
    return value


def _nest_like(value: Any, items: list[Any]) -> Any:
    """The items as a named tuple, list or tuple, as the value is."""
    if hasattr(value, "_fields"):
        return type(value)(*items)
    return items if isinstance(value, list) else tuple(items)


def tensors(value: Any) -> list[Tensor]:
    found: list[Tensor] = []
    mapped(found.append, value)
    return found


def rows_of(value: Any) -> int:
    return next((len(tensor) for tensor in tensors(value) if tensor.ndim), 0)


def taken(value: Any, rows: Any) -> Any:
    """Some rows; a number that stands for all rows stays as it is."""
    return mapped(lambda tensor: tensor[rows] if tensor.ndim else tensor, value)


def joined(values: list[Any]) -> Any:
    """Batches of one nest as one batch."""
    first = values[0]
    if isinstance(first, Tensor):
        shapes = sorted({tuple(value.shape[1:]) for value in values})
        if len(shapes) > 1:
            raise ValueError(f"the rows of different batches have different shapes, such as {shapes[0]} and {shapes[-1]}")
        if not first.ndim and any(not torch.equal(value, first) for value in values):
            raise ValueError("a number that stands for all rows changes from batch to batch")
        return torch.cat(values) if first.ndim else first
    if isinstance(first, Mapping):
        return {key: joined([value[key] for value in values]) for key in first}
    if isinstance(first, list | tuple):
        return _nest_like(first, [joined(list(parts)) for parts in zip(*values, strict=True)])
    return first


def called(model: nn.Module, x: Any) -> Any:
    return model(**x) if isinstance(x, Mapping) else model(*x) if isinstance(x, list | tuple) else model(x)


def outputs_of(model: nn.Module, x: Any, rows: int = ROWS) -> Tensor:
    """Outputs of all rows in the mode the model is in, without gradients."""
    with torch.no_grad():
        return torch.cat([called(model, taken(x, slice(at, at + rows))) for at in range(0, rows_of(x), rows)])


def loss_of(model: nn.Module, loss_fn: Any, x: Any, y: Any, rows: int = ROWS) -> float:
    """Mean loss of all rows, batch by batch."""
    total, count = 0.0, rows_of(x)
    with torch.no_grad():
        for at in range(0, count, rows):
            part = slice(at, at + rows)
            xb, yb = taken(x, part), taken(y, part)
            total += float(loss_fn(called(model, xb), yb)) * rows_of(xb)
    return total / max(count, 1)


def spread(values: Tensor) -> float:
    """Standard deviation over the rows, all outputs together; never 0."""
    values = values.detach().reshape(len(values), -1).double()
    return float(values.std(0, unbiased=False).square().mean().sqrt().clamp_min(1e-12))


def children_in_order(model: nn.Module, x: Any) -> list[tuple[str, nn.Module]]:
    """The modules without children that a forward pass calls, each once, in the order of their first call."""
    names = {module: name for name, module in model.named_modules() if not list(module.children())}
    seen: dict[nn.Module, str] = {}

    def see(module: nn.Module, _: Any) -> None:
        seen.setdefault(module, names[module])

    hooks = [module.register_forward_pre_hook(see) for module in names]
    try:
        with torch.no_grad():
            called(model, x)
    finally:
        for hook in hooks:
            hook.remove()
    return [(name, module) for module, name in seen.items()]
