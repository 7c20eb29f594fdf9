"""`watch` beside a PyTorch loop: it finds faults put in on purpose, leaves healthy runs alone and changes nothing."""

import copy

import pytest
import torch
from torch import nn

from torch_programs import network, problems, rings, trained, usual_step, waves
from trainwell.errors import InputError
from trainwell.torch import watch


@pytest.fixture(scope="module")
def healthy():
    return trained(network(), rings())


def test_a_healthy_run_has_no_problem(healthy):
    assert problems(healthy) == []
    assert "No problem was found." in healthy.report()
    assert healthy.signals.number("score") > 0.7


def test_training_gives_the_same_bits_with_and_without_the_doctor():
    def state(watched):
        model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
        torch.manual_seed(3)
        for layer in model:
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
        groups = [{"params": model[0].parameters()}, {"params": [*model[1].parameters(), *model[4].parameters()], "lr": 0.02}]
        optimizer = torch.optim.SGD(groups, lr=0.5, momentum=0.9)
        trained(model, rings(), optimizer=optimizer, watched=watched, epochs=3, every=2)
        return [*model.state_dict().values(), torch.get_rng_state()]

    for plain, seen in zip(state(False), state(True), strict=True):
        assert torch.equal(plain, seen)


def forgets_to_clear(model, optimizer, loss_fn, x, y):
    outputs = model(x)
    loss = loss_fn(outputs, y)
    loss.backward()
    optimizer.step()
    return outputs, loss


