"""PyTorch on a GPU: the loop of one network as users write it, and the same with its whole step in a CUDA graph."""

from collections.abc import Callable

import torch

from benchmarks.matrix_product import LARGE
from benchmarks.peers import batches, loss_of, network_of, tensors_of
from benchmarks.work import Work

PRODUCTS = 20  # chosen: long beside the start of one
BEFORE_CAPTURE = 3  # steps on a side stream before a graph is captured, as PyTorch's documentation asks


def _fast_products() -> None:
    """TF32 where the GPU has it, as JAX takes it by default."""
    torch.backends.cuda.matmul.allow_tf32 = True


def loop(argument: dict) -> Callable[[], dict]:
    """One network, each step sent from Python."""
    _fast_products()
    work = Work.from_json(argument)
    numeric, target = tensors_of(work, "cuda")[:2]
    criterion = loss_of(work)

    def run() -> dict:
        network = network_of(work).cuda()
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        for _ in range(work.epochs):
            losses = []
            for rows, wanted in batches(numeric, target, work.batch):
                optimizer.zero_grad()
                loss = criterion(network(rows), wanted)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
        return {"loss": torch.stack(losses).mean().item()}

    return run


def graph(argument: dict) -> Callable[[], dict]:
    """One network; its step is captured once, before anything is timed, and played again for every batch of every run."""
    _fast_products()
    work = Work.from_json(argument)
    numeric, target = tensors_of(work, "cuda")[:2]
    criterion, network = loss_of(work), network_of(work).cuda()
    optimizer = torch.optim.Adam(network.parameters(), fused=True, capturable=True)
    rows, wanted = numeric[: work.batch].clone(), target[: work.batch].clone()  # where the graph reads its batch
    total = torch.zeros((), device="cuda")

    def step() -> None:
        optimizer.zero_grad()
        loss = criterion(network(rows), wanted)
        loss.backward()
        optimizer.step()
        total.add_(loss.detach())

    captured = _captured(step)

    def run() -> dict:
        _begin_again(network, network_of(work), optimizer)
        for _ in range(work.epochs):
            total.zero_()
            for batch, batch_target in batches(numeric, target, work.batch):
                rows.copy_(batch)
                wanted.copy_(batch_target)
                captured.replay()
        return {"loss": total.item() / work.steps}

    return run


def _begin_again(network: torch.nn.Module, first: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """New first weights and no memory, in the places that the graph knows."""
    network.load_state_dict(first.state_dict())
    for state in optimizer.state.values():
        for value in state.values():
            value.zero_()


def _captured(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(BEFORE_CAPTURE):
            step()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        step()
    return captured


def product(argument: dict) -> Callable[[], dict]:
    """FLOP/s of a large square product."""
    _fast_products()
    a, b = (torch.randn(LARGE, LARGE, device="cuda") for _ in range(2))

    def run() -> dict:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(PRODUCTS):
            a @ b
        end.record()
        torch.cuda.synchronize()
        seconds = start.elapsed_time(end) / 1e3
        return {"flops_per_second": 2 * LARGE**3 * PRODUCTS / seconds}

    return run
