"""Batches of one fixed size: what a row becomes does not depend on its company, to the bit.

A matrix product of another shape may run through another kernel, which adds in another order; a row's result then
moves by a rounding error with the number of rows beside it, and a Fréchet distance by 1e-8 with the order of the
files. So the last batch is filled up with zeros, whose results are thrown away.

On a GPU, cuDNN's convolutions may round float32 to TF32 (10 bits) and choose an algorithm by trying; both are off here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32


def in_batches(
    forward: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, *, size: int, device: str, dim: int
) -> Float32:
    """Apply a network to the rows of ``x``, exactly ``size`` at a time.

    Args:
        forward: (size, ...) on ``device`` -> (size, dim).
        x: (n, ...) on the CPU.
        size: rows of a batch.
        device: where the network is.
        dim: width of a result, for n = 0.

    Returns:
        (n, dim) float32.
    """
    parts = []
    for start in range(0, len(x), size):
        rows = x[start : start + size]
        missing = size - len(rows)
        if missing:
            rows = torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])])
        with _exact(device):
            parts.append(forward(rows.to(device))[: size - missing].float().cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, dim), np.float32)


def _exact(device: str) -> AbstractContextManager[None]:
    """Return a context in which convolutions keep float32's digits and add in one order."""
    if device == "cpu":
        return nullcontext()
    exact: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    return exact
