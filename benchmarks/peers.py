"""The same work done by what users run today: a PyTorch loop, torch.func, scikit-learn, Lightning.

Each at its best: tensors in memory, one shuffle of the whole table per epoch, fused Adam. The loss that each reports is the
mean over the steps of the last epoch, as ours is.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import nn

from benchmarks.work import Work, table


def network_of(work: Work) -> nn.Sequential:
    """Dense layers with first weights as ours: He's in the hidden layers, zero in the last, so that the losses compare."""
    sizes = (work.inputs, *work.widths, work.outputs)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        nn.init.kaiming_normal_(layers[-2].weight)
        nn.init.zeros_(layers[-2].bias)
    nn.init.zeros_(layers[-2].weight)
    return nn.Sequential(*layers[:-1])


def loss_of(work: Work) -> nn.Module:
    return nn.MSELoss() if work.outputs == 1 else nn.CrossEntropyLoss()


def tensors_of(work: Work, device: str = "cpu") -> list[torch.Tensor]:
    """Numbers and targets, of training and validation; values of a regression as a column, as the network gives them."""
    tensors = [torch.from_numpy(array).to(device) for array in table(work)]
    return [tensor[:, None] if tensor.ndim == 1 and work.outputs == 1 else tensor for tensor in tensors]


def batches(numeric: torch.Tensor, target: torch.Tensor, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch: the whole table shuffled once, then slices of it, which is faster than a gather for each batch."""
    order = torch.randperm(len(numeric), device=numeric.device)
    return zip(numeric[order].split(size), target[order].split(size), strict=True)


def loop(argument: dict) -> Callable[[], dict]:
    """One network after another, each step written out."""
    work = Work.from_json(argument)
    numeric, target = tensors_of(work)[:2]
    criterion = loss_of(work)

    def train_one(learning_rate: float, beta1: float) -> float:
        network = network_of(work)
        optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(beta1, 0.999), fused=True)
        for _ in range(work.epochs):
            losses = []
            for rows, wanted in batches(numeric, target, work.batch):
                optimizer.zero_grad()
                loss = criterion(network(rows), wanted)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
        return torch.stack(losses).mean().item()

    def run() -> dict:
        torch.manual_seed(work.first)
        losses = [train_one(*settings) for settings in work.settings()]
        return {"loss": sum(losses) / len(losses)}

    return run


def stacked(argument: dict) -> Callable[[], dict]:
    """All networks at once by torch.func: stacked weights, one vmapped gradient, an Adam for stacks in which each network has
    its own settings."""
    work = Work.from_json(argument)
    numeric, target = tensors_of(work)[:2]
    criterion, skeleton = loss_of(work), network_of(work)

    def one_loss(weights, rows, wanted):
        return criterion(torch.func.functional_call(skeleton, weights, (rows,)), wanted)

    gradient_of = torch.func.vmap(torch.func.grad_and_value(one_loss), in_dims=(0, None, None))

    def run() -> dict:
        torch.manual_seed(work.first)
        weights, _ = torch.func.stack_module_state([network_of(work) for _ in range(work.networks)])
        weights = {name: weight.detach() for name, weight in weights.items()}
        adam = StackedAdam(weights, work.settings())
        for _ in range(work.epochs):
            losses = []
            for rows, wanted in batches(numeric, target, work.batch):
                gradient, loss = gradient_of(weights, rows, wanted)
                adam.step(weights, gradient)
                losses.append(loss)
        return {"loss": torch.stack(losses).mean().item()}

    return run


class StackedAdam:
    """Adam in place on stacks of weights, with a learning rate and a beta1 for each network."""

    def __init__(self, weights: dict[str, torch.Tensor], settings: list[tuple[float, float]]):
        self.rates, self.beta1 = (torch.tensor(values) for values in zip(*settings, strict=True))
        self.means = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self.squares = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self.steps = 0

    def step(self, weights: dict[str, torch.Tensor], gradient: dict[str, torch.Tensor]) -> None:
        self.steps += 1
        beta2, epsilon = 0.999, 1e-8
        correction = (1 - beta2**self.steps) ** 0.5
        rate = -self.rates * correction / (1 - self.beta1**self.steps)
        for name, weight in weights.items():
            shape = (-1, *(1,) * (weight.ndim - 1))
            g, mean, square = gradient[name], self.means[name], self.squares[name]
            mean.lerp_(g, (1 - self.beta1).view(shape))
            square.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            weight.addcdiv_(mean * rate.view(shape), square.sqrt().add_(epsilon * correction))


def scikit_learn(argument: dict) -> Callable[[], dict]:
    """`MLPClassifier` with the same batch size and epochs, no early stopping; for two classes it has one output, not two."""
    from sklearn.neural_network import MLPClassifier

    work = Work.from_json(argument)
    numeric, target = table(work)[:2]

    def run() -> dict:
        ((learning_rate, beta1),) = work.settings()
        network = MLPClassifier(
            work.widths,
            alpha=0.0,
            batch_size=work.batch,
            learning_rate_init=learning_rate,
            beta_1=beta1,
            max_iter=work.epochs,
            tol=0.0,
            n_iter_no_change=work.epochs + 1,
            random_state=0,
        )
        network.fit(numeric, target)
        return {"loss": network.loss_curve_[-1]}

    return run


def lightning(argument: dict) -> Callable[[], dict]:
    """Lightning as its users write it: a module, a `Trainer` with all that talks or writes left off, a `DataLoader`."""
    import logging

    from lightning.pytorch import LightningModule, Trainer, seed_everything
    from torch.utils.data import DataLoader, TensorDataset

    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    work = Work.from_json(argument)
    numeric, target, validation_numeric, validation_target = tensors_of(work)

    class Classifier(LightningModule):
        def __init__(self):
            super().__init__()
            self.network, self.criterion = network_of(work), loss_of(work)

        def on_train_epoch_start(self):
            self.losses = []

        def training_step(self, batch, number):
            loss = self.criterion(self.network(batch[0]), batch[1])
            self.losses.append(loss.detach())
            return loss

        def validation_step(self, batch, number):
            return self.criterion(self.network(batch[0]), batch[1])

        def configure_optimizers(self):
            ((learning_rate, beta1),) = work.settings()
            return torch.optim.Adam(self.parameters(), lr=learning_rate, betas=(beta1, 0.999), fused=True)

    def run() -> dict:
        seed_everything(0, verbose=False)
        module = Classifier()
        trainer = Trainer(
            max_epochs=work.epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        training = DataLoader(TensorDataset(numeric, target), work.batch, shuffle=True)
        validation = DataLoader(TensorDataset(validation_numeric, validation_target), 1024)
        trainer.fit(module, training, validation)
        return {"loss": torch.stack(module.losses).mean().item()}

    return run
