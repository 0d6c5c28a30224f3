"""The discriminators that a BigVGAN is trained against: by period (waveform) and by resolution (spectrogram).

Names of parameters are those of the published package. Weight normalisation is added in training.

Source: J. Kong et al., HiFi-GAN, NeurIPS 2020 (periods); W. Jang et al., UnivNet, Interspeech 2021 (resolutions);
S. Lee et al., BigVGAN, ICLR 2023 (both together).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.1  # of the leaky rectifiers


class Judgement(NamedTuple):
    """What one discriminator says of a batch.

    Attributes:
        scores: (b, m), 1 for real and 0 for generated in the ideal case.
        features: of every layer, for feature matching.
    """

    scores: Tensor
    features: list[Tensor]


class _Discriminator(nn.Module):
    """Convolutions over an image of the waveform, (b, 1, h, w) -> scores (b, m)."""

    convs: nn.ModuleList
    conv_post: nn.Conv2d

    def image(self, audio: Tensor) -> Tensor:
        """Return the image (b, 1, h, w) of waveforms (b, n)."""
        raise NotImplementedError

    def forward(self, audio: Tensor) -> Judgement:
        x, features = self.image(audio), []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), _SLOPE)
            features.append(x)
        x = self.conv_post(x)
        return Judgement(x.flatten(1), [*features, x])


class _OfPeriod(_Discriminator):
    """The waveform in rows of one period, and convolutions along the columns."""

    def __init__(self, period: int, width: float) -> None:
        super().__init__()
        self.period = period
        sizes = [1, *(int(width * n) for n in (32, 128, 512, 1024, 1024))]
        strides = (3, 3, 3, 3, 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(sizes[i], sizes[i + 1], (5, 1), (stride, 1), (2, 0)) for i, stride in enumerate(strides)
        )
        self.conv_post = nn.Conv2d(sizes[-1], 1, (3, 1), 1, (1, 0))

    def image(self, audio: Tensor) -> Tensor:
        audio = F.pad(audio[:, None], (0, -audio.shape[1] % self.period), mode="reflect")
        return audio.unflatten(2, (-1, self.period))


class _OfResolution(_Discriminator):
    """The magnitude spectrogram of one resolution."""

    window: Tensor

    def __init__(self, resolution: Sequence[int], width: float) -> None:
        super().__init__()
        self.n_fft, self.hop, length = resolution
        channels = int(width * 32)
        self.register_buffer("window", torch.ones(length), persistent=False)  # rectangular, as in the package
        shapes = [(1, (3, 9), 1), *[(channels, (3, 9), 2)] * 3, (channels, (3, 3), 1)]
        self.convs = nn.ModuleList(
            nn.Conv2d(given, channels, size, (1, stride), (size[0] // 2, size[1] // 2))
            for given, size, stride in shapes
        )
        self.conv_post = nn.Conv2d(channels, 1, 3, padding=1)

    def image(self, audio: Tensor) -> Tensor:
        pad = (self.n_fft - self.hop) // 2
        padded = F.pad(audio[:, None], (pad, pad), mode="reflect")[:, 0]
        length = len(self.window)
        spectrum = torch.stft(padded, self.n_fft, self.hop, length, self.window, center=False, return_complex=True)
        # |X| with a gradient of 0 at silence, where that of the modulus has no value
        return torch.view_as_real(spectrum).norm(dim=-1)[:, None]


class Discriminators(nn.Module):
    """All discriminators of a training.

    Args:
        periods: samples per row, a discriminator each.
        resolutions: length of the FFT, hop and length of the window in samples, a discriminator each.
        width: times the published numbers of channels.
    """

    def __init__(self, periods: Sequence[int], resolutions: Sequence[Sequence[int]], width: float = 1.0) -> None:
        super().__init__()
        self.mpd = nn.ModuleList(_OfPeriod(period, width) for period in periods)
        self.mrd = nn.ModuleList(_OfResolution(resolution, width) for resolution in resolutions)

    def forward(self, audio: Tensor) -> list[Judgement]:
        """Return the judgements of waveforms (b, n), one per discriminator."""
        return [judge(audio) for judge in (*self.mpd, *self.mrd)]


def discriminator_loss(real: Sequence[Judgement], generated: Sequence[Judgement]) -> Tensor:
    """Return the least-squares loss of the discriminators, Σ_k E (1 − D_k(x))² + E D_k(x̂)², a scalar.

    Source: HiFi-GAN, equation 1.

    Example:
        >>> judged = [Judgement(torch.tensor([[1.0, 0.5]]), [])]
        >>> float(discriminator_loss(judged, judged))
        0.75
    """
    pairs = zip(real, generated, strict=True)
    return torch.stack([(1.0 - r.scores).square().mean() + g.scores.square().mean() for r, g in pairs]).sum()


def adversarial_loss(generated: Sequence[Judgement]) -> Tensor:
    """Return the generator's least-squares loss, Σ_k E (1 − D_k(x̂))², a scalar (HiFi-GAN, equation 2)."""
    return torch.stack([(1.0 - g.scores).square().mean() for g in generated]).sum()


def feature_loss(real: Sequence[Judgement], generated: Sequence[Judgement]) -> Tensor:
    """Return the feature matching loss Σ_k Σ_i E |f_ki(x) − f_ki(x̂)|, a scalar; no gradient reaches the real side.

    Source: HiFi-GAN, equation 4.
    """
    pairs = [pair for r, g in zip(real, generated, strict=True) for pair in zip(r.features, g.features, strict=True)]
    return torch.stack([(r.detach() - g).abs().mean() for r, g in pairs]).sum()
