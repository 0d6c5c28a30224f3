"""Batch-invariant inference: the embedding of a clip does not depend on the batch, to the bit.

A matrix product of another shape may run another kernel, which adds in another order; a row then moves by a rounding
error with the number of rows beside it, and a Fréchet distance by 1e-8 with the order of the files. So all batches have
one fixed size, and the last one is filled up with zeros whose results are dropped. (A processor may compute the last
elements of an array, too few for one of its vectors, by another routine. In a network whose widths are no multiples of
64, as those of CLIP and CLAP are, the place in a batch of several may still move the last bit.)

On a GPU, cuDNN's convolutions may round float32 to TF32 (10 bits) and pick an algorithm by timing; both are off here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.types import Clip


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


def in_batches_of_equal_length(
    forward: Callable[[torch.Tensor], torch.Tensor],
    waves: Sequence[Float32],
    *,
    size: Callable[[int], int],
    device: str,
    dim: int,
) -> Float32:
    """Apply a network to waveforms; only those of equal length share a batch, so that none is padded.

    Args:
        forward: (b, n) on ``device`` -> (b, dim).
        waves: (n,) float32 each, n >= 1.
        size: rows of a batch for waveforms of length n.
        device: where the network is.
        dim: width of a result.

    Returns:
        (waves, dim) float32.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, wave in enumerate(waves):
        by_length[len(wave)].append(index)
    result = np.zeros((len(waves), dim), np.float32)
    for length, indices in by_length.items():
        rows = size(length)
        for start in range(0, len(indices), rows):
            part = indices[start : start + rows]
            batch = torch.from_numpy(np.stack([waves[index] for index in part]))
            result[part] = in_batches(forward, batch, size=rows, device=device, dim=dim)
    return result


def mono_samples(clip: Clip, sample_rate: int) -> Float32:
    """Return the mean of a clip's channels at a sample rate in Hz, (n,) float32, n >= 1.

    Raises:
        ShapeError: the clip holds no sample.
    """
    mono = mono_at(clip, sample_rate)
    if len(mono) == 0:
        raise ShapeError(f"clip '{clip.key}': audio must hold at least one sample")
    return mono


def _exact(device: str) -> AbstractContextManager[None]:
    """Return a context in which convolutions keep float32's digits and add in one order."""
    if device == "cpu":
        return nullcontext()
    exact: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    return exact
