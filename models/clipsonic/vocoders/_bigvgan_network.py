"""The generator of BigVGAN, versions 1 and 2: transposed convolutions and residual blocks of periodic activations.

Every activation works at twice the sample rate between two low-pass filters, so that its harmonics do not fold back.
Names of parameters are those of the published files, with their weight normalisation folded in.

Source: S. Lee et al., BigVGAN, ICLR 2023; T. Karras et al., Alias-Free GANs, NeurIPS 2021 (the filters).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipsonic_eval.errors import ConfigError

_RATIO, _TAPS = 2, 12  # of the alias-free activations


@dataclass(frozen=True, slots=True, kw_only=True)
class BigVGANConfig:
    """What ``config.json`` says of the generator and of its mel spectrograms; the names are the file's.

    Attributes:
        num_mels: mel bands.
        sampling_rate: Hz.
        hop_size: samples per frame.
        n_fft: length of the FFT and of its window.
        fmin: lower edge of the lowest band, Hz.
        fmax: upper edge of the highest band, Hz; None: half the sampling rate.
        upsample_rates: of each transposed convolution.
        upsample_kernel_sizes: of each transposed convolution.
        upsample_initial_channel: channels before the first; every one halves them.
        resblock: ``1``: two convolutions per dilation, ``2``: one.
        resblock_kernel_sizes: of the residual blocks, which are averaged.
        resblock_dilation_sizes: of their convolutions.
        activation: ``snake``, or ``snakebeta`` with a magnitude of its own.
        snake_logscale: frequencies and magnitudes are stored as logarithms.
        use_tanh_at_final: tanh bounds the waveform; else it is clipped (version 2).
        use_bias_at_final: of the last convolution.
    """

    num_mels: int
    sampling_rate: int
    hop_size: int
    n_fft: int
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    fmin: float = 0.0
    fmax: float | None = None
    resblock: Literal["1", "2"] = "1"
    activation: Literal["snake", "snakebeta"] = "snakebeta"
    snake_logscale: bool = True
    use_tanh_at_final: bool = True
    use_bias_at_final: bool = True

    def __post_init__(self) -> None:
        rates, kernels = self.upsample_rates, self.upsample_kernel_sizes
        if math.prod(rates) != self.hop_size:
            raise ConfigError(
                f"upsample_rates multiply to {math.prod(rates)}, but there are {self.hop_size} samples per frame"
            )
        if len(rates) != len(kernels) or any(k < r or (k - r) % 2 for r, k in zip(rates, kernels, strict=False)):
            raise ConfigError("every upsample_kernel_sizes must exceed its upsample_rates by an even number")
        if len(self.resblock_kernel_sizes) != len(self.resblock_dilation_sizes):
            raise ConfigError("resblock_dilation_sizes needs a row for each of resblock_kernel_sizes")
        if self.upsample_initial_channel < 2 ** len(rates):
            raise ConfigError(f"{len(rates)} halvings leave none of upsample_initial_channel's channels")


def low_pass(cutoff: float, half_width: float, taps: int) -> Tensor:
    """Return a sinc filter in a Kaiser window, (1, 1, taps) float32 of sum 1; frequencies in cycles per sample.

    Source: J. F. Kaiser's formulas for attenuation and β, as in Oppenheim and Schafer, equations 7.75 and 7.76.
    """
    attenuation = 2.285 * (taps // 2 - 1) * math.pi * 4 * half_width + 7.95  # A = 2.285 (M / 2 − 1) Δω + 7.95
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    else:
        beta = 0.5842 * max(attenuation - 21, 0) ** 0.4 + 0.07886 * max(attenuation - 21, 0)
    window = torch.kaiser_window(taps, beta=beta, periodic=False)
    at = torch.arange(taps) - (taps - 1) / 2 if taps % 2 == 0 else torch.arange(taps) - taps // 2
    found = window * torch.sinc(2 * cutoff * at)  # w[n] sin(2π f n) / (2π f n)
    return (found / found.sum()).view(1, 1, taps)


class _Filter(nn.Module):
    """The filter of both rates; a buffer, since published files hold it."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", low_pass(0.5 / _RATIO, 0.6 / _RATIO, _TAPS))


class _Up(_Filter):
    """Twice the sample rate, (b, c, n) -> (b, c, 2 n)."""

    def forward(self, x: Tensor) -> Tensor:
        pad, cut = _TAPS // _RATIO - 1, _TAPS - _RATIO + (_TAPS - _RATIO) // 2
        x = F.pad(x, (pad, pad), mode="replicate")
        width = x.shape[1]
        x = _RATIO * F.conv_transpose1d(x, self.filter.expand(width, -1, -1), stride=_RATIO, groups=width)
        return x[..., cut:-cut]


