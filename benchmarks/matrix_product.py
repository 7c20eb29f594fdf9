"""The best float32 matrix product that can be measured on the same cores: the limit that training is held against."""

import time
from collections.abc import Callable, Sequence

import numpy as np

SIZES = (768, 1536)  # chosen: square ones, whose rates were the best of 512 to 4096 on the machines at hand
LARGE = 8192  # chosen: large enough to fill any GPU of today
SECONDS = 0.15  # chosen: for each size; enough for several products


def _best(product: Callable[[], object], flops: float) -> float:
    """FLOP/s of the fastest of many: the limit, not the usual."""
    product()
    fastest, until = np.inf, time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.perf_counter()
        product()
        fastest = min(fastest, time.perf_counter() - start)
    return flops / fastest


def _matrices(size: int) -> list[np.ndarray]:
    chance = np.random.default_rng(0)
    return [chance.standard_normal((size, size), np.float32) for _ in range(2)]


def pytorch(argument: dict) -> Callable[[], dict]:
    """PyTorch's product and, where it has one, oneDNN's through the same library."""
    import torch

    def run() -> dict:
        found = []
        for size in SIZES:
            a, b = map(torch.from_numpy, _matrices(size))
            with torch.no_grad():
                found.append(_best(lambda a=a, b=b: a @ b, 2 * size**3))
                if torch.backends.mkldnn.is_available():
                    packed, weight = a.to_mkldnn(), b.to_mkldnn()
                    found.append(_best(lambda a=packed, b=weight: torch.nn.functional.linear(a, b), 2 * size**3))
        return {"flops_per_second": max(found)}

    return run


def jax(argument: dict, sizes: Sequence[int] = SIZES) -> Callable[[], dict]:
    """XLA's product, with the thread pool that it makes itself: a thread for each core that the process may use."""
    import jax

    product = jax.jit(jax.numpy.matmul)

    def run() -> dict:
        found = []
        for size in sizes:
            a, b = map(jax.numpy.asarray, _matrices(size))
            found.append(_best(lambda a=a, b=b: product(a, b).block_until_ready(), 2 * size**3))
        return {"flops_per_second": max(found)}

    return run


def jax_large(argument: dict) -> Callable[[], dict]:
    """XLA's product of matrices that fill a GPU, at its default precision."""
    return jax(argument, (LARGE,))


def numpy(argument: dict) -> Callable[[], dict]:
    """NumPy's product, by the BLAS that it came with."""

    def run() -> dict:
        found = [_best(lambda a=a, b=b: a @ b, 2 * len(a) ** 3) for a, b in map(_matrices, SIZES)]
        return {"flops_per_second": max(found)}

    return run
