"""`preflight` before training, and what is measured of functions, rows and curvature on their own."""

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from torch_programs import network, problems, rings, trained, waves
from trainwell.diagnosis import reference
from trainwell.diagnosis.pytorch import curvature, functions, starts
from trainwell.errors import InputError
from trainwell.torch import preflight


def causes(found):
    return [finding.cause for finding in found.findings if finding.severity != "note"]


def test_a_sound_network_passes_and_stays_as_it_was():
    x, y = rings(64)
    model = network()
    before = [value.clone() for value in model.state_dict().values()]
    torch.manual_seed(5)
    stream = torch.get_rng_state()
    found = preflight(model, nn.CrossEntropyLoss(), x, y, optimizer=torch.optim.Adam(model.parameters()))
    assert causes(found) == []
    assert str(found).startswith("No problem was found.")
    assert all(torch.equal(old, new) for old, new in zip(before, model.state_dict().values(), strict=True))
    assert torch.equal(stream, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_preflight_alone_finds_what_one_batch_shows():
    x, y = rings(64)
    model = network()
    half = preflight(model, nn.CrossEntropyLoss(), x, y, optimizer=torch.optim.Adam(model[4].parameters()))
    assert causes(half)[0] == "parameters-not-in-optimizer"
    assert causes(preflight(network(4, outputs=3), nn.MSELoss(), *waves(64)))[0] == "wrong-output-size"
    assert causes(preflight(network(), nn.CrossEntropyLoss(), x, y, validation=(x[:32], y[:32])))[0] == "leak-train-validation"


def test_a_network_that_cannot_learn_a_few_rows_is_named():
    class Blind(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            return self.inner(torch.zeros_like(x))

    found = preflight(Blind(), nn.CrossEntropyLoss(), *rings(64))
    assert {"rows-not-learned-by-heart", "inputs-make-no-difference"} <= set(causes(found))


def test_rows_that_do_not_fit_get_one_sentence():
    x, y = rings(8)
    with pytest.raises(InputError, match=r"^preflight was given 8 rows of inputs and 3 of targets; they must be as many.$"):
        preflight(network(), nn.CrossEntropyLoss(), x, y[:3])
    with pytest.raises(InputError, match=r"^The model cannot be called with this batch \(mat1 and mat2 shapes .+\).$"):
        preflight(network(4), nn.CrossEntropyLoss(), x, y)

    class Refuses(nn.Linear):
        def forward(self, _):
            raise NotImplementedError

    with pytest.raises(InputError, match=r"^The model cannot be called with this batch \(NotImplementedError\).$"):
        preflight(Refuses(6, 2), nn.CrossEntropyLoss(), x, y)


class Reader(nn.Module):
    """A recurrent network with a layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.read, self.mix, self.out = nn.GRU(3, 16, batch_first=True), nn.Linear(16, 16), nn.Linear(16, 2)

    def forward(self, x):
        state = self.read(x.reshape(len(x), 2, 3))[0][:, -1]
        return self.out(torch.relu(self.mix(torch.relu(self.mix(state)))))


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.see, self.norm, self.out = nn.Conv2d(1, 8, 2), nn.BatchNorm2d(8), nn.Linear(16, 2)

    def forward(self, x):
        return self.out(torch.relu(self.norm(self.see(x.reshape(len(x), 1, 2, 3)))).flatten(1))


@pytest.mark.parametrize("kind", [Reader, Pictures])
def test_recurrent_shared_and_convolutional_layers_are_watched(kind):
    torch.manual_seed(0)
    model = kind()
    schedule = torch.optim.Adam(model.parameters(), lr=0.01)
    found = trained(model, rings(), optimizer=schedule, epochs=25)
    assert found.signals.not_run == {}
    assert problems(found) == []
    assert found.signals.layers["out.weight"].gradient_norm


def test_weights_in_a_plain_list_are_found():
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = [nn.Linear(6, 16)], nn.Linear(16, 2)

        def forward(self, x):
            return self.out(torch.relu(self.hidden[0](x)))

    found = trained(Listed(), rings(), epochs=3, prove=False)
    assert problems(found)[0] == "parameters-not-in-optimizer"
    assert found.findings[0].layer == "hidden.0.weight"


def test_the_range_of_an_output_is_found_whatever_the_weights():
    x, _ = rings(16)
    reach = functions.reach_facts(nn.Sequential(nn.Linear(6, 4), nn.Sigmoid()), x)
    assert (reach["reach_low"], reach["reach_high"]) == (0.0, 1.0)
    assert functions.reach_facts(nn.Sequential(nn.Linear(6, 4), nn.Softmax(1)), x)["reach_sums_to_one"]
    free = functions.reach_facts(nn.Linear(6, 4), x)
    assert free["reach_low"] < -1000
    assert free["reach_high"] > 1000


@pytest.mark.parametrize(
    ("loss", "pairs"),
    [
        (lambda out, y: (out - y).square().mean(), True),
        (lambda out, y: (out[:, 0] - y).square().mean(), False),
        (lambda out, y: (out[:, 0] - y).square().mean().sqrt(), False),
    ],
)
def test_a_loss_that_compares_rows_with_each_other_is_told_by_its_gradient(loss, pairs):
    generator = torch.Generator().manual_seed(0)
    share = functions.pairing(loss, torch.randn(32, 1, generator=generator), torch.randn(32, generator=generator))
    assert (share > 0.02) is pairs


def test_curvature_of_a_known_surface():
    class Saddle(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([0.0, 0.0, 0.0]))

        def forward(self, x):
            return (self.weight.square() * torch.tensor([3.0, -1.0, 0.5])).sum()

    ends = curvature.extreme_eigenvalues(Saddle(), lambda out, _: out, anything(), anything())
    np.testing.assert_allclose((ends.gradient_norm, ends.lowest, ends.highest), (0.0, -2.0, 6.0), atol=1e-4)
    assert curvature.verdict(ends)[0] == "saddle"
    nodes, weights = curvature.spectral_density(Saddle(), lambda out, _: out, anything(), anything(), probes=40)
    assert float(weights.sum()) == pytest.approx(1)
    assert float((nodes * weights).sum()) == pytest.approx(5 / 3, abs=0.8)  # the mean eigenvalue; each probe has its own chance


def anything():
    return torch.zeros(1)


def test_units_that_are_twins_are_counted():
    x, y = rings(32)
    model = network()
    assert max(starts.twin_shares(model, nn.CrossEntropyLoss(), x, y).values()) == 0
    for layer in (model[0], model[2], model[4]):
        nn.init.constant_(layer.weight, 0.1)
        nn.init.zeros_(layer.bias)
    assert starts.twin_shares(model, nn.CrossEntropyLoss(), x, y)["0"] == 1


def test_copies_order_and_shift_are_measured_against_chance():
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(400, 5))
    assert reference.copies(rows, rows[:100]) == 1
    assert reference.copies(rows, chance.normal(size=(100, 5))) == 0
    coins = chance.integers(0, 2, (400, 2)).astype(float)  # rows of two coins are copies of each other without any leak
    assert reference.copies(coins, chance.integers(0, 2, (100, 2)).astype(float)) == 0
    assert abs(reference.shift(rows, chance.normal(size=(200, 5))) - 0.5) < 0.1
    assert reference.shift(rows, chance.normal(size=(200, 5)) + 3) > 0.95
    classes = np.repeat([0, 1, 2, 3], 100)
    assert reference.order_excess(classes, [20] * 20, "multiclass") == 1
    assert abs(reference.order_excess(chance.permutation(classes), [20] * 20, "multiclass")) < 0.1


def test_lightning_is_asked_for_only_when_it_is_used():
    from trainwell import lightning

    if importlib.util.find_spec("lightning") or importlib.util.find_spec("pytorch_lightning"):
        assert lightning.diagnosis_callback().findings == []
    else:
        with pytest.raises(InputError, match=r"^Lightning is not installed; `pip install lightning` brings it.$"):
            lightning.diagnosis_callback()
