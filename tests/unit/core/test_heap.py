"""A process that keeps what it freed asks the system for fewer pages."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

BATCHES = 50
WORK = f"""
import resource
import numpy as np
from clipsonic_eval import heap

def batches(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        layers = [np.ones(3 << 20, np.uint8) for _ in range(4)]  # all alive at once, as activations are
        del layers
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

heap.keep_freed()
batches(2)
print(batches({BATCHES}))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_memory_that_is_freed_and_asked_for_again_stays_with_the_process() -> None:
    process = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True)
    pages = BATCHES * 4 * (3 << 20) // 4096  # as many faults without it, where pages are small
    assert int(process.stdout) < pages // 20
