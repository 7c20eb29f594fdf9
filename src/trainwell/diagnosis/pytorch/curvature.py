"""Curvature of a PyTorch loss: Hessian-vector products, Lanczos, and the density of the spectrum.

The verdict on the numbers is `trainwell.techniques.curvature.judge`, the same as for JAX.

Source: Pearlmutter (1994); Lanczos (1950); Ghorbani, Krishnan & Xiao (2019) for the density.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainwell.diagnosis.pytorch.copies import called, own_randomness

STEPS = 24  # chosen: enough for the two ends of most spectra
ROUNDING = 1e-6  # chosen: a remainder below this share is rounding in single precision


class Ends(NamedTuple):
    """What the verdict is read from."""

    gradient_norm: float
    lowest: float
    highest: float


def _product(model: nn.Module, loss_fn: Any, x: Any, y: Any) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The gradient as one vector, and the function that multiplies a vector by the Hessian."""
    weights = [p for p in model.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss_fn(called(model, x), y), weights, create_graph=True, allow_unused=True)
    used = [(g, w) for g, w in zip(gradients, weights, strict=True) if g is not None]
    flat = torch.cat([g.reshape(-1) for g, _ in used])

    def multiply(vector: Tensor) -> Tensor:
        if not flat.requires_grad:
            return torch.zeros_like(vector)
        parts = torch.autograd.grad(flat @ vector, [w for _, w in used], retain_graph=True, allow_unused=True)
        return torch.cat(
            [torch.zeros_like(w).reshape(-1) if p is None else p.reshape(-1) for p, (_, w) in zip(parts, used, strict=True)]
        )

    return flat.detach(), multiply


def _lanczos(multiply: Callable[[Tensor], Tensor], size: int, like: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues of the small tridiagonal matrix, and the squared first entries of its eigenvectors."""
    vector = torch.randn(size, dtype=like.dtype, device=like.device)
    basis, diagonal, lengths = [vector / vector.norm()], [], []
    for _ in range(min(steps, size)):
        product = multiply(basis[-1])
        diagonal.append(float(product @ basis[-1]))
        whole = float(product.norm())
        for _ in range(2):  # twice, as rounding would find eigenvalues again and again
            for known in basis:
                product = product - (product @ known) * known
        length = float(product.norm())
        if length <= ROUNDING * max(whole, 1e-30):
            break
        lengths.append(length)
        basis.append(product / length)
    count = len(diagonal)
    small = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    for place, length in enumerate(lengths[: count - 1]):
        small[place, place + 1] = small[place + 1, place] = length
    values, vectors = torch.linalg.eigh(small)
    return values, vectors[0] ** 2


def extreme_eigenvalues(model: nn.Module, loss_fn: Any, x: Any, y: Any, steps: int = STEPS) -> Ends:
    """Gradient norm, lowest and highest curvature of the loss at the model's weights; the model stays as it is."""
    with own_randomness(), torch.enable_grad():
        gradient, multiply = _product(model, loss_fn, x, y)
        values, _ = _lanczos(multiply, len(gradient), gradient, steps)
    return Ends(float(gradient.norm()), float(values[0]), float(values[-1]))


def spectral_density(
    model: nn.Module, loss_fn: Any, x: Any, y: Any, probes: int = 4, steps: int = STEPS
) -> tuple[Tensor, Tensor]:
    """The spectrum as weighted nodes, whose weights add to 1: stochastic Lanczos quadrature."""
    with own_randomness(), torch.enable_grad():
        gradient, multiply = _product(model, loss_fn, x, y)
        found = [_lanczos(multiply, len(gradient), gradient, steps) for _ in range(probes)]
    return torch.cat([values for values, _ in found]), torch.cat([weights / probes for _, weights in found])


def verdict(ends: Ends) -> tuple[str, str]:
    """Saddle, minimum, plateau, furrow or slope, and a sentence; the rules of `trainwell.techniques.curvature.judge`."""
    import jax.numpy as jnp

    from trainwell.techniques.curvature import Curvature, judge

    condition = ends.highest / ends.lowest if ends.lowest > 0 else float("inf")
    found = judge(Curvature(*map(jnp.asarray, (*ends, condition))))
    return found.kind, found.says
