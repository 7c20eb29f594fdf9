"""Small PyTorch programs whose faults are put in one at a time."""

from collections import UserDict

import torch
from torch import nn

from trainwell.torch import watch


def rings(rows: int = 400, seed: int = 0):
    """Two classes, one around the other; no straight line parts them."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 6, generator=generator)
    return x, (x[:, :2].square().sum(1) > 1.4).long()


def waves(rows: int = 400, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, generator=generator)
    y = torch.sin(2 * x[:, :1]) + x[:, 1:2] * 0.5
    return x, y / y.std()


def network(inputs: int = 6, outputs: int = 2, activation=nn.ReLU, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, 32), activation(), nn.Linear(32, 32), activation(), nn.Linear(32, outputs))


def usual_step(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    outputs = model(x)
    loss = loss_fn(outputs, y)
    loss.backward()
    optimizer.step()
    return outputs, loss


def trained(
    model,
    data,
    *,
    optimizer=None,
    loss_fn=None,
    epochs=12,
    batch=32,
    step=usual_step,
    validation_mode=False,
    training_mode=True,
    watched=True,
    validation=None,
    **options,
):
    """Trains with everything usual but what is named; gives the doctor (or None) and the model."""
    loss_fn = loss_fn or nn.CrossEntropyLoss()
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=5e-3)
    x, y = data
    cut = len(x) * 3 // 4
    xv, yv = validation or (x[cut:], y[cut:])
    x, y = x[:cut], y[:cut]
    order = torch.Generator().manual_seed(1)

    def loop(doctor=None):
        for _ in range(epochs):
            model.train(training_mode)
            for rows in torch.randperm(len(x), generator=order).split(batch):
                outputs, loss = step(model, optimizer, loss_fn, x[rows], y[rows])
                if doctor:
                    doctor.step(x[rows], y[rows], outputs, loss)
            model.train(validation_mode)
            with torch.no_grad():
                outputs = model(xv)
                loss = loss_fn(outputs, yv)
            if doctor:
                doctor.validation_step(xv, yv, outputs, loss)
                doctor.end_epoch()

    if not watched:
        loop()
        return None
    with watch(model, optimizer, loss_fn=loss_fn, **options) as doctor:
        loop(doctor)
    return doctor


def looped(model, batches, loss_fn, *, optimizer=None, epochs=3, step=None, validation=(), **options):
    """A usual loop over batches of any kind; gives the doctor."""
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=5e-3)

    def usual(x, y):
        optimizer.zero_grad()
        outputs = model(**x) if isinstance(x, dict | UserDict) else model(*x) if isinstance(x, tuple) else model(x)
        loss = loss_fn(outputs, y)
        loss.backward()
        optimizer.step()
        return outputs, loss

    with watch(model, optimizer, loss_fn=loss_fn, **options) as doctor:
        for _ in range(epochs):
            for x, y in batches:
                doctor.step(x, y, *(step or usual)(x, y))
            for x, y in validation:
                outputs = model(x)
                doctor.validation_step(x, y, outputs, loss_fn(outputs, y))
            doctor.end_epoch()
    return doctor


def problems(doctor) -> list[str]:
    return [finding.cause for finding in doctor.findings if finding.severity == "problem"]


class Averages(nn.Module):
    """Classes from word numbers, by the mean of their vectors."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.out = nn.Embedding(30, 16), nn.Linear(16, 2)

    def forward(self, x):
        return self.out(self.words(x).mean(1))
