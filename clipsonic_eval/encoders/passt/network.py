"""PaSST-S: a ViT-B with distillation token on overlapping patches of a log-mel.

Source: K. Koutini et al., Efficient Training of Audio Transformers with Patchout, Interspeech 2022; sizes and tensor
names as in hear21passt 0.0.26 (stride 10, inputs of up to 998 frames).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from clipsonic_eval.encoders.passt.frontend import N_MELS

WIDTH: Final = 768
CLASSES: Final = 527
PATCH: Final = 16
_STRIDE, _DEPTH, _HEADS = 10, 12, 12
_POSITIONS = (12, 99)  # patches in frequency and time


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        b, n, _ = x.shape
        query, key, value = self.qkv(x).reshape(b, n, 3, _HEADS, WIDTH // _HEADS).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.proj(attended.transpose(1, 2).reshape(b, n, WIDTH))
        return out


class _Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.fc2 = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(nn.functional.gelu(self.fc1(x)))
        return out


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = _Attention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = _Mlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Passt(nn.Module):
    """Log-mel spectrogram (b, 128, frames), 16 <= frames <= 1005 -> features (b, 768) -> logits (b, 527)."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, WIDTH, PATCH, stride=_STRIDE)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.new_pos_embed = nn.Parameter(torch.zeros(1, 2, WIDTH))
        self.freq_new_pos_embed = nn.Parameter(torch.zeros(1, WIDTH, _POSITIONS[0], 1))
        self.time_new_pos_embed = nn.Parameter(torch.zeros(1, WIDTH, 1, _POSITIONS[1]))
        self.blocks = nn.Sequential(*(_Block() for _ in range(_DEPTH)))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES))
        self.head_dist = nn.Linear(WIDTH, CLASSES)  # used in training only

    def forward(self, mels: Tensor) -> Tensor:
        """Return the features, the mean of the class and distillation tokens: (b, 128, frames) -> (b, 768)."""
        assert mels.shape[1] == N_MELS
        x: Tensor = self.patch_embed["proj"](mels[:, None])
        x = x + self.time_new_pos_embed[..., : x.shape[-1]] + self.freq_new_pos_embed
        tokens = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        x = torch.cat([tokens.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
        x = self.norm(self.blocks(x))
        return x[:, :2].mean(dim=1)

    def classes(self, features: Tensor) -> Tensor:
        """Return the logits of the classes: features (b, 768) -> (b, 527)."""
        logits: Tensor = self.head(features)
        return logits
