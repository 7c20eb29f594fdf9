"""Before any test computes: JAX with two devices on any machine, so that what two cores do can be tested."""

from trainwell.population import devices

devices.start(2)