def clears_too_late(model, optimizer, loss_fn, x, y):
    outputs = model(x)
    loss = loss_fn(outputs, y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return outputs, loss


def never_steps(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    outputs = model(x)
    loss = loss_fn(outputs, y)
    loss.backward()
    return outputs, loss


def cuts_the_graph(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    outputs = model(x)
    loss = loss_fn(outputs.detach(), y).requires_grad_(True)
    loss.backward()
    optimizer.step()
    return outputs, loss


def clips_to_nothing(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    outputs = model(x)
    loss = loss_fn(outputs, y)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1e-6)
    optimizer.step()
    return outputs, loss


@pytest.mark.parametrize(
    ("step", "cause"),
    [
        (forgets_to_clear, "missing-zero-grad"),
        (clears_too_late, "optimizer-step-ineffective"),
        (never_steps, "optimizer-step-ineffective"),
        (cuts_the_graph, "detached-graph"),
    ],
)
def test_a_wrong_step_is_named(step, cause):
    assert problems(trained(network(), rings(), step=step, epochs=3, prove=False))[0] == cause


def test_gradients_that_are_gathered_over_batches_are_no_fault():
    calls = [0]

    def gathers(model, optimizer, loss_fn, x, y):
        outputs = model(x)
        loss = loss_fn(outputs, y)
        loss.backward()
        calls[0] += 1
        if calls[0] % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
        return outputs, loss

    assert problems(trained(network(), rings(), step=gathers, every=1, prove=False)) == []


def test_a_tight_clip_is_named_and_told_from_a_low_rate():
    model = network()
    found = trained(model, rings(), step=clips_to_nothing, optimizer=torch.optim.SGD(model.parameters(), 0.1), epochs=4)
    assert problems(found)[0] == "gradient-clip-too-tight"


def test_weights_that_no_optimizer_holds_are_named():
    model = network()
    found = trained(model, rings(), optimizer=torch.optim.Adam(model[4].parameters()), epochs=3, prove=False)
    assert problems(found)[0] == "parameters-not-in-optimizer"
    assert found.findings[0].layer == "0.weight"


def test_modes_that_were_forgotten_are_named():
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 2))
    assert (
        problems(trained(copy.deepcopy(model), rings(), epochs=3, validation_mode=True, prove=False))[0] == "eval-mode-missing"
    )
    assert (
        problems(trained(copy.deepcopy(model), rings(), epochs=3, training_mode=False, prove=False))[0] == "train-mode-missing"
    )


def test_outputs_against_flat_targets_are_named():
    x, y = waves()
    found = trained(network(4, 1), (x, y[:, 0]), loss_fn=lambda out, y: (out - y).square().mean(), epochs=3, prove=False)
    assert problems(found)[0] == "broadcasting-loss"


class Mixes(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(6, 32), nn.Linear(32, 2)

    def forward(self, x):
        return self.outer(torch.softmax(self.inner(x), dim=0))


def test_rows_that_are_mixed_are_named():
    assert problems(trained(Mixes(), rings(), epochs=3, prove=False))[0] == "batch-mixing"


@pytest.mark.parametrize(
    ("last", "loss_fn", "data", "cause"),
    [
        (nn.Softmax(1), nn.CrossEntropyLoss(), rings, "loss-on-probabilities"),
        (nn.Tanh(), nn.CrossEntropyLoss(), rings, "wrong-output-activation"),
        (nn.Identity(), lambda out, y: -nn.functional.cross_entropy(out, y), rings, "loss-sign-flipped"),
        (nn.ReLU(), nn.MSELoss(), waves, "wrong-output-activation"),
        (nn.Identity(), lambda out, y: -nn.functional.mse_loss(out, y), waves, "loss-sign-flipped"),
    ],
)
def test_a_loss_and_an_output_that_do_not_fit_are_named(last, loss_fn, data, cause):
    x, y = data()
    model = nn.Sequential(*network(x.shape[1], 1 if y.is_floating_point() else 2), last)
    assert problems(trained(model, (x, y), loss_fn=loss_fn, epochs=2, prove=False))[0] == cause


@pytest.mark.parametrize("last", [nn.LogSoftmax(1), nn.Identity()])
def test_a_loss_and_an_output_that_fit_are_no_fault(last):
    loss_fn = nn.NLLLoss() if isinstance(last, nn.LogSoftmax) else nn.CrossEntropyLoss(weight=torch.tensor([1.0, 20.0]))
    assert problems(trained(nn.Sequential(*network(), last), rings(), loss_fn=loss_fn, prove=False)) == []


def test_logits_of_several_labels_are_not_taken_for_a_poor_regression():
    x, _ = rings()
    labels = (x[:, :3] + 0.3 * x[:, 3:].roll(1, 1) > 0.5).float()
    found = trained(network(outputs=3), (x, labels), loss_fn=nn.BCEWithLogitsLoss())
    assert problems(found) == []
    assert "the score: outputs are not meant to equal the targets, as with rates, logarithms or logits" in found.report()


def test_missing_values_and_single_classes_are_named():
    x, y = rings()
    holes = x.clone()
    holes[5, 2] = float("nan")
    assert problems(trained(network(), (holes, y), epochs=2, prove=False))[0] == "data-has-nan-or-inf"
    assert problems(trained(network(), (x, torch.zeros_like(y)), epochs=2, prove=False))[0] == "labels-constant-or-single-class"


def test_validation_rows_that_were_trained_on_are_named():
    x, y = rings()
    assert problems(trained(network(), (x, y), validation=(x[:90], y[:90]), prove=False))[0] == "leak-train-validation"


def test_a_rate_that_is_too_high_is_proven_by_a_re_run():
    model = network()
    found = trained(model, rings(), optimizer=torch.optim.SGD(model.parameters(), 30.0), epochs=6)
    assert problems(found)[0] == "lr-too-high"
    remedy = found.findings[0].remedies[0]
    assert remedy.proven
    assert remedy.after > remedy.before + 0.1
    assert "in a short re-run the score went from" in found.report()


def test_layers_without_activation_are_named():
    found = trained(network(activation=nn.Identity), rings())
    assert problems(found)[0] == "missing-nonlinearity"


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (lambda: watch(3), r"^The model is a int; it must be a torch.nn.Module.$"),
        (
            lambda: watch(network()),
            r"^watch was given no optimizer; it must be called as watch\(model, optimizer, loss_fn=...\).$",
        ),
        (lambda: watch(network(), "adam"), r"^The optimizer is a str; it must be a torch.optim.Optimizer.$"),
        (
            lambda: _watch(task="ranking"),
            r"^task is 'ranking'; it must be one of binary, multiclass, regression, or left out.$",
        ),
        (lambda: _watch(every=0), r"^every is 0; it must be 1 or more.$"),
        (
            lambda: watch(nn.ReLU(), _watch().optimizer),
            r"^The model, a ReLU, has no parameters; watch needs one that has some to train.$",
        ),
        (lambda: _watch(loss_fn=3), r"^loss_fn is a int; it must be callable as loss_fn\(outputs, targets\).$"),
        (
            lambda: _watch().step(*rings(8), None, 1.0),
            r"^step was called outside the with block; it must be called between .+ it.$",
        ),
    ],
)
def test_a_bad_call_gets_one_sentence(bad, sentence):
    with pytest.raises(InputError, match=sentence):
        bad()


def _watch(**options):
    model = network()
    return watch(model, torch.optim.Adam(model.parameters()), **options)


