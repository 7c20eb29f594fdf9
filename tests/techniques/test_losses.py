"""Every loss equals its reference for each row, in value and gradient, also at the ends of the number range."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss

from trainwell.errors import InputError
from trainwell.hyperparameter import defaults
from trainwell.techniques import losses
from trainwell.techniques.losses import LOSSES

NUMBERS = np.random.default_rng(7)
ROWS, CLASSES = 60, 4
LABELS = NUMBERS.choice([0, 1, 3], size=ROWS)  # class 2 is absent
LOGITS = NUMBERS.normal(size=(ROWS, CLASSES)) * NUMBERS.choice([1.0, 10.0, 1000.0], size=(ROWS, 1))
LOGITS[0], LOGITS[1] = [1000.0, -1000.0, 0.0, 1000.0], [-1000.0, -1000.0, -1000.0, -1000.0]
ONE_LOGIT = np.concatenate([[[1000.0], [-1000.0], [0.0], [1000.0], [-1000.0]], 5 * NUMBERS.normal(size=(ROWS - 5, 1))])
BINARY = np.concatenate([[0, 0, 1, 1, 1], NUMBERS.integers(0, 2, ROWS - 5)])
OUTPUTS, TARGETS = 3 * NUMBERS.normal(size=(ROWS, 1)), 3 * NUMBERS.normal(size=ROWS)
OUTPUTS[0], OUTPUTS[1] = 1e6, TARGETS[1]


def ours(function, outputs, targets, **settings):
    """Value and gradient of three members with unlike settings, (members, rows) and (members, rows, columns)."""
    outputs, targets = jnp.asarray(outputs), jnp.asarray(targets)

    def total(outputs, settings):
        per_row = function(outputs, targets, **settings)
        return per_row.sum(), per_row

    member = jax.value_and_grad(total, has_aux=True)
    members = jax.vmap(lambda settings: member(outputs, settings), axis_size=3)
    (_, values), gradients = members({key: jnp.asarray(value) for key, value in settings.items()})
    return values, gradients


def theirs(function, outputs):
    outputs = torch.tensor(outputs, requires_grad=True)
    values = function(outputs)
    values.sum().backward()
    return values.detach(), outputs.grad


def assert_same(mine, reference, number):
    for one, other in zip(mine, reference, strict=True):
        np.testing.assert_allclose(one[number], other, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("class_weights", [None, [0.1, 1.0, 2.0, 5.0]])
def test_cross_entropy_equals_pytorch(class_weights):
    smoothing, labels = [0.0, 0.1, 0.9], torch.tensor(LABELS)
    weights = None if class_weights is None else jnp.array(class_weights)

    def function(logits, targets, label_smoothing):
        return losses.cross_entropy(logits, targets, label_smoothing=label_smoothing, class_weights=weights)

    mine = ours(function, LOGITS, LABELS, label_smoothing=smoothing)
    for number in range(3):
        options = {
            "reduction": "none",
            "label_smoothing": smoothing[number],
            "weight": None if class_weights is None else torch.tensor(class_weights, dtype=torch.float64),
        }
        reference = theirs(partial(torch.nn.functional.cross_entropy, target=labels, **options), LOGITS)
        assert_same(mine, reference, number)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("positive_weight", [1.0, 3.0])
def test_binary_cross_entropy_equals_pytorch(positive_weight):
    smoothing = np.array([0.0, 0.1, 0.9])
    weights = jnp.array([1.0, positive_weight])

    def function(logits, targets, label_smoothing):
        return losses.binary_cross_entropy(logits, targets, label_smoothing=label_smoothing, class_weights=weights)

    mine = ours(function, ONE_LOGIT, BINARY, label_smoothing=smoothing)
    for number in range(3):
        smoothed = torch.tensor((1 - smoothing[number]) * BINARY + smoothing[number] / 2)[:, None]
        options = {"reduction": "none", "pos_weight": torch.tensor(positive_weight, dtype=torch.float64)}
        entropy = partial(torch.nn.functional.binary_cross_entropy_with_logits, target=smoothed, **options)
        values, gradients = theirs(entropy, ONE_LOGIT)
        assert_same(mine, (values[:, 0], gradients), number)


@pytest.mark.usefixtures("float64")
def test_binary_cross_entropy_is_cross_entropy_of_two_logits():
    weights, settings = jnp.array([0.5, 3.0]), {"label_smoothing": 0.2}
    two = np.concatenate([np.zeros_like(ONE_LOGIT), ONE_LOGIT], axis=1)
    one = losses.binary_cross_entropy(jnp.asarray(ONE_LOGIT), jnp.asarray(BINARY), class_weights=weights, **settings)
    other = losses.cross_entropy(jnp.asarray(two), jnp.asarray(BINARY), class_weights=weights, **settings)
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.usefixtures("float64")
def test_focal_equals_its_equation_in_pytorch():
    gamma, labels = [0.0, 0.5, 2.0], torch.tensor(LABELS)
    moderate = LOGITS.clip(-15, 15)  # within which the plain equation holds ten figures
    mine = ours(losses.focal, moderate, LABELS, gamma=gamma)

    def equation(logits, gamma):
        p = torch.softmax(logits, dim=1)
        wrong = (p * (1 - torch.nn.functional.one_hot(labels, CLASSES))).sum(dim=1)
        return wrong**gamma * torch.nn.functional.cross_entropy(logits, labels, reduction="none")

    for number in range(3):
        assert_same(mine, theirs(lambda logits, power=gamma[number]: equation(logits, power), moderate), number)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_stays_finite_and_right_at_the_ends(gamma):
    logits, labels = jnp.array([[1000.0, -1000.0], [-1000.0, 1000.0]]), jnp.array([0, 0])
    total = jax.value_and_grad(lambda logits: losses.focal(logits, labels, gamma=gamma).sum())
    value, gradient = total(logits)
    assert float(value) == 2000.0  # nothing for the row predicted surely, 2000 for the row missed surely
    np.testing.assert_allclose(gradient, [[0, 0], [-1, 1]], atol=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("level", [0.0, 1000.0, -1000.0])
def test_focal_of_a_sure_row_keeps_its_figures_in_float32(gamma, level):
    gaps = np.array([8.0, 12.0, 16.0, 20.0])  # of the logits; what is wrong has a chance of 3e-4 to 2e-9
    logits = np.stack([np.full(4, level), level + gaps], axis=1)
    found = losses.focal(jnp.asarray(logits, jnp.float32), jnp.ones(4, int), gamma=gamma)
    small = np.log1p(np.exp(-gaps))  # -log p
    np.testing.assert_allclose(found, (-np.expm1(-small)) ** gamma * small, rtol=1e-5)


@pytest.mark.usefixtures("float64")
def test_focal_of_one_column_is_focal_of_two_logits_and_takes_class_weights():
    two = np.concatenate([np.zeros_like(ONE_LOGIT), ONE_LOGIT], axis=1)
    weights = jnp.array([0.25, 0.75])
    one = losses.focal(jnp.asarray(ONE_LOGIT), jnp.asarray(BINARY), gamma=2.0, class_weights=weights)
    other = losses.focal(jnp.asarray(two), jnp.asarray(BINARY), gamma=2.0)
    np.testing.assert_allclose(one, other * np.where(BINARY == 1, 0.75, 0.25), rtol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize(
    ("name", "unlike", "reference"),
    [
        ("squared_error", {}, lambda o, t: torch.nn.functional.mse_loss(o, t, reduction="none")),
        ("absolute_error", {}, lambda o, t: torch.nn.functional.l1_loss(o, t, reduction="none")),
        (
            "huber",
            {"delta": [0.1, 1.0, 10.0]},
            lambda o, t, delta: torch.nn.functional.huber_loss(o, t, reduction="none", delta=delta),
        ),
    ],
)
def test_a_regression_loss_equals_pytorch(name, unlike, reference, flat):
    outputs = OUTPUTS[:, 0] if flat else OUTPUTS
    mine = ours(LOSSES[name].per_row, outputs, TARGETS, **unlike)
    for number in range(3):
        settings = {key: value[number] for key, value in unlike.items()}
        targets = torch.tensor(TARGETS if flat else TARGETS[:, None])
        values, gradients = theirs(lambda o, t=targets, s=settings: reference(o, t, **s), outputs)
        assert_same(mine, (values.reshape(-1), gradients), number)


@pytest.mark.usefixtures("float64")
def test_quantile_equals_scikit_learn_and_its_best_constant_is_the_quantile():
    quantiles = [0.05, 0.5, 0.9]
    values, _ = ours(losses.quantile, OUTPUTS, TARGETS, quantile=quantiles)
    constants = jnp.linspace(-9, 9, 3601)

    def risk(constants, share):
        outputs = jnp.broadcast_to(constants[:, None], (len(constants), ROWS))
        return jax.vmap(lambda row: losses.quantile(row, jnp.asarray(TARGETS), quantile=share).mean())(outputs)

    for number, share in enumerate(quantiles):
        assert float(values[number].mean()) == pytest.approx(mean_pinball_loss(TARGETS, OUTPUTS[:, 0], alpha=share), rel=1e-12)
        best = float(constants[jnp.argmin(risk(constants, share))])
        assert np.mean(best - 0.01 > TARGETS) <= share <= np.mean(best + 0.01 > TARGETS)


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", "focal"])
def test_a_classification_loss_is_finite_in_single_precision_at_huge_logits(name):
    loss, binary = LOSSES[name], name == "binary_cross_entropy"
    logits = jnp.array([[1000.0], [-1000.0]]) if binary else jnp.array([[1000.0, -1000.0], [-1000.0, 1000.0]])
    for targets in (jnp.array([0, 0]), jnp.array([1, 1])):
        total = jax.value_and_grad(lambda z, t=targets: loss.per_row(z, t, **defaults(loss.hyperparameters)).sum())
        value, gradient = total(logits)
        assert np.isfinite(value)
        assert bool(jnp.isfinite(gradient).all())


@pytest.mark.parametrize("name", LOSSES)
def test_outputs_that_do_not_fit_the_targets_are_refused_and_never_broadcast(name):
    loss = LOSSES[name]
    with pytest.raises(InputError, match=r"The loss got (outputs|logits) of shape \(5, 3\) and targets of shape \(4,\)"):
        loss.per_row(jnp.zeros((5, 3)), jnp.zeros(4, int), **defaults(loss.hyperparameters))
    with pytest.raises(InputError, match=r"targets of shape \(5, 1\)"):
        loss.per_row(jnp.zeros((5, 1)), jnp.zeros((5, 1), int), **defaults(loss.hyperparameters))
