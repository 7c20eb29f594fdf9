"""Steps that a doctor does not expect: gathered, scaled, asked for again, by groups, sparse; none is accused."""

import math
import types

import pytest
import torch
from torch import nn

from torch_programs import Averages, looped, network, problems, rings, trained, usual_step
from trainwell.diagnosis.pytorch import trials
from trainwell.diagnosis.pytorch.replay import _set_rate
from trainwell.torch import watch


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


def test_re_runs_end_when_their_time_is_over(monkeypatch):
    monkeypatch.setattr(trials, "LEAST_SECONDS", 0.0)
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
