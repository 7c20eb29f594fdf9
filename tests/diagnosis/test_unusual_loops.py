"""Loops that a doctor does not expect: none is broken, none is accused, and what could not be checked is said."""

import math
import types
from collections import UserDict

import pytest
import torch
from torch import nn

from torch_programs import network, problems, rings, trained, usual_step, waves
from trainwell.diagnosis.pytorch import measure
from trainwell.diagnosis.pytorch.replay import _set_rate
from trainwell.torch import preflight, watch


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


class Averages(nn.Module):
    """Classes from word numbers, by the mean of their vectors."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.out = nn.Embedding(30, 16), nn.Linear(16, 2)

    def forward(self, x):
        return self.out(self.words(x).mean(1))


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


@pytest.mark.parametrize("gathered", [6, 8, 16])
def test_gradients_gathered_over_many_batches_are_no_fault(gathered):
    model, (x, y) = network(), rings(64)
    optimizer, calls = torch.optim.Adam(model.parameters(), lr=5e-3), [0]

    def gathers(x, y):
        outputs = model(x)
        loss = nn.functional.cross_entropy(outputs, y)
        (loss / gathered).backward()
        calls[0] += 1
        if calls[0] % gathered == 0:
            optimizer.step()
            optimizer.zero_grad()
        return outputs, loss

    batches = [(x, y)] * 24
    assert problems(looped(model, batches, nn.CrossEntropyLoss(), optimizer=optimizer, step=gathers, prove=False)) == []


@pytest.mark.parametrize("copied", [True, False])
def test_weights_that_something_else_moves_are_no_fault(copied):
    class Uncopied(nn.Linear):
        def __deepcopy__(self, memory):
            raise RuntimeError("holds a file")

    torch.manual_seed(0)
    model, (x, y) = (nn.Linear if copied else Uncopied)(6, 2), rings(64)
    inner = torch.optim.SGD(model.parameters(), lr=0.1)

    def moves(x, y):
        inner.zero_grad()
        outputs = model(x)
        loss = nn.functional.cross_entropy(outputs, y)
        loss.backward()
        inner.step()
        return outputs, loss

    outer = torch.optim.SGD(model.parameters(), lr=0.1)  # as an optimizer is that others are wrapped around
    assert problems(looped(model, [(x, y)] * 4, nn.CrossEntropyLoss(), optimizer=outer, step=moves, prove=False)) == []


@pytest.mark.parametrize("judge_first", [True, False])
def test_two_networks_that_are_trained_against_each_other_are_no_fault(judge_first):
    torch.manual_seed(0)
    maker, judge = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 6)), network(outputs=1)
    optimizers = {net: torch.optim.Adam(net.parameters(), lr=1e-3) for net in (maker, judge)}
    loss_fn = nn.BCEWithLogitsLoss()

    def update(net, outputs, y):
        loss = loss_fn(outputs, y)
        loss.backward()
        optimizers[net].step()
        return outputs, loss

    def both(x, y):
        def judges():
            optimizers[judge].zero_grad()
            return update(judge, judge(x), y)

        found = judges() if judge_first else None
        optimizers[maker].zero_grad()
        update(maker, judge(maker(torch.randn(len(x), 3))), torch.ones(len(x), 1))
        if judge_first:
            optimizers[judge].zero_grad()
        return found or judges()

    x, y = rings(64)
    batches = [(x, y.float()[:, None])] * 4
    found = looped(judge, batches, loss_fn, optimizer=optimizers[judge], step=both, task="binary", prove=False)
    assert problems(found) == []
    assert found.signals.number("share_cleared") == 0
    assert found.signals.number("kept_gradient") == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("lr", [0.5, 1e-9])
def test_an_optimizer_that_asks_for_the_loss_again_is_watched_but_not_run_again(lr):
    model, (x, y) = network(), rings()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=lr, max_iter=10)
    loss_fn, seen = nn.CrossEntropyLoss(), []

    def asks(x, y):
        def closure():
            optimizer.zero_grad()
            outputs = model(x)
            loss = loss_fn(outputs, y)
            loss.backward()
            seen[:] = outputs, loss.detach()
            return loss

        optimizer.step(closure)
        return seen[0], seen[1]

    found = looped(model, [(x[:300], y[:300])] * 4, loss_fn, optimizer=optimizer, step=asks, validation=[(x[300:], y[300:])])
    assert "gradient-clip-too-tight" not in problems(found)
    assert found.signals.number("kept_gradient") == pytest.approx(1, abs=1e-3)
    assert found.signals.trials == {}
    assert "the re-runs: the step of LBFGS needs a closure, which a re-run does not have" in found.report()


@pytest.mark.parametrize("clip", [1.0, 1e-4])
def test_mixed_precision_that_clips_is_told_from_a_tight_clip(clip):
    model, (x, y) = network(), rings(64)
    optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=65536.0)
    loss_fn = nn.CrossEntropyLoss()

    def scales(x, y):
        optimizer.zero_grad()
        outputs = model(x)
        loss = loss_fn(outputs, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        return outputs, loss

    found = looped(model, [(x, y)] * 4, loss_fn, optimizer=optimizer, step=scales, epochs=1, prove=False)
    named = [finding.cause for finding in found.findings if finding.severity != "note"]
    assert ("gradient-clip-too-tight" in named) is (clip < 1)
    assert found.signals.number("kept_gradient") > (1e-5 if clip < 1 else 0.5)


def test_a_group_that_is_held_still_is_no_wrong_schedule():
    model, data = network(), rings()
    groups = [{"params": model[0].parameters(), "lr": 0.0}, {"params": [*model[2].parameters(), *model[4].parameters()]}]
    optimizer = torch.optim.Adam(groups, lr=5e-3)
    found = trained(model, data, optimizer=optimizer)
    assert "lr-schedule-wrong" not in problems(found)
    assert set(found.signals.facts["learning_rates"]) == {5e-3}


def test_groups_keep_their_proportions_when_a_run_is_repeated():
    model = network()
    groups = [{"params": model[0].parameters(), "lr": 0.0}, {"params": model[2].parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD([*groups, {"params": model[4].parameters(), "lr": 0.2}])
    replay = types.SimpleNamespace(rates=[0.2, 0.4], steps=2, times=10.0, optimizer=optimizer)
    _set_rate(replay, 1)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.0, 2.0, 4.0])


class Own(torch.optim.SGD):
    """Finds its rate by itself, as Adafactor may."""

    def __init__(self, parameters):
        super().__init__(parameters, lr=0.1)
        for group in self.param_groups:
            group["lr"], group["betas"] = None, (None, 0.999)

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.data -= 0.1 * parameter.grad


def test_an_optimizer_without_a_rate_is_watched():
    model = network()
    found = trained(model, rings(), optimizer=Own(model.parameters()), epochs=3)
    assert found.signals.facts["learning_rates"] == []
    assert found.signals.number("momentum") == 0
    assert not {"the record of the steps", "what the record of the steps shows"} & set(found.signals.not_run)


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


def test_re_runs_end_when_their_time_is_over(monkeypatch):
    monkeypatch.setattr(measure, "LEAST_SECONDS", 0.0)
    model, (x, y) = network(), rings()
    with watch(model, torch.optim.SGD(model.parameters(), 30.0), loss_fn=nn.CrossEntropyLoss()) as doctor:
        for rows in torch.arange(300).split(32):
            doctor.step(x[rows], y[rows], *usual_step(model, doctor.optimizer, doctor.loss_fn, x[rows], y[rows]))
        doctor.validation_step(x[300:], y[300:], None, 1.0)
        doctor.end_epoch()
        doctor._entered = math.inf  # as if the training had taken no time at all
    assert doctor.signals.trials == {}
    assert "re-run: control: the time for re-runs, 0 s, was over" in doctor.report()
    assert "re-run: rate_tenth: the time for re-runs, 0 s, was over" in doctor.report()


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


def test_sparse_gradients_are_watched():
    torch.manual_seed(0)
    model = Averages()
    model.words = nn.Embedding(30, 16, sparse=True)
    x = torch.randint(0, 30, (64, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    found = looped(model, [(x, (x[:, 0] > 14).long())] * 4, nn.CrossEntropyLoss(), optimizer=optimizer, prove=False)
    assert problems(found) == []
    assert "the gradients of observed updates" not in found.signals.not_run
    assert found.signals.number("kept_gradient") == pytest.approx(1, abs=1e-3)
