"""Which items a training step sees: held-out split, order of the epochs, and random generators, all from the seed.

Under ``torchrun`` every process draws the same batch and computes its share of the rows, see
:func:`clipsonic.training.processes.shares`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from clipsonic_eval.arraytypes import IntArray
from clipsonic_eval.seeds import derive, stream

ALL_ROWS = slice(None)


def held_out_split(sources: Sequence[str], validation: int, seed: int) -> tuple[IntArray, IntArray]:
    """Split items into training and validation, with all items of one source (video) on the same side.

    Args:
        sources: n keys of what each item was taken from.
        validation: size of the held-out set: at most this many items, and at most a tenth of all.
        seed: of the run.

    Returns:
        Rows for training (n_train,) and held-out rows (n_val,), both sorted int64.

    Example:
        >>> training, held_out = held_out_split([f"video {i // 2}" for i in range(40)], validation=4, seed=0)
        >>> len(training), len(held_out)
        (36, 4)
    """
    names, inverse = np.unique(np.array(sources), return_inverse=True)
    order = stream(seed, "", "held-out").permutation(len(names))
    wanted = min(validation, len(sources) // 10)
    sizes = np.cumsum(np.bincount(inverse)[order])
    held = np.isin(inverse, order[: int(np.searchsorted(sizes, wanted, side="right"))])
    return np.flatnonzero(~held), np.flatnonzero(held)


def batch_rows(n: int, size: int, step: int, seed: int) -> torch.Tensor:
    """Return the rows of a step's batch, (size,) int64: consecutive parts of a new permutation of n items per epoch.

    Example:
        >>> sorted(torch.cat([batch_rows(6, 2, step, seed=0) for step in range(3)]).tolist())
        [0, 1, 2, 3, 4, 5]
    """
    rows: list[int] = []
    position = step * size
    while len(rows) < size:
        epoch, offset = divmod(position, n)
        part = _epoch_order(n, epoch, seed)[offset : offset + size - len(rows)]
        rows.extend(part.tolist())
        position += len(part)
    return torch.tensor(rows)


@lru_cache(maxsize=2)
def _epoch_order(n: int, epoch: int, seed: int) -> IntArray:
    return stream(seed, str(epoch), "epoch-order").permutation(n)


def step_generator(seed: int, step: int, purpose: str, device: torch.device) -> torch.Generator:
    """Return the random generator of one step's draws, on a device."""
    return torch.Generator(device=device).manual_seed(derive(seed, str(step), purpose))


@contextlib.contextmanager
def own_draws(module: nn.Module, seed: int, step: int, share: int) -> Iterator[None]:
    """Let what a network draws by itself, the masks of its dropout, follow from seed, step and share of the batch.

    Dropout draws from PyTorch's global generator, which is put back afterwards. Nothing happens without dropout.
    """
    if not any(isinstance(part, nn.Dropout) and part.p > 0 for part in module.modules()):
        yield
        return
    device = next(module.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive(seed, f"{step} {share}", "dropout"))
        yield
