"""Loops that a doctor does not expect: none is broken, none is accused, and what could not be checked is said."""

from collections import UserDict

import pytest
import torch
from torch import nn

from torch_programs import Averages, looped, network, problems, rings, trained, usual_step, waves
from trainwell.torch import preflight, watch


@pytest.mark.parametrize("rows", [4, 32])
def test_batches_that_are_padded_to_different_lengths_end_well(rows):
    generator = torch.Generator().manual_seed(0)
    batches = [
        (torch.randint(0, 30, (rows, length), generator=generator), torch.randint(0, 2, (rows,), generator=generator))
        for length in (5, 9, 7, 5, 6, 8)
    ]
    found = looped(Averages(), batches, nn.CrossEntropyLoss(), validation=batches[:2])
    assert problems(found) == []
    assert "the rows of different batches have different shapes, such as (5,) and (9,)" in found.report()
    assert "output_shape" in found.signals.facts  # of the largest batch


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = network()

    def forward(self, x, times):
        return self.inner(x) * times


def test_a_number_beside_the_rows_belongs_to_all_of_them():
    x, y = rings(64)
    named = {"times": torch.tensor(2.0), "x": x}
    for pair in ((x, torch.tensor(2.0)), named, UserDict(named)):
        found = looped(Scaled(), [(pair, y)] * 2, nn.CrossEntropyLoss(), prove=False)
        assert problems(found) == []
        assert found.signals.facts["task"] == "binary"


def test_targets_that_are_true_or_false_are_two_classes():
    x, y = rings()
    loss_fn = lambda outputs, y: nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], y.float())  # noqa: E731
    found = trained(network(outputs=1), (x, y.bool()), loss_fn=loss_fn)
    assert problems(found) == []
    assert found.signals.facts["task"] == "binary"
    assert found.signals.number("score") > 0.6


def test_what_fails_inside_a_step_is_named_and_the_loop_goes_on():
    class Uncloned(torch.Tensor):
        def clone(self, **_):
            raise OSError("no room")

    x, y = rings(64)
    found = looped(network(), [(x.as_subclass(Uncloned), y)], nn.CrossEntropyLoss(), prove=False)
    assert found.recorder.steps == 3
    assert "the checks of the first batch: OSError: no room" in found.report()


class Words(nn.Module):
    """A class for every word, with the classes on the last axis or the middle one."""

    def __init__(self, last=True, width=30):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.out, self.last = nn.Embedding(30, 16), nn.Linear(16, width), last

    def forward(self, x):
        outputs = self.out(torch.relu(self.words(x)))
        return outputs if self.last else outputs.transpose(1, 2)


@pytest.mark.parametrize("task", [None, "multiclass"])
@pytest.mark.parametrize(("last", "width"), [(True, 30), (False, 30), (False, 2)])
def test_a_class_for_every_word_or_pixel_is_no_regression(task, last, width):
    x = torch.randint(0, 30, (160, 7), generator=torch.Generator().manual_seed(0))
    y = (x * 7 + 3) % width
    loss_fn = lambda outputs, y: nn.functional.cross_entropy(outputs.transpose(1, 2) if last else outputs, y)  # noqa: E731
    batches = [(x[at : at + 32], y[at : at + 32]) for at in range(0, 128, 32)]
    model = Words(last, width)
    found = looped(model, batches, loss_fn, task=task, validation=[(x[128:], y[128:])])
    assert problems(found) == []
    assert "the checks of the targets and the score: targets of shape (32, 7) beside outputs of shape" in found.report()
    assert [f.cause for f in preflight(model, loss_fn, x, y, task=task).findings if f.severity == "problem"] == []


def quantiles(outputs, y):
    short = y - outputs
    levels = torch.tensor([0.1, 0.5, 0.9])
    return torch.maximum(levels * short, (levels - 1) * short).mean()


@pytest.mark.parametrize(
    ("outputs", "loss_fn"),
    [(3, quantiles), (2, lambda out, y: nn.functional.gaussian_nll_loss(out[:, :1], y, out[:, 1:].exp()))],
)
def test_heads_of_several_outputs_a_target_are_no_wrong_size(outputs, loss_fn):
    assert problems(trained(network(4, outputs), waves(), loss_fn=loss_fn)) == []


def test_columns_of_classes_are_still_read():
    x, y = rings()
    columns = nn.functional.one_hot(y, 2)
    for targets in (columns.float(), columns):
        loss_fn = lambda outputs, y: nn.functional.cross_entropy(outputs, y.float())  # noqa: E731
        found = trained(network(), (x, targets), loss_fn=loss_fn, epochs=6, prove=False)
        assert found.signals.facts["task"] == "multiclass"
        assert found.signals.number("score") > 0.3