def test_rows_and_losses_that_do_not_fit_get_one_sentence():
    x, y = rings(8)
    with _watch() as doctor:
        with pytest.raises(InputError, match=r"^step was given 8 rows of inputs and 4 of targets; they must be as many.$"):
            doctor.step(x, y[:4], None, torch.tensor(1.0))
        with pytest.raises(InputError, match=r"^The loss given to step is \[8\]; it must be one number.$"):
            doctor.step(x, y, None, torch.ones(8))
        with pytest.raises(InputError, match=r"^The loss given to validation_step is NoneType; it must be one number.$"):
            doctor.validation_step(x, y, None, None)
        with pytest.raises(InputError, match=r"^validation_step was given 8 rows of inputs and 4 of targets; .+ as many.$"):
            doctor.validation_step(x, y[:4], None, 1.0)


def test_a_loss_that_is_no_number_is_told_in_a_step_that_is_not_observed_too():
    x, y = rings(8)
    with _watch() as doctor:
        for _ in range(6):
            doctor.step(x, y, None, torch.tensor(1.0))
        assert not doctor.recorder.observing
        with pytest.raises(InputError, match=r"^The loss given to step is \[8\]; it must be one number.$"):
            doctor.step(x, y, None, torch.ones(8))


def test_a_watch_is_for_one_run():
    x, y = rings(8)
    doctor = _watch()
    with doctor:
        doctor.step(x, y, None, 1.0)
        with pytest.raises(InputError, match=r"^watch was entered a second time; each training run needs a watch of its own.$"):
            doctor.__enter__()
    for call in (lambda: doctor.step(x, y, None, 1.0), lambda: doctor.validation_step(x, y, None, 1.0), doctor.end_epoch):
        with pytest.raises(InputError, match=r"was called outside the with block; it must be called between .+ it.$"):
            call()


def test_without_a_step_nothing_was_looked_at():
    x, y = rings(32)
    with _watch() as doctor:
        doctor.validation_step(x, y, None, 1.0)
        doctor.end_epoch()
    assert doctor.report().startswith("Nothing was looked at.")
    assert "everything: step was never called" in doctor.report()


@pytest.mark.parametrize("pack", [lambda out: (out, out.sum(1)), lambda out: {"logits": out}])
def test_outputs_that_are_no_tensor_are_watched_as_far_as_they_can_be(pack):
    class Packs(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            return pack(self.inner(x))

    def loss_fn(outputs, y):
        return nn.functional.cross_entropy(outputs[0] if isinstance(outputs, tuple) else outputs["logits"], y)

    sound = trained(Packs(), rings(), loss_fn=loss_fn, epochs=3)
    assert problems(sound) == []
    assert "the checks of the outputs: the model cannot be called as model(x), or does not give one tensor" in sound.report()
    assert problems(trained(Packs(), rings(), loss_fn=loss_fn, epochs=3, step=forgets_to_clear))[0] == "missing-zero-grad"


def test_findings_can_be_asked_for_while_training_goes_on():
    model, (x, y) = network(), rings(64)
    optimizer = torch.optim.Adam(model.parameters())
    with watch(model, optimizer, loss_fn=nn.CrossEntropyLoss()) as doctor:
        for _ in range(4):
            doctor.step(x, y, *forgets_to_clear(model, optimizer, nn.CrossEntropyLoss(), x, y))
        assert problems(doctor) == ["missing-zero-grad"]


def test_after_an_exception_nothing_is_run_again():
    model, (x, y) = network(), rings(64)
    doctor = watch(model, torch.optim.Adam(model.parameters()), loss_fn=nn.CrossEntropyLoss())

    def breaks():
        with doctor:
            doctor.step(x, y, *forgets_to_clear(model, doctor.optimizer, nn.CrossEntropyLoss(), x, y))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert doctor.signals.trials == {}
    assert doctor.recorder.steps == 1


def test_a_model_that_cannot_be_copied_is_watched_all_the_same():
    class Uncopied(nn.Linear):
        def __deepcopy__(self, memory):
            raise RuntimeError("holds a file")

    found = trained(Uncopied(6, 2), rings(), epochs=2, step=usual_step)
    assert "the model cannot be copied (holds a file)" in found.report()


def test_the_page_is_whole_and_names_the_cause(tmp_path):
    found = trained(network(), rings(), step=forgets_to_clear, epochs=3, prove=False)
    found.html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<h2>missing-zero-grad</h2>" in page
    assert "http" not in page
