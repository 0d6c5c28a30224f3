"""Cnn14: six blocks of two convolutions on the log-mel, mean over bands, maximum and mean over time, two linear layers.

Source: Q. Kong et al., PANNs: Large-Scale Pretrained Audio Neural Networks, IEEE/ACM TASLP 2020, table 1. The names of
the modules are those of the published checkpoints.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipsonic_eval.encoders._logmel import N_MELS

WIDTHS: Final = (64, 128, 256, 512, 1024, 2048)


class _Block(nn.Module):
    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Cnn14(nn.Module):
    """Log-mel spectrogram (b, frames, 64) in dB -> features (b, widths[-1]), not negative -> logits (b, classes).

    Args:
        widths: output channels of the six blocks.
        classes: number of classes.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, classes: int = 527) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(N_MELS)
        self.conv_block1 = _Block(1, widths[0])
        self.conv_block2 = _Block(widths[0], widths[1])
        self.conv_block3 = _Block(widths[1], widths[2])
        self.conv_block4 = _Block(widths[2], widths[3])
        self.conv_block5 = _Block(widths[3], widths[4])
        self.conv_block6 = _Block(widths[4], widths[5])
        self.fc1 = nn.Linear(widths[5], widths[5])
        self.fc_audioset = nn.Linear(widths[5], classes)

    def features(self, mel: Tensor) -> Tensor:
        """Return the layer before the classes after its ReLU, (b, frames, 64) dB -> (b, widths[-1])."""
        x = self.bn0(mel.transpose(1, 2)[:, :, None]).permute(0, 2, 3, 1)  # normalised per band -> (b, 1, frames, 64)
        for block in (self.conv_block1, self.conv_block2, self.conv_block3, self.conv_block4, self.conv_block5):
            x = F.avg_pool2d(block(x), 2)
        x = self.conv_block6(x).mean(dim=3)  # over bands
        return F.relu(self.fc1(x.amax(dim=2) + x.mean(dim=2)))  # maximum + mean over time

    def forward(self, mel: Tensor) -> Tensor:
        """Return logits, (b, classes). Each was trained under its own sigmoid: several classes may be true at once."""
        logits: Tensor = self.fc_audioset(self.features(mel))
        return logits


def build(tensors: dict[str, Tensor]) -> Cnn14:
    """Return the network of a checkpoint, for inference; its sizes follow from the shape of each tensor.

    Raises:
        KeyError: a block is missing.
        RuntimeError: names or shapes are not a Cnn14's.
    """
    widths = tuple(tensors[f"conv_block{k}.conv2.weight"].shape[0] for k in range(1, 7))
    with torch.device("meta"):
        net = Cnn14(widths, tensors["fc_audioset.bias"].shape[0])
    net.load_state_dict(tensors, assign=True)
    return net.eval().requires_grad_(requires_grad=False)
