"""VGGish's network, with the tensor names of torchvggish, and the quantised PCA of AudioSet's released embeddings."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

WIDTHS: Final = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0)  # output channels; 0: max-pooling that halves both axes
DIM: Final = 128


class Vggish(nn.Module):
    """Six convolutions and three linear layers: log-mel patches (n, 96, 64) -> features (n, 128).

    72.1 million parameters. The last ReLU is left to the caller.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width_in = 1
        for width in WIDTHS:
            if width:
                layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.ReLU(inplace=True)]
                width_in = width
            else:
                layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096), nn.ReLU(True), nn.Linear(4096, 4096), nn.ReLU(True), nn.Linear(4096, DIM)
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Return the features before the last ReLU, (n, 96, 64) -> (n, 128); flattened as in training, time first."""
        maps = self.features(patches[:, None].contiguous(memory_format=torch.channels_last))
        embedded: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return embedded


def quantised_pca(features: Tensor, components: Tensor, means: Tensor) -> Tensor:
    """Apply the PCA, clipping and 8-bit rounding with which AudioSet's embeddings were released.

    Args:
        features: (n, 128).
        components: (128, 128), a component per row.
        means: (128,).

    Returns:
        (n, 128) float32, whole numbers from 0 to 255.

    Source: torchvggish 0.2, Postprocessor; tensorflow/models, research/audioset/vggish.
    """
    turned = (features.float() - means) @ components.T  # P (x − m)
    return torch.round((turned.clamp(-2, 2) + 2) * (255 / 4))  # round(255 (clip(·, −2, 2) + 2) / 4)
