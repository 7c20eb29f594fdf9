"""Before any test computes: JAX with two devices on any machine, so that what two cores do can be tested; and nothing that a
result could hang on but the test itself: no time in which an example of Hypothesis must be done, no other examples each time,
no setting of whoever runs the tests."""

import os
import signal

import jax
import pytest
from hypothesis import HealthCheck, settings

from trainwell.population import devices
from trainwell.population.allocator import areas, most_areas

SETTINGS = ("FORCE_COLOR", "TRAINWELL_DEBUG", "TRAINWELL_TOKEN")  # of the environment, which commands that tests start look at

for name in SETTINGS:
    os.environ.pop(name, None)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a job in the background, whose children would not hear it either
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("trainwell", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trainwell")
devices.start(2)


@pytest.fixture(scope="module", autouse=True)
def room_for_programs():
    """Thousands of small programs of many tests in one process would come to the most areas of memory that it may have."""
    yield
    if areas() > most_areas() // 4:
        jax.clear_caches()
