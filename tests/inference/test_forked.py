"""A process that was forked from one that has predicted predicts as that one did."""

import os
import subprocess
import sys

import numpy as np
import pytest

import made_models
from trainwell.inference.ensemble import ONE_THREAD

FORKS = """
import os, signal, sys, warnings
import numpy as np
warnings.simplefilter("ignore")  # Python's own of forks beside threads
import trainwell

model = trainwell.load(sys.argv[1])
numeric, categories = (np.load(path) for path in sys.argv[2:])
before = model.average(numeric, categories)
child = os.fork()
if not child:
    signal.alarm(20)  # instead of waiting for ever
    os._exit(0 if np.array_equal(model.average(numeric, categories), before) else 1)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_predicts_what_its_parent_does(tmp_path):
    model = made_models.model("binary", {"widths": (4,), "numeric_embedding": "none"})
    chance = np.random.default_rng(0)
    np.save(tmp_path / "numeric.npy", chance.random((2 * ONE_THREAD, len(model.encoder.numeric_names)), np.float32))
    np.save(tmp_path / "categories.npy", np.zeros((2 * ONE_THREAD, len(model.encoder.cardinalities)), np.int32))
    folder = model.save(tmp_path / "model")
    words = [sys.executable, "-c", FORKS, str(folder), str(tmp_path / "numeric.npy"), str(tmp_path / "categories.npy")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "0\n"
