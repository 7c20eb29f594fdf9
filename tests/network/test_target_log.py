"""A target learned as its logarithm: turned back it is what it was, whatever the target; and the loss alone sees logarithms."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from small_networks import structure
from trainwell.errors import InputError
from trainwell.network.structure import EXAMPLE, Structure
from trainwell.network.target_log import BEYOND, FARTHEST, LEAST, fit_logarithm, learned, predicted
from trainwell.population.metrics import predictions_of
from trainwell.population.step import row_losses

LOGARITHM = fit_logarithm(np.linspace(0, 1, 9), zero=-1.0)
# as an encoder standardizes: mean 0, spread 1, but for a constant, which is 0 everywhere
targets = arrays(np.float64, 12, elements=st.floats(-1e30, 1e30)).filter(lambda y: y.std() == 0 or y.std() > 1e-6)


def standardized(values: np.ndarray) -> tuple[np.ndarray, float]:
    """(target, where its 0 lies)."""
    scale = values.std() or 1.0
    return ((values - values.mean()) / scale).astype(np.float32), -values.mean() / scale


@settings(max_examples=40)
@given(targets)
def test_what_is_learned_turns_back_to_the_number_whatever_its_sign_and_size(values):
    target, zero = standardized(values)
    logarithm = fit_logarithm(target, zero)
    logs = learned(jnp.asarray(target), logarithm)
    assert np.isfinite(np.asarray(logs)).all()
    back = predicted(logs[:, None], logarithm)[:, 0]
    np.testing.assert_allclose(np.asarray(back), target, atol=1e-4)
    order = np.argsort(target, kind="stable")
    assert (np.diff(np.asarray(logs)[order]) >= -1e-5).all()


def test_the_logarithms_of_the_training_rows_are_standardized():
    target, zero = standardized(np.random.default_rng(0).lognormal(8, 1.0, 500))
    logs = np.asarray(learned(jnp.asarray(target), fit_logarithm(target, zero)))
    assert (logs.mean(), logs.std()) == (pytest.approx(0, abs=1e-4), pytest.approx(1, abs=1e-4))


def test_the_mean_of_logarithms_turns_back_to_the_geometric_mean_which_lies_below_the_mean():
    values = np.random.default_rng(0).lognormal(3, 0.8, 500)
    target, zero = standardized(values)
    middle = float(predicted(jnp.zeros((1, 1)), fit_logarithm(target, zero))[0, 0]) * values.std() + values.mean()
    assert middle == pytest.approx(np.exp(np.log(values).mean()), rel=1e-3)
    assert middle < 0.8 * values.mean()


@pytest.mark.parametrize(
    ("values", "floor"),
    [
        ([1.0, 2.0, 4.0], 0.0),
        ([0.0, 1.0, 8.0], -LEAST * np.std([0.0, 1.0, 8.0])),
        ([-5.0, 0.0, 9.0], -5.0 - LEAST * np.std([-5.0, 0.0, 9.0])),
        ([1e6, 1e6 + 1, 1e6 + 3], 1e6 - FARTHEST * np.std([0.0, 1.0, 3.0])),
    ],
)
def test_the_floor_is_zero_or_a_little_below_the_smallest_and_never_far_away(values, floor):
    values = np.array(values)
    target, zero = standardized(values)
    assert fit_logarithm(target, zero).floor * values.std() + values.mean() == pytest.approx(floor, rel=1e-6, abs=1e-6)


def test_no_prediction_is_infinite_or_far_beyond_the_training_rows_and_none_lies_below_the_floor():
    target, zero = standardized(np.array([1.0, 2.0, 4.0]))
    logarithm = fit_logarithm(target, zero)
    low, high = np.asarray(predicted(jnp.array([[-1e6], [1e6]]), logarithm))[:, 0]
    assert low == pytest.approx(logarithm.floor)
    assert high - logarithm.floor == pytest.approx(BEYOND * (target.max() - logarithm.floor), rel=1e-4)


def test_a_row_below_the_floor_is_learned_as_the_smallest_there_can_be():
    below, smallest = np.asarray(learned(jnp.array([-9.0, LOGARITHM.floor + LEAST]), LOGARITHM))
    assert below == pytest.approx(smallest, rel=1e-4)


def test_a_loss_is_of_logarithms_and_predictions_are_of_the_number():
    own = structure("regression", logarithm=LOGARITHM)
    outputs, target = jnp.array([[0.5], [-1.0]]), jnp.array([0.2, 0.9])
    expected = (outputs[:, 0] - learned(target, LOGARITHM)) ** 2
    np.testing.assert_allclose(row_losses(outputs, target, own, {}, None), expected, rtol=1e-6)
    np.testing.assert_allclose(predictions_of(outputs, "regression", own.logarithm), predicted(outputs, LOGARITHM), rtol=1e-6)
    assert predictions_of(outputs, "regression") is outputs
    assert own.describe() == "8 silu, no input scaling, log target, batch 16"


def test_a_structure_of_an_older_file_learns_the_number_itself():
    older = {name: value for name, value in EXAMPLE.to_json().items() if name != "logarithm"}
    assert Structure.from_json(older) == EXAMPLE


@pytest.mark.parametrize("wrong", [(1.0,), (0.0, 0.0, 0.0, 1.0), (0.0, float("nan"), 1.0, 1.0), (0.0, 0.0, 1.0, float("inf"))])
def test_numbers_that_are_no_logarithm_are_refused(wrong):
    with pytest.raises(InputError, match=r"allowed are a floor, a mean, a spread above 0 and a largest, all finite\.$"):
        structure("regression", logarithm=wrong)


def test_classes_have_no_logarithm():
    with pytest.raises(
        InputError, match=r"^a target is learned as its logarithm, but the loss 'cross_entropy' is one of class"
    ):
        structure("multiclass", logarithm=LOGARITHM)