class Counts(nn.Module):
    """A loss with a state and a weight of its own."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, outputs, y):
        self.calls += 1
        return nn.functional.cross_entropy(outputs * self.temperature, y)


@pytest.mark.parametrize("poor", [False, True])
def test_gradients_buffers_and_a_loss_with_a_state_stay_the_users_own(poor):
    def state(watched):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
        counts, (x, y) = Counts(), rings(160)
        optimizer = torch.optim.SGD([*model.parameters(), *counts.parameters()], lr=1e-9 if poor else 0.1)

        def penalized(outputs, y):
            again = model(x[:32]).square().mean()  # reaches into the real model, whatever copy gave the outputs
            return counts(outputs, y) + 1e-3 * sum(p.square().sum() for p in model.parameters()) + 1e-3 * again

        class Penalized(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = counts

            def forward(self, outputs, y):
                return self.inner(outputs, y) + 1e-3 * sum(p.square().sum() for p in model.parameters())

        kept = []
        for loss_fn in (penalized, Penalized()):
            doctor = watch(model, optimizer, loss_fn=loss_fn)
            if watched:
                doctor.__enter__()
            for at in range(0, 128, 32):
                outputs = model(x[at : at + 32])
                loss = loss_fn(outputs, y[at : at + 32])
                loss.backward()  # gradients are gathered over two batches
                if at in (32, 96):
                    optimizer.step()
                    optimizer.zero_grad()
                if watched:
                    doctor.step(x[at : at + 32], y[at : at + 32], outputs, loss)
            loss_fn(model(x), y).backward()
            if watched:
                doctor.end_epoch()
                doctor.validation_step(x[128:], y[128:], None, 1.0)
                doctor.__exit__(None, None, None)
                if loss_fn is not penalized:
                    preflight(model, loss_fn, x, y)
            kept += [p.grad.clone() for p in model.parameters()]
            optimizer.zero_grad()
        return [*kept, *model.state_dict().values(), counts.temperature.detach()]

    for before, after in zip(state(False), state(True), strict=True):
        assert torch.equal(before, after)


def test_a_loss_with_a_state_is_not_called_for_checks():
    counts = Counts()
    found = trained(network(), rings(), loss_fn=counts, epochs=2)
    assert counts.calls == found.recorder.steps + 2
    preflight(network(), counts, *rings(64))
    assert counts.calls == found.recorder.steps + 2


class Spells(nn.Module):
    """Reads words as they are."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(2, 2)

    def forward(self, words):
        return self.out(torch.tensor([[float(len(word)), float(word.count("a"))] for word in words]))


@pytest.mark.parametrize(
    "wrap",
    [lambda words: words, lambda words: {"words": words}, lambda words: UserDict(words=words)],
    ids=["list", "dict", "mapping"],
)
def test_inputs_that_are_no_tensors_are_watched_as_far_as_they_can_be(wrap):
    words = ["banana", "fig", "papaya", "plum"] * 8
    x, y = wrap(words), torch.tensor([1, 0, 1, 0] * 8)
    model = Spells()

    def forward(given):
        return model(words)

    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=0.05), nn.CrossEntropyLoss()
    with watch(model, optimizer, loss_fn=loss_fn) as doctor:
        for _ in range(3):
            for _ in range(3):
                optimizer.zero_grad()
                outputs = forward(x)
                loss = loss_fn(outputs, y)
                loss.backward()
                optimizer.step()
                doctor.step(x, y, outputs, loss)
            doctor.validation_step(x, y, outputs, loss)
            doctor.end_epoch()
    assert problems(doctor) == []
    assert "the checks of the first batch: the inputs hold no tensors, whose first axis would be the rows" in doctor.report()
    assert "random changes of validation data: the inputs hold no tensors" in doctor.report()
    assert doctor.signals.curves.validation


def test_what_could_not_be_checked_is_said_after_an_exception_and_without_validation():
    x, y = rings(64)
    doctor = watch(model := network(), torch.optim.Adam(model.parameters()), loss_fn=nn.CrossEntropyLoss())

    def breaks():
        with doctor:
            doctor.step(x, y, *usual_step(model, doctor.optimizer, doctor.loss_fn, x, y))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks()
    assert "the rows, the trained network and the re-runs: the loop ended with KeyboardInterrupt" in doctor.report()
    late = watch(model, doctor.optimizer, loss_fn=nn.CrossEntropyLoss())
    with late:
        for epoch in range(3):
            late.step(x, y, *usual_step(model, late.optimizer, late.loss_fn, x, y))
            if epoch == 1:
                late.validation_step(x, y, None, 1.0)
            late.end_epoch()
    assert "validation_step was never called" not in late.report()
    assert late.signals.number("leak_share") == 1
    without = looped(network(), [(x, y)], nn.CrossEntropyLoss())
    assert "the score and whatever compares training with validation: validation_step was never called" in without.report()
