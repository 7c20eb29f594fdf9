"""Members that have trained without anybody having trained them: what a search reads of a member, and nothing else."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

from trainwell.population.history import Curves
from trainwell.population.member import Member, Training
from trainwell.population.step import start


@pytest.fixture(scope="session")
def scored() -> Callable[..., Training]:
    """A function that makes a training of a member with a score; ``ended``, or left behind after so many epochs, or failed."""
    states = {}

    def make(member: Member, score: float, epochs: int = 9, ended: bool = False, failed: bool = False) -> Training:
        if member.structure not in states:
            states[member.structure] = start(jax.numpy.uint32(0), member.structure, member.settings, np.zeros(1, np.float32))
        state = states[member.structure]
        stopping = state.stopping._replace(best=np.float32(score), stopped=np.bool_(failed))
        state = state._replace(stopping=stopping, failed=np.bool_(failed))
        scores = tuple(score * (epoch + 1) / epochs for epoch in range(epochs))
        curves = Curves(scores, scores, scores, (1.0,) * epochs)
        return Training(member, state, curves, ended).let_go()

    return make
