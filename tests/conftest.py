"""Before any test computes: JAX with two devices on any machine, so that what two cores do can be tested."""

import jax
import pytest

from trainwell.population import devices
from trainwell.population.allocator import areas, most_areas

devices.start(2)


@pytest.fixture(scope="module", autouse=True)
def room_for_programs():
    """Thousands of small programs of many tests in one process would come to the most areas of memory that it may have."""
    yield
    if areas() > most_areas() // 4:
        jax.clear_caches()
