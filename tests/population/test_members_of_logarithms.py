"""Networks that learn a target's logarithm are measured, stopped and averaged in the target's own unit."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as reference

from small_networks import member, population, rows, structure, train
from trainwell.network.structure import Structure
from trainwell.network.target_log import fit_logarithm
from trainwell.population import checkpoint
from trainwell.population.epoch import Data
from trainwell.population.step import Rows

EXACT = {
    "r2": reference.r2_score,
    "rmse": lambda truth, guess: -reference.root_mean_squared_error(truth, guess),
    "mae": lambda truth, guess: -reference.mean_absolute_error(truth, guess),
    "pinball:0.9": lambda truth, guess: -reference.mean_pinball_loss(truth, guess, alpha=0.9),
}


def skewed(part: Rows) -> Rows:
    """Numbers above 0 with a long tail, standardized with constants of no matter."""
    return part._replace(target=((np.exp(part.target) - 1.5) / 2).astype(np.float32))


DATA = Data(skewed(rows("regression", 96)), skewed(rows("regression", 64, seed=1)))
NETWORK = structure("regression", logarithm=fit_logarithm(DATA.train.target, zero=-0.75))


@pytest.mark.parametrize("metric", EXACT)
def test_the_score_that_stops_a_member_is_scikit_learn_s_of_predictions_turned_back(metric):
    own = replace(population("regression", metric=metric), data=DATA)
    (trained,) = train([member(1, NETWORK, adam__learning_rate=0.01)], 4, of=own)
    (predictions,) = own.predict([trained], DATA.validation.numeric, DATA.validation.categories)
    assert trained.score == pytest.approx(EXACT[metric](DATA.validation.target, predictions[:, 0]), abs=1e-5)
    assert predictions.min() > NETWORK.logarithm[0]  # no prediction lies below the floor


def test_a_member_is_kept_in_a_file_with_the_logarithm_it_learned(tmp_path):
    own = replace(population("regression"), data=DATA)
    trained = train([member(1, NETWORK)], 2, of=own)
    checkpoint.save(trained, tmp_path / "members.safetensors")
    (back,) = checkpoint.load(tmp_path / "members.safetensors")
    assert back.member.structure == NETWORK
    np.testing.assert_array_equal(*(own.predict([one], *DATA.validation[:2]) for one in (back, trained[0])))
    assert Structure.from_json(json.loads(json.dumps(NETWORK.to_json()))) == NETWORK
