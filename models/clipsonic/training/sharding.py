"""Optimiser state and averages of the weights, divided over the processes of a training (ZeRO, stage 1).

Every process holds all weights and computes the gradient of its rows of the batch. Of the sum of these gradients it
receives one part (reduce-scatter); of that part alone it keeps the moments of the optimiser and the averages, and takes
the step; then the processes exchange their new weights (all-gather). The traffic is that of an all-reduce.

Source: Rajbhandari, Rasley, Ruwase and He, ZeRO: Memory Optimizations Toward Training Trillion Parameter Models, SC
2020, sections 5.1 and 7.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import distributed

_ALIGNMENT = 32  # elements: parts begin where parameters may
_PIECE = 1 << 22  # elements: float32 sums of squares of a vector of 143 M are 3 % too small on a CPU, of these 2e-4


class Shards(NamedTuple):
    """Which part of a vector a process keeps.

    Attributes:
        processes: of the training.
        rank: of this one.
        divided: whether each keeps one part; else every process keeps all of it.
    """

    processes: int = 1
    rank: int = 0
    divided: bool = False

    @property
    def parts(self) -> int:
        """Number of parts."""
        return self.processes if self.divided else 1

    def padded(self, n: int) -> int:
        """Return the length of a vector of n elements that is cut into equal parts."""
        unit = self.parts * _ALIGNMENT
        return -(-n // unit) * unit

    def rows(self, n: int) -> slice:
        """Return this process's part of a vector of a padded length.

        Example:
            >>> [Shards(3, rank, divided=True).rows(192) for rank in range(3)]
            [slice(0, 64, None), slice(64, 128, None), slice(128, 192, None)]
        """
        size = n // self.parts
        return slice(self.rank * size, self.rank * size + size) if self.divided else slice(0, n)

    def add(self, vector: torch.Tensor) -> None:
        """Let this process's part of a vector (n,) become that of the sum over all processes."""
        if self.parts > 1:
            _named("reduce_scatter_single", "reduce_scatter_tensor")(vector[self.rows(len(vector))], vector)
        elif self.processes > 1:
            distributed.all_reduce(vector)

    def norm(self, part: torch.Tensor) -> torch.Tensor:
        """Return the norm of the vector of which every process has its part (m,), a scalar."""
        pieces = [torch.linalg.vector_norm(piece) for piece in part.split(_PIECE)]
        squared = torch.stack(pieces).double().square().sum()
        if self.parts == 1:
            return squared.sqrt().to(part.dtype)
        distributed.all_reduce(squared)
        return squared.sqrt()

    def gather(self, vector: torch.Tensor, part: torch.Tensor) -> None:
        """Fill a vector (n,) with the parts (m,) of all processes."""
        if self.parts > 1:
            _named("all_gather_single", "all_gather_into_tensor")(
                vector, part.clone()
            )  # it may be a view of the vector


WHOLE = Shards()


def state_bytes(
    parameters: int, *, averages: int = 1, one_moment: int = 0, shards: int = 1, gathered: int | None = None
) -> int:
    """Return what a process holds for the weights of a training, in bytes; activations come on top.

    Args:
        parameters: number of weights.
        averages: of the weights, with that of ``train.ema``.
        one_moment: weights of which the optimiser keeps one moment, those that Muon moves, and not two.
        shards: processes that moments and averages are divided over.
        gathered: weights that are whole at a time, with their gradients, where all are divided; None: they are not.

    Example:
        >>> state_bytes(1_000_000), state_bytes(1_000_000, shards=8), state_bytes(1_000_000, shards=8, gathered=50_000)
        (24000000, 13500000, 3900000)
    """
    # values, gradient, and the network's own gradients; in 16 bits: its copy of the values and half of the last
    whole = 4 + 4 + 4
    own = 8 + 4 * averages  # moments and averages
    if gathered is not None:  # beside the vectors lie the rows and gradients that the network is called with
        return -(-parameters * (whole + 4 + own) // shards) + 8 * gathered
    return parameters * whole + -(-(parameters * own - 4 * one_moment) // shards)


def _named(*names: str) -> Any:
    """Return the first of these functions that torch has: 2.13 renames the two collectives."""
    return next(getattr(distributed, name) for name in names if hasattr(distributed, name))
