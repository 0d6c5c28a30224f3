"""A 2-D U-Net over mel bands and time: the default, from the toy world to the paper's scale.

Convolutions share over pitch and over time what is learnt; since neither every pitch is alike nor every time (events
begin with the clip and are spread over it), each row of bands and each column of frames also has a learnt offset, and
one that follows the condition. Everything is kept with its channels last, which suits the convolutions of processors
with bfloat16 instructions.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from clipsonic.networks import NETWORKS, timestep_features, with_null
from clipsonic.networks._group_norm import GroupNorm
from clipsonic_eval.errors import ConfigError


class _Block(nn.Module):
    """Residual block (b, width_in, h, w) -> (b, width, h, w), scaled and shifted by the embedding; first: identity."""

    def __init__(self, width_in: int, width: int, embedding: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = GroupNorm(groups, width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1)
        self.norm2 = GroupNorm(groups, width)
        self.film = nn.Linear(embedding, 2 * width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        self.skip = nn.Conv2d(width_in, width, 1) if width_in != width else nn.Identity()

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(embedding).chunk(2, dim=1)
        h = self.conv2(self.dropout(F.silu(self.norm2(h, scale, shift))))
        return h.add_(self.skip(x))  # in place, as below: no derivative needs what a convolution gave


class _Attention(nn.Module):
    """Residual self-attention over all positions (b, width, h, w) -> (b, width, h, w); starts as the identity."""

    def __init__(self, width: int, head_dim: int, groups: int) -> None:
        super().__init__()
        self.heads = max(1, width // head_dim)
        self.norm = GroupNorm(groups, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, c, height, w = x.shape
        width = c // self.heads
        rows = self.norm(x).permute(0, 2, 3, 1).reshape(b, height * w, c)
        q, k, v = self.qkv(rows).view(b, height * w, 3, self.heads, width).permute(2, 0, 3, 1, 4)
        if height * w <= 64:  # for a few dozen positions quicker than the fused kernel: softmax(q kᵀ / √width) v
            weights = torch.softmax(torch.matmul(q, k.transpose(-1, -2)) * width**-0.5, dim=-1)
            mixed = torch.matmul(weights.to(v.dtype), v)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)
        rows = self.out(mixed.transpose(1, 2).reshape(b, height * w, c))
        return x + rows.view(b, height, w, c).permute(0, 3, 1, 2)


class _Level(nn.Module):
    """The blocks of one level on one way, each followed by attention where the level has it."""

    def __init__(
        self, widths: list[tuple[int, int]], embedding: int, groups: int, dropout: float, head_dim: int | None
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(a, b, embedding, groups, dropout) for a, b in widths)
        self.attention = nn.ModuleList(_Attention(b, head_dim, groups) for _, b in widths) if head_dim else None

    def forward(self, h: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        for number, block in enumerate(self.blocks):
            h = block(h, embedding)
            if self.attention is not None:
                h = self.attention[number](h)
        return h


@NETWORKS.register("unet2d")
class UNet2D(ModelMixin, ConfigMixin):
    """See the module; interface in :mod:`clipsonic.networks`.

    Args:
        n_mels: mel bands.
        frames: of a mel spectrogram.
        condition_dim: dimension of a condition embedding.
        patch: squares of so many bands by so many frames enter as one position, their values as channels.
        channels: width of each level; every level after the first halves both axes.
        blocks: residual blocks per level on the way down, and on the way up.
        attention: how many of the lowest levels have self-attention; one more stands in the middle.
        head_dim: channels of one attention head.
        embedding: width of the joint embedding of timestep and condition.
        groups: groups of the group normalisation.
        dropout: before the second convolution of a block.
        columns: offsets of the columns of frames too, not of the rows of bands only.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(  # noqa: PLR0913, PLR0917 -- diffusers' ConfigMixin records exactly these
        self,
        n_mels: int,
        frames: int,
        condition_dim: int,
        patch: int = 4,
        channels: tuple[int, ...] = (32, 64, 128),
        blocks: int = 1,
        attention: int = 0,
        head_dim: int = 32,
        embedding: int = 256,
        groups: int = 8,
        dropout: float = 0.0,
        columns: bool = True,
    ) -> None:
        super().__init__()
        channels = tuple(channels)
        self.frames_multiple = _check(n_mels, frames, patch, channels, blocks, attention, head_dim, groups)
        self.patch, rows = patch, n_mels // patch
        self.null_condition = nn.Parameter(torch.zeros(condition_dim))
        self.register_buffer("condition_mean", torch.zeros(condition_dim))
        self.register_buffer("condition_std", torch.ones(condition_dim))
        self.time = nn.Sequential(nn.Linear(128, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.condition = nn.Sequential(nn.Linear(condition_dim, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.stem = nn.Conv2d(patch**2, channels[0], 3, padding=1)
        self.row_offset = nn.Parameter(torch.zeros(1, channels[0], rows, 1))
        self.row_condition = nn.Linear(embedding, rows)
        self.column_offset = nn.Parameter(torch.zeros(1, channels[0], 1, frames // patch)) if columns else None
        self.column_condition = nn.Linear(embedding, frames // patch) if columns else None
        level = partial(_Level, embedding=embedding, groups=groups, dropout=dropout)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for number, width in enumerate(channels):
            heads = head_dim if number >= len(channels) - attention else None
            self.down.append(level([(width, width)] * blocks, head_dim=heads))
            self.up.append(level([(2 * width, width)] + [(width, width)] * (blocks - 1), head_dim=heads))
            if number + 1 < len(channels):
                self.shrink.append(nn.Conv2d(width, channels[number + 1], 2, stride=2))
                self.grow.append(nn.ConvTranspose2d(channels[number + 1], width, 2, stride=2))
        self.middle_attention = _Attention(channels[-1], head_dim, groups)
        self.middle = _Block(channels[-1], channels[-1], embedding, groups, dropout)
        self.norm = GroupNorm(groups, channels[0])
        self.head = nn.Conv2d(channels[0], patch**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        self.to(memory_format=torch.channels_last)

    def standardise_conditions(self, cond: torch.Tensor) -> None:
        """Measure the conditions (n, d) of the training data; the network sees them with zero mean and unit deviation.

        The first linear layer could do the same, but takes long to learn it: embeddings lie in a narrow cone.
        """
        self.condition_mean.copy_(cond.mean(dim=0))
        self.condition_std.copy_(cond.std(dim=0).clamp(min=1e-3))

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, cond: torch.Tensor, drop: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Predict v (b, n_mels, frames); see :mod:`clipsonic.networks`."""
        cond = with_null((cond - self.condition_mean) / self.condition_std, self.null_condition, drop)
        embedding = F.silu(self.time(timestep_features(t, 128).to(cond.dtype)) + self.condition(cond))
        h = self.stem(F.pixel_unshuffle(x[:, None], self.patch).contiguous(memory_format=torch.channels_last))
        h.add_(self.row_offset.to(h.dtype) + self.row_condition(embedding)[:, None, :, None])
        if self.column_offset is not None and self.column_condition is not None:
            columns = self.column_offset.to(h.dtype) + self.column_condition(embedding)[:, None, None, :]
            if columns.shape[3] != h.shape[3]:  # a clip of another duration than those of the training: stretched
                columns = F.interpolate(columns, size=(1, h.shape[3]), mode="bilinear")
            h.add_(columns)
        kept = []
        for number, level in enumerate(self.down):
            h = level(h if not number else self.shrink[number - 1](h), embedding)
            kept.append(h)
        h = self.middle(self.middle_attention(h), embedding)
        for number in reversed(range(len(self.up))):
            h = self.up[number](torch.cat([h, kept[number]], dim=1), embedding)
            if number:
                h = self.grow[number - 1](h)
        return F.pixel_shuffle(self.head(F.silu(self.norm(h))), self.patch)[:, 0]


def _check(
    n_mels: int,
    frames: int,
    patch: int,
    channels: tuple[int, ...],
    blocks: int,
    attention: int,
    head_dim: int,
    groups: int,
) -> int:
    """Check the options; return of what the number of frames must be a multiple."""
    if not channels or min(patch, blocks, head_dim, *channels) < 1:
        raise ConfigError("network.options: patch, blocks, head_dim and all channels must be at least 1")
    if not 0 <= attention <= len(channels):
        raise ConfigError(f"network.options: attention must be between 0 and {len(channels)} levels")
    if any(c % groups for c in channels):
        raise ConfigError(f"network.options: channels {channels} must be multiples of groups {groups}")
    with_heads = channels[len(channels) - max(1, attention) :]
    if any(c % max(1, c // head_dim) for c in with_heads):
        raise ConfigError(
            f"network.options: channels {channels} must be multiples of head_dim {head_dim} where they attend"
        )
    multiple = patch * 2 ** (len(channels) - 1)
    for name, size in (("mel bands", n_mels), ("frames", frames)):
        if size % multiple:
            raise ConfigError(
                f"network: {size} {name} cannot be patched by {patch} and halved {len(channels) - 1} times; "
                "use a smaller patch or fewer levels"
            )
    return multiple
