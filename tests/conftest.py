"""Shared by all tests: no network, quiet hubs, one thread."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("no deadline", deadline=None)  # a busy machine is no failure
settings.load_profile("no deadline")


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
    """``--write-golden``: keep the golden vectors whose numerics version was raised."""
    parser.addoption(
        "--write-golden", action="store_true", help="renew tests/golden where a numerics version was raised"
    )
