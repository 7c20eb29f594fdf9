import threading

import jax
import pytest

from small_networks import member, population, structure, train


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
def compiled():
    """A list that grows by one for each program that is compiled, or read from the cache of programs.

    What an earlier test had prepared may still be compiled in the background: that is not heard.
    """
    seen: list[str] = []

    def listen(event: str, seconds: float, **more) -> None:
        in_background = threading.current_thread().name.startswith("compile")
        if event == "/jax/core/compile/backend_compile_duration" and not in_background:
            seen.append(more.get("fun_name", "a program"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)
