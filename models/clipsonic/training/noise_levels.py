"""Training loss by noise level: where in the schedule a model still learns, and where it does not."""

from __future__ import annotations

import torch

LEVELS = 5  # equal parts of the schedule
COLUMNS = tuple(f"loss_{100 * i // LEVELS}_{100 * (i + 1) // LEVELS}" for i in range(LEVELS))  # percent of t / T


class LossByNoiseLevel:
    """Mean loss of the items of each fifth of the noise schedule, between two rows of the log.

    Attributes:
        totals: (2, 5) float64, sum and number of the losses since the last row; part of a checkpoint.

    Example:
        >>> by_level = LossByNoiseLevel("cpu")
        >>> by_level.add(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 190, 999]), 1000)
        >>> by_level.row(by_level.totals)
        {'loss_0_20': 2.0, 'loss_20_40': '', 'loss_40_60': '', 'loss_60_80': '', 'loss_80_100': 5.0}
    """

    def __init__(self, device: torch.device | str) -> None:
        self.totals = torch.zeros(2, LEVELS, dtype=torch.float64, device=device)

    def add(self, losses: torch.Tensor, t: torch.Tensor, steps: int) -> None:
        """Count losses (b,) of items at noise levels t (b,) int64 of a schedule of so many steps."""
        level = t * LEVELS // steps
        values = losses.detach().double()
        self.totals.index_add_(1, level, torch.stack([values, torch.ones_like(values)]))

    def row(self, totals: torch.Tensor) -> dict[str, float | str]:
        """Return the columns of the log from totals (2, 5), summed over the processes; empty where there was none."""
        pairs = zip(COLUMNS, *totals.tolist(), strict=True)
        return {name: round(total / number, 6) if number else "" for name, total, number in pairs}
