"""A 1-D U-Net over time with the mel bands as channels: small and fast on a CPU, the default of the toy world."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from clipsonic.networks import NETWORKS, timestep_features, with_null
from clipsonic_eval.errors import ConfigError


class _Block(nn.Module):
    """Residual block (b, width_in, n) -> (b, width, n), scaled and shifted by the embedding; starts as the identity."""

    def __init__(self, width_in: int, width: int, embedding: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, width_in)
        self.conv1 = nn.Conv1d(width_in, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, width)
        self.film = nn.Linear(embedding, 2 * width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv1d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        self.skip = nn.Conv1d(width_in, width, 1) if width_in != width else nn.Identity()

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(embedding)[:, :, None].chunk(2, dim=1)
        h = F.silu(torch.addcmul(shift, self.norm2(h), 1.0 + scale))  # silu((1 + γ) norm(h) + β)
        return self.skip(x) + self.conv2(self.dropout(h))


class _Attention(nn.Module):
    """Residual self-attention over time (b, width, n) -> (b, width, n); starts as the identity."""

    def __init__(self, width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, c, n = x.shape
        width = c // self.heads
        qkv = self.qkv(self.norm(x).transpose(1, 2)).view(b, n, 3, self.heads, width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        # softmax(q kᵀ / √width) v, written out: for a few dozen steps quicker on a CPU than the fused kernel
        weights = torch.softmax(torch.matmul(q, k.transpose(-1, -2)) * width**-0.5, dim=-1)
        mixed = torch.matmul(weights, v).transpose(1, 2).reshape(b, n, c)
        return x + self.out(mixed).transpose(1, 2)


def _fold(x: torch.Tensor, patch: int) -> torch.Tensor:
    """Return (b, patch bands, frames / patch) of (b, bands, frames)."""
    b, bands, frames = x.shape
    return x.view(b, bands, frames // patch, patch).permute(0, 3, 1, 2).reshape(b, patch * bands, frames // patch)


def _unfold(x: torch.Tensor, patch: int) -> torch.Tensor:
    """Undo :func:`_fold`."""
    b, channels, steps = x.shape
    bands = channels // patch
    return x.view(b, patch, bands, steps).permute(0, 2, 3, 1).reshape(b, bands, steps * patch)


@NETWORKS.register("unet1d")
class UNet1D(ModelMixin, ConfigMixin):
    """See the module; interface in :mod:`clipsonic.networks`.

    Args:
        n_mels: mel bands.
        frames: of a mel spectrogram.
        condition_dim: dimension of a condition embedding.
        patch: frames that enter as one, their bands side by side as channels: half as many steps of twice the content
            cost less than a first level at full rate and learn better in the same time.
        channels: width of each level; every level after the first halves the time axis.
        blocks: residual blocks per level on the way down, and on the way up.
        embedding: width of the joint embedding of timestep and condition.
        groups: groups of the group normalisation.
        heads: heads of the self-attention at the lowest level; 0 for none.
        dropout: before the second convolution of a block.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(  # noqa: PLR0913, PLR0917 -- diffusers' ConfigMixin records exactly these
        self,
        n_mels: int,
        frames: int,
        condition_dim: int,
        patch: int = 2,
        channels: tuple[int, ...] = (128, 192, 256),
        blocks: int = 1,
        embedding: int = 256,
        groups: int = 8,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if patch < 1 or blocks < 1:
            raise ConfigError("network.options: patch and blocks must be at least 1")
        if not channels or any(c % groups for c in channels):
            raise ConfigError(f"network.options: channels {tuple(channels)} must be multiples of groups {groups}")
        if heads and channels[-1] % heads:
            raise ConfigError(f"network.options: the last channels must be a multiple of heads {heads}")
        if frames % (patch * 2 ** (len(channels) - 1)):
            raise ConfigError(
                f"network: {frames} frames cannot be patched by {patch} and halved {len(channels) - 1} times; "
                "use a smaller patch or fewer levels"
            )
        self.patch = patch
        self.frames_multiple = patch * 2 ** (len(channels) - 1)
        self.null_condition = nn.Parameter(torch.zeros(condition_dim))
        self.time = nn.Sequential(nn.Linear(128, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.condition = nn.Sequential(nn.Linear(condition_dim, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.stem = nn.Conv1d(n_mels * patch, channels[0], 3, padding=1)
        block = partial(_Block, embedding=embedding, groups=groups, dropout=dropout)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(channels):
            self.down.append(nn.ModuleList(block(width, width) for _ in range(blocks)))
            self.up.append(nn.ModuleList(block(2 * width if i == 0 else width, width) for i in range(blocks)))
            if level + 1 < len(channels):
                self.shrink.append(nn.Conv1d(width, channels[level + 1], 2, stride=2))
                self.grow.append(nn.ConvTranspose1d(channels[level + 1], width, 2, stride=2))
        self.attention = _Attention(channels[-1], heads, groups) if heads else nn.Identity()
        self.middle = block(channels[-1], channels[-1])
        self.norm = nn.GroupNorm(groups, channels[0])
        self.head = nn.Conv1d(channels[0], n_mels * patch, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, cond: torch.Tensor, drop: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Predict v (b, n_mels, frames); see :mod:`clipsonic.networks`."""
        cond = with_null(cond, self.null_condition, drop)
        embedding = F.silu(self.time(timestep_features(t, 128).to(cond.dtype)) + self.condition(cond))
        h = self.stem(_fold(x, self.patch))
        kept = []
        for level, blocks in enumerate(self.down):
            if level:
                h = self.shrink[level - 1](h)
            h = _through(blocks, h, embedding)
            kept.append(h)
        h = self.middle(self.attention(h), embedding)
        for level in reversed(range(len(self.up))):
            h = _through(self.up[level], torch.cat([h, kept[level]], dim=1), embedding)
            if level:
                h = self.grow[level - 1](h)
        return _unfold(self.head(F.silu(self.norm(h))), self.patch)


def _through(blocks: Any, h: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
    for block in blocks:
        h = block(h, embedding)
    return h
