"""The network, with the names of torchvggish's tensors."""

from __future__ import annotations

import torch
from torch import nn

WIDTHS = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0)  # 0: halve both axes
DIM = 128


class Vggish(nn.Module):
    """Six convolutions and three linear layers: (n, 96, 64) log-mels -> (n, 128).

    72.1 million parameters. The last layer's ReLU is left out: ``layer`` is applied by the caller.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in WIDTHS:
            if width:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            else:
                layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096), nn.ReLU(True), nn.Linear(4096, 4096), nn.ReLU(True), nn.Linear(4096, DIM)
        )

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return the 128 values before the last ReLU; the flattening is time, frequency, channel, as it was trained."""
        seen = self.features(patches[:, None].contiguous(memory_format=torch.channels_last))
        embedded: torch.Tensor = self.embeddings(seen.permute(0, 2, 3, 1).flatten(1))
        return embedded
