"""The generator of Vocos: ConvNeXt blocks at the rate of the frames, then an inverse Fourier transform.

No layer works at the rate of the samples. Names of parameters are those of the package ``vocos``.

Source: H. Siuzdak, Vocos: Closing the Gap between Time-Domain and Fourier-Based Neural Vocoders for High-Quality Audio
Synthesis, ICLR 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipsonic.vocoders._stft import inverse_stft
from clipsonic_eval.errors import ConfigError

_KERNEL, _EPSILON, _LOUDEST = 7, 1e-6, 1e2  # frames; of the normalisations; largest magnitude


@dataclass(frozen=True, slots=True, kw_only=True)
class VocosConfig:
    """Size of the generator, and its mel spectrograms by BigVGAN's names.

    Attributes:
        num_mels: mel bands.
        sampling_rate: Hz.
        hop_size: samples per frame.
        n_fft: length of the FFT and of its window, of the mel spectrograms and of the generator.
        fmin: lower edge of the lowest band, Hz.
        fmax: upper edge of the highest band, Hz; None: half the sampling rate.
        dim: channels.
        intermediate_dim: channels inside a block.
        num_layers: blocks.
    """

    num_mels: int
    sampling_rate: int
    hop_size: int
    n_fft: int
    fmin: float = 0.0
    fmax: float | None = None
    dim: int = 512
    intermediate_dim: int = 1536
    num_layers: int = 8

    def __post_init__(self) -> None:
        if min(self.dim, self.intermediate_dim, self.num_layers) < 1:
            raise ConfigError("network vocos: dim, intermediate_dim and num_layers must be at least 1")


class _Block(nn.Module):
    """A ConvNeXt block, (b, dim, frames) -> (b, dim, frames)."""

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(config.dim, config.dim, _KERNEL, padding="same", groups=config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=_EPSILON)
        self.pwconv1 = nn.Linear(config.dim, config.intermediate_dim)
        self.pwconv2 = nn.Linear(config.intermediate_dim, config.dim)
        self.gamma = nn.Parameter(torch.full((config.dim,), 1 / config.num_layers))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).transpose(1, 2))
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + y.transpose(1, 2)


class _Backbone(nn.Module):
    """Log-mels (b, num_mels, frames) -> features (b, frames, dim)."""

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        self.embed = nn.Conv1d(config.num_mels, config.dim, _KERNEL, padding="same")
        self.norm = nn.LayerNorm(config.dim, eps=_EPSILON)
        self.convnext = nn.ModuleList(_Block(config) for _ in range(config.num_layers))
        self.final_layer_norm = nn.LayerNorm(config.dim, eps=_EPSILON)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.embed(x).transpose(1, 2)).transpose(1, 2)
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x.transpose(1, 2))


class _Head(nn.Module):
    """Features (b, frames, dim) -> waveforms (b, frames * hop_size), through magnitudes and phases of every frame."""

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        self.n_fft, self.hop = config.n_fft, config.hop_size
        self.out = nn.Linear(config.dim, config.n_fft + 2)

    def forward(self, x: Tensor) -> Tensor:
        logarithm, phase = self.out(x).chunk(2, dim=2)
        magnitude = logarithm.exp().clamp(max=_LOUDEST)
        spectrum = torch.complex(magnitude * phase.cos(), magnitude * phase.sin())  # X = e^m (cos p + i sin p)
        padded = inverse_stft(spectrum, torch.hann_window(self.n_fft, device=x.device), self.hop)
        pad = (self.n_fft - self.hop) // 2
        return padded[:, pad : pad + x.shape[1] * self.hop]


class Vocos(nn.Module):
    """Log-mel spectrograms (b, num_mels, frames) -> waveforms (b, frames * hop_size)."""

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        self.backbone, self.head = _Backbone(config), _Head(config)

    def forward(self, x: Tensor) -> Tensor:
        """Return the waveforms (b, n) of log-mels (b, num_mels, frames)."""
        waveform: Tensor = self.head(self.backbone(x))
        return waveform
