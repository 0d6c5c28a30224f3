"""Shared by all tests: no network, quiet hubs, one thread, and on request nothing left behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import leftovers
import pytest
from hypothesis import settings

from clipsonic_eval import threads

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")
threads.spin_briefly()  # as the commands do, which some tests give in this process
settings.register_profile("no deadline", deadline=None)  # a busy machine is no failure
settings.load_profile("no deadline")


def _leaves_nothing(pytestconfig: pytest.Config) -> Iterator[None]:
    """With ``--leftovers``, what is shared in this process must be as it was; who changed it fails at its end."""
    if not pytestconfig.getoption("--leftovers"):
        yield
        return
    before, workers = leftovers.state(), leftovers.workers()
    yield
    found = [*leftovers.left(before), *leftovers.at_work(workers)]
    assert not found, f"left behind for the next test: {'; '.join(found)}"


# the first of their scopes by their names, so that all that others undo is undone by then
_a_module_leaves_nothing = pytest.fixture(_leaves_nothing, scope="module", autouse=True)
_a_test_leaves_nothing = pytest.fixture(_leaves_nothing, autouse=True)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach another machine fails the test."""

    def refuse(self: socket.socket, address: object) -> None:
        if self.family == socket.AF_UNIX or (isinstance(address, tuple) and address[0] == "127.0.0.1"):
            return real(self, address)
        raise AssertionError(f"a test tried to connect to {address}")

    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--write-golden`` keeps vectors whose numerics version was raised, ``--leftovers`` finds what tests leave."""
    parser.addoption(
        "--write-golden", action="store_true", help="renew tests/golden where a numerics version was raised"
    )
    parser.addoption(
        "--leftovers",
        action="store_true",
        help="fail tests that leave registries, modules, environment, threads changed",
    )
