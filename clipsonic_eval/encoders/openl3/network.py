"""OpenL3's network: eight convolutions, the order of its layers that of the published files."""

from __future__ import annotations

from typing import Final

import torch.nn.functional as F
from torch import Tensor, nn

WIDTH: Final = 64  # channels of the first block
_DEPTHS: Final = (1, 1, 2, 2, 4, 4, 8, 8)  # channels of the convolutions over those of the first
_POOLED: Final = (2, 4, 6)  # convolutions that a pooling by 2 x 2 follows
_SHRINK: Final = 2 ** len(_POOLED)
GRID: Final = {512: (1, 1), 6144: (4, 3)}  # features of frequency and time that are left, by size of the embedding


class OpenL3Network(nn.Module):
    """Spectrograms (b, bands, frames) -> embeddings (b, 8 width f t), channels last. 4.7 million weights.

    Args:
        bands: of the spectrogram.
        frames: of the spectrogram.
        grid: f, t: features of frequency and of time that the last pooling leaves.
        width: channels of the first block.

    Attributes:
        dim: size of an embedding.
    """

    def __init__(self, bands: int, frames: int, grid: tuple[int, int], width: int = WIDTH) -> None:
        super().__init__()
        self._pool = bands // _SHRINK // grid[0], frames // _SHRINK // grid[1]
        self.layers = nn.ModuleList([_batch_norm(1)])
        before = 1
        for number, depth in enumerate(_DEPTHS, 1):
            after = depth * width
            self.layers.append(nn.Conv2d(before, after, 3, padding=1))
            if number < len(_DEPTHS):  # the last has neither batch norm nor ReLU
                self.layers.append(_batch_norm(after))
            before = after
        self.dim = before * grid[0] * grid[1]

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Return the embeddings, (b, bands, frames) -> (b, d)."""
        first, *hidden, last = self.layers
        x = first(spectrograms[:, None])
        for number, (convolution, norm) in enumerate(zip(hidden[::2], hidden[1::2], strict=True), 1):
            x = F.relu(norm(convolution(x)))
            if number in _POOLED:
                x = F.max_pool2d(x, 2)
        embedded: Tensor = F.max_pool2d(last(x), self._pool)
        return embedded.permute(0, 2, 3, 1).flatten(1)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
