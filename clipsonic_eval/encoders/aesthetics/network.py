"""WavLM with one head per axis, as published by Audiobox Aesthetics.

Sources: S. Chen et al., WavLM: Large-Scale Self-Supervised Pre-Training for Full Stack Speech Processing, IEEE JSTSP
2022; A. Tjandra et al., Meta Audiobox Aesthetics, 2025. Tensor names as in audiobox_aesthetics 0.0.4.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

AXES: Final = ("CE", "CU", "PC", "PQ")
HOP: Final = 320  # samples from frame to frame
_CONVOLUTIONS: Final = ((10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2)  # width and stride, samples
_MAX_DISTANCE: Final = 800  # frames; all positions beyond share one bias


class Sizes(NamedTuple):
    """Sizes of a network; the defaults are those of the published one.

    Attributes:
        channels: of the convolutions over samples.
        width: of the transformer.
        heads: of its attention.
        hidden: width of its feed-forward networks.
        layers: of the transformer.
        kernel: of the convolution that adds positions, frames.
        group: channels of a group of that convolution.
        buckets: of relative positions.
        head_layers: linear layers of an axis's head.
        head_norm: whether layers of a head are normalised.
        head_dropout: whether the layers of a head are numbered with dropout in between.
    """

    channels: int = 512
    width: int = 768
    heads: int = 12
    hidden: int = 3072
    layers: int = 12
    kernel: int = 128
    group: int = 48
    buckets: int = 320
    head_layers: int = 5
    head_norm: bool = True
    head_dropout: bool = False


class _Convolutions(nn.Module):
    """Samples (b, n) -> frames (b, channels, n // 320 or one fewer)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (width, stride) in enumerate(_CONVOLUTIONS):
            convolution = nn.Conv1d(channels if i else 1, channels, width, stride, bias=False)
            norm = nn.Identity() if i else nn.GroupNorm(channels, channels)
            layers.append(nn.Sequential(convolution, nn.Identity(), norm, nn.GELU()))  # second: dropout in training
        self.conv_layers = nn.ModuleList(layers)

    def forward(self, waves: Tensor) -> Tensor:
        x = waves[:, None]
        for layer in self.conv_layers:
            x = layer(x)
        return x


class _PositionConvolution(nn.Module):
    """Grouped convolution with normalised weights, (b, width, n) -> the same."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.weight_g = nn.Parameter(torch.ones(1, 1, sizes.kernel))
        self.weight_v = nn.Parameter(torch.zeros(sizes.width, sizes.group, sizes.kernel))
        self.bias = nn.Parameter(torch.zeros(sizes.width))

    def forward(self, x: Tensor) -> Tensor:
        v = self.weight_v
        weight = v * (self.weight_g / v.norm(dim=(0, 1), keepdim=True))  # w[:, :, k] = g[k] v[:, :, k] / |v[:, :, k]|
        groups, kernel = x.shape[1] // v.shape[1], v.shape[2]
        x = F.conv1d(x, weight, self.bias, padding=kernel // 2, groups=groups)
        return F.gelu(x[..., : x.shape[-1] - (1 - kernel % 2)])


class _Attention(nn.Module):
    """Attention with a bias by relative position, which each query scales by a gate of its own."""

    def __init__(self, sizes: Sizes, *, first: bool) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(sizes.width, sizes.width) for _ in range(4))
        self.grep_linear = nn.Linear(sizes.width // sizes.heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, sizes.heads, 1, 1))
        if first:  # all layers use the biases of the first
            self.relative_attention_bias = nn.Embedding(sizes.buckets, sizes.heads)

    def forward(self, x: Tensor, bias: Tensor, used: Tensor) -> Tensor:
        """Attend: x (b, n, width), bias (heads, n, n), used (b, n) bool -> (b, n, width)."""
        b, n, width = x.shape
        heads = self.grep_a.shape[1]

        def split(rows: Tensor) -> Tensor:
            return rows.view(b, n, heads, width // heads).transpose(1, 2)

        parts = self.grep_linear(split(x)).view(b, heads, n, 2, 4).sum(dim=-1)
        a, c = torch.sigmoid(parts).chunk(2, dim=-1)
        gate = a * (c * self.grep_a - 1) + 2  # (b, heads, n, 1)
        mask = (gate * bias).masked_fill(~used[:, None, None, :], -torch.inf)
        q, k, v = (split(part(x)) for part in (self.q_proj, self.k_proj, self.v_proj))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.out_proj(attended.transpose(1, 2).reshape(b, n, width))
        return out

    def position_bias(self, n: int) -> Tensor:
        """Return the bias of n frames, (heads, n, n)."""
        table = self.relative_attention_bias.weight
        frames = torch.arange(n, device=table.device)
        return table[_buckets(frames[None, :] - frames[:, None], len(table))].permute(2, 0, 1)


def _buckets(offsets: Tensor, buckets: int) -> Tensor:
    """Return the bucket of relative positions: exact ones near, logarithmic ones up to 800 frames; (n, n) -> (n, n)."""
    half = buckets // 2
    exact = half // 2
    size = offsets.abs()
    log = torch.log(size.float() / exact) / math.log(_MAX_DISTANCE / exact) * (half - exact)
    far = (exact + log.clamp(min=0).long()).clamp(max=half - 1)
    return (offsets > 0).long() * half + torch.where(size < exact, size, far)


class _Layer(nn.Module):
    def __init__(self, sizes: Sizes, *, first: bool) -> None:
        super().__init__()
        self.self_attn = _Attention(sizes, first=first)
        self.self_attn_layer_norm = nn.LayerNorm(sizes.width)
        self.fc1 = nn.Linear(sizes.width, sizes.hidden)
        self.fc2 = nn.Linear(sizes.hidden, sizes.width)
        self.final_layer_norm = nn.LayerNorm(sizes.width)

    def forward(self, x: Tensor, bias: Tensor, used: Tensor) -> Tensor:
        x = self.self_attn_layer_norm(x + self.self_attn(x, bias, used))
        out: Tensor = self.final_layer_norm(x + self.fc2(F.gelu(self.fc1(x))))
        return out


class _Transformer(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.pos_conv = nn.Sequential(_PositionConvolution(sizes))
        self.layers = nn.ModuleList(_Layer(sizes, first=i == 0) for i in range(sizes.layers))
        self.layer_norm = nn.LayerNorm(sizes.width)

    def forward(self, x: Tensor, used: Tensor) -> list[Tensor]:
        """Return what goes into the first layer and comes out of each: (b, n, width), used (b, n) -> (b, n, width)s."""
        x = x * used[..., None]
        x = self.layer_norm(x + self.pos_conv(x.transpose(1, 2)).transpose(1, 2))
        states = [x]
        first = self.layers[0]
        assert isinstance(first, _Layer)
        bias = first.self_attn.position_bias(x.shape[1])
        for layer in self.layers:
            states.append(layer(states[-1], bias, used))
        return states


class _WavLm(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.mask_emb = nn.Parameter(torch.zeros(sizes.width))  # used in training only
        self.feature_extractor = _Convolutions(sizes.channels)
        self.layer_norm = nn.LayerNorm(sizes.channels)
        self.post_extract_proj = nn.Linear(sizes.channels, sizes.width)
        self.encoder = _Transformer(sizes)


class Aesthetics(nn.Module):
    """Sounds (b, n) at 16 kHz and which samples are part of them, (b, n) bool -> axes (b, 4), standardised."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.wavlm_model = _WavLm(sizes)
        self.proj_layer = nn.ModuleDict({axis: _head(sizes) for axis in AXES})
        self.layer_weights = nn.ParameterDict({axis: torch.zeros(sizes.layers + 1) for axis in AXES})

    def forward(self, waves: Tensor, part: Tensor) -> Tensor:
        """Predict the axes: waves (b, n) float, part (b, n) bool, n >= 400 -> (b, 4)."""
        net = self.wavlm_model
        frames = net.feature_extractor(waves).transpose(1, 2)
        n = frames.shape[1]
        # a frame is used if any of its share of samples is part of the sound; the rest of the division is left out
        share = waves.shape[1] // n
        used = part[:, : n * share].reshape(len(part), n, share).any(dim=-1)
        states = net.encoder(net.post_extract_proj(net.layer_norm(frames)), used)
        # for each axis a weighted mean of the layers, of the mean over frames, of length 1
        means = torch.stack(
            [(x * used[..., None]).sum(dim=1) / used.sum(dim=1, keepdim=True).clamp(min=1) for x in states]
        )
        found = []
        for axis in AXES:
            weights = torch.softmax(self.layer_weights[axis], dim=0)
            mixed = torch.einsum("lbc,l->bc", means, weights)
            found.append(self.proj_layer[axis](F.normalize(mixed, dim=-1)))
        return torch.cat(found, dim=1)


def _head(sizes: Sizes) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(sizes.head_layers - 1):
        layers.append(nn.Linear(sizes.width, sizes.width))
        layers += [nn.LayerNorm(sizes.width)] if sizes.head_norm else []
        layers += [nn.GELU(), *([nn.Identity()] if sizes.head_dropout else [])]
    return nn.Sequential(*layers, nn.Linear(sizes.width, 1))
