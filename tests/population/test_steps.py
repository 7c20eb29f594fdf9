"""A step of the engine is the step that PyTorch makes with the same weights, rows and settings."""

import jax
import numpy as np
import optax
import pytest
import torch

from small_networks import rows, structure
from trainwell.network.structure import resolve
from trainwell.population.step import Rows, balance, start, step

STEPS, BATCH = 6, 16


def engine(task, own, settings):
    """(weights before, weights and statistics after, losses) of a network whose output layer is not zero at the start."""
    data = rows(task)
    settings = {name: np.float32(value) for name, value in resolve(own, settings).items()}
    state = start(np.uint32(3), own, settings, np.zeros(own.outputs, np.float32))
    drawn = np.random.default_rng(0).normal(size=state.weights["output.weight"].shape, scale=0.3)
    state = state._replace(weights={**state.weights, "output.weight": drawn.astype(np.float32)})
    before, losses = jax.tree.map(np.asarray, state.weights), []
    weights = balance(data.target, own)
    one = jax.jit(lambda state, batch: step(state, batch, own, settings, np.float32(STEPS), weights))
    for batch in batches(data):
        state, loss = one(state, batch)
        losses.append(float(loss))
    return before, jax.tree.map(np.asarray, state.weights), jax.tree.map(np.asarray, state.statistics), losses


def batches(data: Rows):
    return [Rows(*(x[BATCH * i : BATCH * (i + 1)] for x in data[:3])) for i in range(STEPS)]


class Network(torch.nn.Module):
    """The same network in PyTorch's own parts."""

    def __init__(self, weights: dict[str, np.ndarray], batch_norm: bool):
        super().__init__()
        self.embedding = torch.nn.Embedding.from_pretrained(torch.tensor(weights["category0.embedding"]), freeze=False)
        self.layer1 = torch.nn.Linear(*weights["layer1.weight"].shape[::-1])
        self.output = torch.nn.Linear(*weights["output.weight"].shape[::-1])
        self.norm = torch.nn.BatchNorm1d(len(weights["layer1.bias"])) if batch_norm else torch.nn.Identity()
        with torch.no_grad():
            for name in ("layer1", "output"):
                getattr(self, name).weight.copy_(torch.tensor(weights[f"{name}.weight"]))
                getattr(self, name).bias.copy_(torch.tensor(weights[f"{name}.bias"]))

    def forward(self, batch: Rows) -> torch.Tensor:
        x = torch.cat([torch.tensor(batch.numeric), self.embedding(torch.tensor(batch.categories[:, 0]))], dim=1)
        return self.output(torch.relu(self.norm(self.layer1(x))))

    def by_name(self) -> dict[str, np.ndarray]:
        found = {"category0.embedding": self.embedding.weight}
        for name in ("layer1", "output"):
            found |= {f"{name}.weight": getattr(self, name).weight, f"{name}.bias": getattr(self, name).bias}
        if isinstance(self.norm, torch.nn.BatchNorm1d):
            found |= {"layer1.scale": self.norm.weight, "layer1.shift": self.norm.bias}
        return {name: weight.detach().numpy() for name, weight in found.items()}

    def groups(self, decay: float) -> list[dict]:
        decayed = [self.layer1.weight, self.output.weight]
        rest = [weight for weight in self.parameters() if all(weight is not other for other in decayed)]
        return [{"params": decayed, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def reference(
    task,
    before,
    loss_of,
    optimizer_of,
    *,
    decay=0.0,
    batch_norm=False,
    change=lambda network: None,
    schedule=lambda number: 1.0,
):
    network = Network(before, batch_norm)
    optimizer, losses = optimizer_of(network.groups(decay)), []
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    for batch in batches(rows(task)):
        optimizer.zero_grad()
        loss = loss_of(network(batch), torch.tensor(batch.target))
        loss.backward()
        change(network)
        optimizer.step()
        rates.step()
        losses.append(loss.item())
    return network, losses


def binary(outputs, target):
    return torch.nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], target.float())


def squared(outputs, target):
    return torch.nn.functional.mse_loss(outputs[:, 0], target)


def smoothed(outputs, target):
    return torch.nn.functional.cross_entropy(outputs, target.long(), label_smoothing=0.1)


def weighted(outputs, target):
    counts = np.bincount(rows("multiclass").target)
    losses = torch.nn.functional.cross_entropy(
        outputs, target.long(), weight=torch.tensor(96 / (3 * counts), dtype=torch.float32), reduction="none"
    )
    return losses.mean()


