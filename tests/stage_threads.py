"""What tests of thread counts share: a machine of a known size, and a look at the pools from inside a stage."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np  # loads a BLAS
import pytest
import torch
from threadpoolctl import threadpool_info

from clipsonic_eval import threads

CORES, IDLE = 4, 3


def a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores, of which three are idle, and a user who chose nothing."""
    for name in ("OMP_NUM_THREADS", threads.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "cores", lambda: CORES)
    monkeypatch.setattr(threads, "idle", lambda: IDLE)


def now() -> tuple[int, int]:
    """Return the most threads of any BLAS (1 where there is none that tells), and torch's."""
    assert np.ones(2) @ np.ones(2) == 2
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(pools, default=1), torch.get_num_threads()


def default_is(number: int) -> AbstractContextManager[None]:
    """Return a context in which the pools begin with this many threads, as on a machine of so many cores."""
    return threads.limited(matrices=number, networks=number)
