"""Memory that is freed and soon asked for again: kept by the process, so that the system need not clear it anew."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np

_LARGEST: Final = (32 << 20) - (64 << 10)  # bytes: just below the largest block that glibc learns from


@functools.cache
def keep_freed() -> None:
    """Let this process keep up to 64 MiB of freed memory.

    A network frees its activations batch by batch. By default glibc gives them back to the system each time, and every
    page of the next batch costs a page fault: up to a tenth of the processor time of `prepare` with a small network.
    glibc keeps twice the largest block that was ever mapped for itself and freed, up to 64 MiB; so one such block,
    whose pages are never touched, is all that it takes. Nothing elsewhere.

    Source: mallopt(3), M_MMAP_THRESHOLD (the dynamic threshold).
    """
    np.empty(_LARGEST, np.uint8)  # freed at once
