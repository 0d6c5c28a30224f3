"""Processes that work for another one end with it, even if it is killed.

Otherwise workers wait for their next task for ever, and torchrun's processes, which lead sessions of their own, go on:
the same command, given again, would meet them in its folder, in memory and on its GPUs.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from typing import Final

_LOOK_S: Final = 0.5


def end_with_parent(at_end: Callable[[], None] = lambda: None) -> None:
    """From now on, end this process of multiprocessing with the one that asked for it; nothing in another process.

    Args:
        at_end: called before.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        _follow(parent.join, at_end)


@functools.cache
def end_with_torchrun() -> None:
    """From now on, end this process with the torchrun that started it; nothing elsewhere."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        _follow(functools.partial(_join, os.getppid()))


def _follow(join: Callable[[], None], at_end: Callable[[], None] = lambda: None) -> None:
    def follow() -> None:
        join()
        at_end()
        os._exit(1)

    threading.Thread(target=follow, name="lifetime", daemon=True).start()


def _join(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
