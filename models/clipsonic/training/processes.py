"""The processes of a training under ``torchrun``: how many there are, which one this is, and which one writes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import torch

from clipsonic.training.sharding import Shards
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.lifetime import end_with_torchrun

if TYPE_CHECKING:
    from accelerate import PartialState


def joined(device: torch.device | None = None) -> PartialState:
    """Join the other processes, at the first call, and return accelerate's state of this one.

    Args:
        device: that is computed on; None: a GPU if there is one. The first call decides for the whole process.

    Raises:
        ConfigError: the launcher started another number of processes than have found each other. Each would train
            alone, on the whole batch, and write into the same folder.
    """
    from accelerate import PartialState

    end_with_torchrun()
    on_cpu = not torch.cuda.is_available() if device is None else device.type == "cpu"
    # without `cpu`, torchrun on a machine without GPUs is not seen; the others wait while the main process validates,
    # longer than the ten minutes that NCCL allows by default
    state = PartialState(cpu=on_cpu, timeout=timedelta(hours=12))
    wanted = os.environ.get("WORLD_SIZE", "1")
    if wanted != str(state.num_processes):
        raise ConfigError(
            f"the launcher started WORLD_SIZE={wanted} processes, but {state.num_processes} found each other; start "
            "with torchrun --nproc_per_node=N -m clipsonic_eval train …"
        )
    return state


@contextlib.contextmanager
def one_writer(device: torch.device | None = None) -> Iterator[bool]:
    """Yield whether this process is the one that writes; at the end all processes wait until it has."""
    state = joined(device)
    yield bool(state.is_main_process)
    state.wait_for_everyone()


@contextlib.contextmanager
def main_first() -> Iterator[None]:
    """Let the main process go through a ``with`` block before the others, which find what it has made or changed."""
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    with joined().main_process_first():
        yield


def place(device: torch.device | None = None) -> tuple[int, int]:
    """Return which of how many processes this one is, counted from 1."""
    state = joined(device)
    return state.process_index + 1, state.num_processes


def shares(state: PartialState, accumulated: int = 1) -> list[slice]:
    """Return which rows of a batch this process computes, one slice for each forward and backward pass of a step.

    Example:
        >>> from types import SimpleNamespace
        >>> second_of_two = SimpleNamespace(num_processes=2, process_index=1)
        >>> [list(range(8))[rows] for rows in shares(second_of_two, 2)]
        [[1, 5], [3, 7]]
    """
    n = state.num_processes
    return [slice(state.process_index + n * turn, None, n * accumulated) for turn in range(accumulated)]


def shards_of(state: PartialState, *, divided: bool) -> Shards:
    """Return what this process keeps of what a training divides: all of it, or one part of as many as processes."""
    return Shards(state.num_processes, state.process_index, divided)