PLAIN = {"activation": "relu", "dropout": "none", "schedule": "constant", "decay": "none"}
CASES = {
    "Adam with decoupled decay, both following a schedule": (
        "binary", {"decay": "decoupled", "schedule": "cosine"}, {"adam.learning_rate": 0.02, "weight_decay.rate": 0.3},
        binary, lambda groups: torch.optim.AdamW(groups, lr=0.02),
        {"decay": 0.3, "schedule": lambda number: (1 + np.cos(np.pi * number / STEPS)) / 2},
    ),
    "Adam with an L2 penalty": (
        "regression", {"decay": "l2"}, {"adam.learning_rate": 0.02, "weight_decay.rate": 0.1},
        squared, lambda groups: torch.optim.Adam(groups, lr=0.02), {"decay": 0.1},
    ),
    "gradient descent with batch normalization": (
        "binary", {"optimizer": "gradient_descent", "batch_norm": "before"}, {"gradient_descent.learning_rate": 0.1},
        binary, lambda groups: torch.optim.SGD(groups, lr=0.1), {"batch_norm": True},
    ),
    "classical momentum with label smoothing": (
        "multiclass", {"optimizer": "classical_momentum"},
        {"classical_momentum.learning_rate": 0.1, "classical_momentum.beta": 0.8, "cross_entropy.label_smoothing": 0.1},
        smoothed, lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.8), {},
    ),
    "Nesterov with the norm of the gradient clipped": (
        "regression", {"optimizer": "nesterov", "clip": "global_norm"},
        {"nesterov.learning_rate": 0.1, "clip_by_global_norm.limit": 0.2},
        squared, lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True),
        {"change": lambda network: torch.nn.utils.clip_grad_norm_(network.parameters(), 0.2)},
    ),
    "RMSprop with each gradient clipped and the classes balanced": (
        "multiclass", {"optimizer": "rmsprop", "clip": "value", "class_weights": "balanced"},
        {"rmsprop.learning_rate": 0.01, "rmsprop.beta": 0.9, "clip_by_value.limit": 0.02},
        weighted, lambda groups: torch.optim.RMSprop(groups, lr=0.01, alpha=0.9),
        {"change": lambda network: torch.nn.utils.clip_grad_value_(network.parameters(), 0.02)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_pytorch(case):
    task, chosen, settings, loss_of, optimizer_of, more = CASES[case]
    own = structure(task, **{**PLAIN, **chosen})
    before, after, statistics, losses = engine(task, own, settings)
    network, expected = reference(task, before, loss_of, optimizer_of, **more)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for name, weight in network.by_name().items():
        if not (own.batch_norm != "none" and name == "layer1.bias"):  # which the normalization takes out again
            assert np.abs(weight - before[name]).max() > 1e-3
        np.testing.assert_allclose(after[name], weight, rtol=1e-3, atol=1e-5, err_msg=name)
    if own.batch_norm != "none":
        np.testing.assert_allclose(statistics["layer1.mean"], network.norm.running_mean, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(statistics["layer1.variance"], network.norm.running_var, rtol=1e-3)


def test_a_step_is_the_equation_written_by_hand():
    """Linear regression by gradient descent, an L1 penalty and a cosine schedule."""
    own = structure("regression", widths=(), optimizer="gradient_descent", decay="l1", schedule="cosine", dropout="none")
    before, after, _, losses = engine("regression", own, {"gradient_descent.learning_rate": 0.1, "weight_decay.rate": 0.05})
    table, weight, bias = (before[name].astype(float) for name in ("category0.embedding", "output.weight", "output.bias"))
    weight = weight.T
    for number, batch in enumerate(batches(rows("regression"))):
        x = np.hstack([batch.numeric, table[batch.categories[:, 0]]])
        residual = (x @ weight + bias)[:, 0] - batch.target
        assert losses[number] == pytest.approx((residual**2).mean(), rel=1e-4)
        rate = 0.1 * (1 + np.cos(np.pi * number / STEPS)) / 2
        slope = 2 * residual[:, None] / BATCH
        table_slope = np.zeros_like(table)
        np.add.at(table_slope, batch.categories[:, 0], slope @ weight[4:].T)
        weight = weight - rate * (x.T @ slope + 0.05 * np.sign(weight))
        bias, table = bias - rate * slope.sum(axis=0), table - rate * table_slope
    np.testing.assert_allclose(after["output.weight"], weight.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(after["output.bias"], bias, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(after["category0.embedding"], table, rtol=1e-4, atol=1e-6)


def test_a_given_optax_transformation_follows_the_schedule_as_the_engines_own_rule_does():
    schedule = {"schedule": "cosine", "decay": "none", "dropout": "none"}
    _, own, _, _ = engine(
        "binary", structure(optimizer="gradient_descent", **schedule), {"gradient_descent.learning_rate": 0.1}
    )
    _, given, _, _ = engine("binary", structure(optimizer=optax.sgd(0.1), **schedule), {})
    for name, weight in own.items():
        np.testing.assert_allclose(given[name], weight, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_every_step_has_a_mask_of_its_own(rate):
    own, batch = structure(), batches(rows())[0]
    settings = resolve(own, {"dropout.rate": rate})
    state = start(np.uint32(3), own, settings, np.zeros(1, np.float32))
    state = state._replace(weights=state.weights | {"output.weight": np.ones((1, 8), np.float32)})
    one = jax.jit(lambda state: step(state, batch, own, settings, np.float32(9))[1])
    losses = {float(one(state._replace(step=np.int32(number)))) for number in range(4)}
    assert len(losses) == (1 if rate == 0 else 4)
