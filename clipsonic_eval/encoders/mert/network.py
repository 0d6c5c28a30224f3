"""MERT's network: convolutions on the waveform and a transformer, as HuBERT, with DeepNorm where its settings say so.

The names of the modules are those of the published folders. Two of their settings change nothing in inference: masking,
and attention relaxation, which scales the logits down and up again around the maximum that the softmax subtracts.

Source: the published ``modeling_MERT.py`` and transformers' HuBERT; H. Wang et al., DeepNet, 2022, for DeepNorm.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class MertSettings(NamedTuple):
    """Sizes and variants of a network, by the names in ``config.json``."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    conv_dim: tuple[int, ...]
    conv_kernel: tuple[int, ...]
    conv_stride: tuple[int, ...]
    num_conv_pos_embeddings: int
    num_conv_pos_embedding_groups: int
    conv_bias: bool
    feat_extract_norm: str
    feat_proj_layer_norm: bool
    do_stable_layer_norm: bool
    deepnorm: bool
    layer_norm_eps: float

    @property
    def shortest(self) -> int:
        """Samples of the shortest waveform that has a frame."""
        samples = 1
        for kernel, stride in zip(reversed(self.conv_kernel), reversed(self.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples


class _Convolution(nn.Module):
    def __init__(self, settings: MertSettings, index: int) -> None:
        super().__init__()
        width = settings.conv_dim[index]
        self.conv = nn.Conv1d(
            settings.conv_dim[index - 1] if index else 1,
            width,
            settings.conv_kernel[index],
            stride=settings.conv_stride[index],
            bias=settings.conv_bias,
        )
        self.layer_norm: nn.Module = nn.Identity()
        self._over_channels = settings.feat_extract_norm == "layer"
        if self._over_channels:
            self.layer_norm = nn.LayerNorm(width)
        elif index == 0:
            self.layer_norm = nn.GroupNorm(width, width)  # each channel over time

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.layer_norm(x.transpose(1, 2)).transpose(1, 2) if self._over_channels else self.layer_norm(x)
        return F.gelu(x)


class _Projection(nn.Module):
    def __init__(self, settings: MertSettings) -> None:
        super().__init__()
        width = settings.conv_dim[-1]
        self.layer_norm = (
            nn.LayerNorm(width, settings.layer_norm_eps) if settings.feat_proj_layer_norm else nn.Identity()
        )
        self.projection = nn.Linear(width, settings.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.projection(self.layer_norm(x))
        return projected


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            project(x).unflatten(2, (self._heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return out


class _FeedForward(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(width, inner)
        self.output_dense = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.output_dense(F.gelu(self.intermediate_dense(x)))
        return out


class _Layer(nn.Module):
    def __init__(self, settings: MertSettings) -> None:
        super().__init__()
        width, eps = settings.hidden_size, settings.layer_norm_eps
        self.attention = _SelfAttention(width, settings.num_attention_heads)
        self.layer_norm = nn.LayerNorm(width, eps)
        self.feed_forward = _FeedForward(width, settings.intermediate_size)
        self.final_layer_norm = nn.LayerNorm(width, eps)
        self._norm_first = settings.do_stable_layer_norm
        self._alpha = (2 * settings.num_hidden_layers) ** 0.25 if settings.deepnorm else 1.0

    def forward(self, x: Tensor) -> Tensor:
        if self._norm_first:
            x = x + self.attention(self.layer_norm(x))  # x + f(LN(x))
            return x + self.feed_forward(self.final_layer_norm(x))
        x = self.layer_norm(self._alpha * x + self.attention(x))  # LN(α x + f(x)), α = (2 layers)^¼ with DeepNorm
        out: Tensor = self.final_layer_norm(self._alpha * x + self.feed_forward(x))
        return out


class _Positions(nn.Module):
    def __init__(self, settings: MertSettings) -> None:
        super().__init__()
        kernel = settings.num_conv_pos_embeddings
        self._cut = 1 - kernel % 2  # an even kernel gives one frame too many
        self.conv = nn.Conv1d(
            settings.hidden_size,
            settings.hidden_size,
            kernel,
            padding=kernel // 2,
            groups=settings.num_conv_pos_embedding_groups,
        )

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv(x.transpose(1, 2))
        return F.gelu(found[..., : found.shape[-1] - self._cut]).transpose(1, 2)


class _Transformer(nn.Module):
    def __init__(self, settings: MertSettings) -> None:
        super().__init__()
        self.pos_conv_embed = _Positions(settings)
        self.layer_norm = nn.LayerNorm(settings.hidden_size, settings.layer_norm_eps)
        self.layers = nn.ModuleList(_Layer(settings) for _ in range(settings.num_hidden_layers))
        self._norm_first = settings.do_stable_layer_norm

    def forward(self, x: Tensor, layer: int) -> Tensor:
        x = x + self.pos_conv_embed(x)
        if not self._norm_first:
            x = self.layer_norm(x)
        for module in self.layers[:layer]:
            x = module(x)
        return self.layer_norm(x) if self._norm_first and layer == len(self.layers) else x


class Mert(nn.Module):
    """Waveforms (b, n) of zero mean and variance one -> hidden states (b, frames, hidden_size)."""

    def __init__(self, settings: MertSettings) -> None:
        super().__init__()
        convolutions = (_Convolution(settings, index) for index in range(len(settings.conv_dim)))
        self.feature_extractor = nn.ModuleDict({"conv_layers": nn.Sequential(*convolutions)})
        self.feature_projection = _Projection(settings)
        self.encoder = _Transformer(settings)

    def forward(self, waves: Tensor, layer: int) -> Tensor:
        """Return a hidden state, (b, n) -> (b, frames, hidden_size); ``layer`` 0 is what enters the first layer."""
        features = self.feature_extractor["conv_layers"](waves[:, None])
        states: Tensor = self.encoder(self.feature_projection(features.transpose(1, 2)), layer)
        return states
