import pytest

from small_networks import member, population, structure, train
from trainwell.population import epoch as programs


@pytest.fixture(scope="session")
def network():
    """The one small network that most tests train, so that its programs are compiled once."""
    return structure()


@pytest.fixture(scope="session")
def trained(network):
    """Twenty unlike members after six epochs on one core: more than a cohort."""
    return train(unlike(network), 6, of=population(cores=1))


@pytest.fixture(scope="session")
def unlike_members(network):
    return unlike(network)


def unlike(network):
    return [
        member(number, network, adam__learning_rate=0.002 * (number + 1), dropout__rate=0.02 * number, weight_decay__rate=0.01)
        for number in range(20)
    ]


@pytest.fixture
def compiled_times(network):
    """How often the network's program was compiled in this process, on each device."""
    return lambda: programs.trainer(network, "auc", "binary")._cache_size()