class _Down(nn.Module):
    """Half the sample rate, (b, c, 2 n) -> (b, c, n)."""

    def __init__(self) -> None:
        super().__init__()
        self.lowpass = _Filter()

    def forward(self, x: Tensor) -> Tensor:
        width = x.shape[1]
        x = F.pad(x, (_TAPS // 2 - 1, _TAPS // 2), mode="replicate")
        return F.conv1d(x, self.lowpass.filter.expand(width, -1, -1), stride=_RATIO, groups=width)


class _Snake(nn.Module):
    """x + sin²(α x) / β, with one α and β per channel (Snake: β = α)."""

    def __init__(self, width: int, config: BigVGANConfig) -> None:
        super().__init__()
        self.logarithms = config.snake_logscale
        start = torch.zeros(width) if self.logarithms else torch.ones(width)
        self.alpha = nn.Parameter(start.clone())
        self.beta = nn.Parameter(start.clone()) if config.activation == "snakebeta" else None

    def forward(self, x: Tensor) -> Tensor:
        alpha, beta = (p[:, None] for p in (self.alpha, self.alpha if self.beta is None else self.beta))
        if self.logarithms:
            alpha, beta = alpha.exp(), beta.exp()
        return x + torch.sin(alpha * x).square() / (beta + 1e-9)


class _Activation(nn.Module):
    """Snake at twice the sample rate, (b, c, n) -> (b, c, n)."""

    def __init__(self, width: int, config: BigVGANConfig) -> None:
        super().__init__()
        self.act = _Snake(width, config)
        self.upsample = _Up()
        self.downsample = _Down()

    def forward(self, x: Tensor) -> Tensor:
        down: Tensor = self.downsample(self.act(self.upsample(x)))
        return down


class _ResidualBlock(nn.Module):
    """Residual dilated convolutions, each behind an activation; (b, c, n) -> (b, c, n)."""

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...], config: BigVGANConfig) -> None:
        super().__init__()

        def convolutions(dilated: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv1d(width, width, kernel, dilation=d, padding="same") for d in dilated)

        self.twice = config.resblock == "1"
        if self.twice:
            self.convs1, self.convs2 = convolutions(dilations), convolutions((1,) * len(dilations))
        else:
            self.convs = convolutions(dilations)
        count = len(dilations) * (2 if self.twice else 1)
        self.activations = nn.ModuleList(_Activation(width, config) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        if not self.twice:
            for act, conv in zip(self.activations, self.convs, strict=True):
                x = x + conv(act(x))
            return x
        for i, (first, second) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            x = x + second(self.activations[2 * i + 1](first(self.activations[2 * i](x))))
        return x


class BigVGAN(nn.Module):
    """Log-mel spectrograms (b, num_mels, frames) -> waveforms (b, about frames * hop_size) in [-1, 1]."""

    def __init__(self, config: BigVGANConfig) -> None:
        super().__init__()
        width = config.upsample_initial_channel
        self.conv_pre = nn.Conv1d(config.num_mels, width, 7, padding=3)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            up = nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(nn.ModuleList([up]))
            width //= 2
            shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
            self.resblocks.extend(_ResidualBlock(width, size, dilations, config) for size, dilations in shapes)
        self.activation_post = _Activation(width, config)
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3, bias=config.use_bias_at_final)
        self.tanh = config.use_tanh_at_final

    def forward(self, x: Tensor) -> Tensor:
        """Return the waveforms (b, n) of log-mels (b, num_mels, frames)."""
        x = self.conv_pre(x)
        count = len(self.resblocks) // len(self.ups)
        for i, up in enumerate(self.ups):
            x = up.get_submodule("0")(x)
            x = torch.stack([block(x) for block in self.resblocks[i * count : (i + 1) * count]]).mean(dim=0)
        x = self.conv_post(self.activation_post(x))[:, 0]
        return torch.tanh(x) if self.tanh else x.clamp(-1.0, 1.0)


def without_weight_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with weight normalisation folded in: ``weight_g`` and ``weight_v`` (out, …) become ``weight``.

    The norm runs over all dimensions but the first, w = g v / |v| (Salimans and Kingma 2016).
    """
    found = {name: value for name, value in tensors.items() if not name.endswith(("weight_g", "weight_v"))}
    for name, v in tensors.items():
        if name.endswith("weight_v"):
            stem = name.removesuffix("_v")
            norm = v.flatten(1).norm(dim=1).view(-1, *[1] * (v.ndim - 1))
            found[stem] = tensors[f"{stem}_g"] * v / norm
    return found
