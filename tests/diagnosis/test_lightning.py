"""The Lightning callback on real modules: a fault is named, a healthy one is left alone, and what it cannot read is said."""

import importlib.util

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torch_programs import network, problems, rings
from trainwell.errors import InputError
from trainwell.lightning import diagnosis_callback

if importlib.util.find_spec("lightning") is None:
    pytest.skip("lightning is not installed", allow_module_level=True)

import lightning

# The trainer's own advice about the machine (loader workers, logging interval, pickling) is no error of ours.
pytestmark = pytest.mark.filterwarnings("ignore:::lightning", "ignore::FutureWarning", "ignore::DeprecationWarning")
LOSS = nn.CrossEntropyLoss()


class Module(lightning.LightningModule):
    """A classifier whose learning rate, loss and what its steps give can be chosen."""

    def __init__(self, rate: float = 5e-3, gives: str = "loss", optimizers: int = 1):
        super().__init__()
        self.inner, self.rate, self.gives, self.count = network(), rate, gives, optimizers

    def forward(self, x):
        return self.inner(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        outputs = self(x)
        return {"loss": LOSS(outputs, y), "outputs": outputs} if self.gives == "dictionary" else LOSS(outputs, y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        loss = LOSS(self(x), y)
        self.log("validation_loss", loss)
        return None if self.gives == "nothing" else loss

    def configure_optimizers(self):
        made = [torch.optim.SGD(self.parameters(), self.rate, momentum=0.9) for _ in range(self.count)]
        return made[0] if self.count == 1 else made


def fitted(module, data=None, epochs=12, **options):
    x, y = data or rings()
    rows = [
        DataLoader(TensorDataset(*part), 32, shuffle=at == 0)
        for at, part in enumerate(((x[:300], y[:300]), (x[300:], y[300:])))
    ]
    doctor = diagnosis_callback(loss_fn=LOSS, **options)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        callbacks=[doctor],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, *rows)
    return doctor


@pytest.mark.parametrize("gives", ["loss", "dictionary", "nothing"])
def test_a_healthy_module_has_no_problem(gives):
    found = fitted(Module(0.05, gives))
    assert problems(found) == []
    assert "No problem was found." in found.report()
    assert found.watch.signals.number("score") > 0.7
    assert found.watch.signals.not_run == {}
    assert len(found.watch.signals.curves.validation) == 12


def test_a_rate_that_is_too_low_is_proven_by_a_re_run_of_the_module():
    found = fitted(Module(1e-5))
    assert problems(found)[0] == "lr-too-low"
    assert found.findings[0].remedies[0].proven


def test_weights_that_the_optimizer_lacks_are_named():
    class Half(Module):
        def configure_optimizers(self):
            return torch.optim.Adam(self.inner[4].parameters())

    found = fitted(Half(), epochs=3, prove=False)
    assert problems(found)[0] == "parameters-not-in-optimizer"
    assert found.findings[0].layer == "inner.0.weight"


def test_a_module_is_copied_without_its_trainer_and_keeps_it():
    module = Module()
    found = fitted(module, epochs=1, prove=False)
    assert found.watch.start[0]._trainer is None
    assert module.trainer.callbacks[-1] is found or found in module.trainer.callbacks


def test_what_the_callback_cannot_read_gets_one_sentence():
    with pytest.raises(InputError, match=r"^The module has 2 optimizers; the diagnosis callback watches exactly one.$"):
        fitted(TwoOptimizers(optimizers=2), epochs=1)


class TwoOptimizers(Module):
    def __init__(self, **options):
        super().__init__(**options)
        self.automatic_optimization = False


def test_batches_that_are_no_pairs_get_one_sentence():
    class Triples(Module):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch[:2], batch_idx)

        def validation_step(self, batch, batch_idx):
            return super().validation_step(batch[:2], batch_idx)

    x, y = rings(64)
    rows = DataLoader(TensorDataset(x, y, y), 32)
    doctor = diagnosis_callback(loss_fn=LOSS)
    trainer = lightning.Trainer(
        max_epochs=1, callbacks=[doctor], accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    with pytest.raises(InputError, match=r"^A batch of the module is 3 parts; the diagnosis callback reads pairs of .+.$"):
        trainer.fit(Triples(), rows)
    assert doctor.watch.recorder._always == []  # its hooks are gone
