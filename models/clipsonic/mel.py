"""Log-mel front end in the layout of AudioLDM's vocoder, so that a pretrained one can be used on its output.

16 kHz, window = n_fft = 1024 (periodic Hann), hop 160, 64 Slaney mels of 0-8000 Hz on the *magnitude* spectrum,
natural logarithm of ``max(mel, 1e-5)``. The signal is reflect-padded by (n_fft - hop) / 2 on each side and framed
without centring, so that n samples give n / hop frames: 15,360 samples -> 96 frames, 64,000 -> 400.

Source: the values are those of AudioLDM's published configuration (cvssp/audioldm and its training code).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError, ShapeError


@dataclass(frozen=True, slots=True)
class MelConfig:
    """Layout and scale of a log-mel spectrogram.

    Attributes:
        sample_rate: Hz.
        n_fft: samples of a transform; the window has the same length.
        hop: samples between frames.
        n_mels: bands.
        fmin: Hz, lower edge of the lowest band.
        fmax: Hz, upper edge of the highest band.
        floor: magnitudes below it count as it, before the logarithm.
        mean: what is subtracted from a log-mel before the network: one number, or one per band. Empty: measured on
            the training clips when training starts.
        std: what it is divided by then; the same lengths.
    """

    sample_rate: int = 16000
    n_fft: int = 1024
    hop: int = 160
    n_mels: int = 64
    fmin: float = 0.0
    fmax: float = 8000.0
    floor: float = 1e-5
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise ConfigError(f"mel: 0 <= fmin < fmax <= sample_rate / 2, got {self.fmin} and {self.fmax} Hz")
        if self.hop < 1 or (self.n_fft - self.hop) % 2 or self.hop > self.n_fft:
            raise ConfigError(f"mel: n_fft - hop must be even and not negative, got {self.n_fft} and {self.hop}")
        if len(self.mean) != len(self.std) or len(self.mean) not in (0, 1, self.n_mels):
            raise ConfigError(f"mel: mean and std take 0, 1 or {self.n_mels} numbers each")
        if any(s <= 0 for s in self.std):
            raise ConfigError("mel: every std must be above 0")

    @property
    def pad(self) -> int:
        """Samples of reflection on each side."""
        return (self.n_fft - self.hop) // 2

    def frames(self, n_samples: int) -> int:
        """Return the number of frames of ``n_samples`` samples."""
        return n_samples // self.hop

    def samples(self, frames: int) -> int:
        """Return the number of samples that ``frames`` frames stand for."""
        return frames * self.hop


def _hz_to_slaney(hz: Float64) -> Float64:
    linear = hz / (200.0 / 3.0)
    logarithmic = 15.0 + np.log(np.maximum(hz, 1e-10) / 1000.0) / (np.log(6.4) / 27.0)
    return np.where(hz < 1000.0, linear, logarithmic)


def _slaney_to_hz(mel: Float64) -> Float64:
    return np.where(mel < 15.0, mel * (200.0 / 3.0), 1000.0 * np.exp((mel - 15.0) * (np.log(6.4) / 27.0)))


@lru_cache(maxsize=8)
def filterbank(config: MelConfig) -> Float64:
    """Return the (n_mels, n_fft / 2 + 1) triangular filters with Slaney's scale and area normalisation.

    Slaney's scale is linear below 1 kHz (200 / 3 Hz a mel) and logarithmic above (27 mels for a factor of 6.4); each
    triangle has area 1 in Hz (height 2 / (upper - lower)).

    Source: M. Slaney, Auditory Toolbox, Interval Research technical report 1998-010.
    """
    ends = _hz_to_slaney(np.array([config.fmin, config.fmax]))
    edges = _slaney_to_hz(np.linspace(ends[0], ends[1], config.n_mels + 2))
    bins = np.arange(config.n_fft // 2 + 1) * config.sample_rate / config.n_fft
    rise = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    height = 2.0 / (edges[2:] - edges[:-2])
    bank: Float64 = np.maximum(0.0, np.minimum(rise, fall)) * height[:, None]
    bank.setflags(write=False)
    return bank


class MelFrontEnd:
    """Waveforms to log-mels, and log-mels to the network's scale and back."""

    def __init__(self, config: MelConfig, device: str | torch.device = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self._window = torch.hann_window(config.n_fft, periodic=True, device=self.device)
        self._bank = torch.tensor(filterbank(replace(config, mean=(), std=())), dtype=torch.float32, device=self.device)

    def log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the log-mels of waveforms.

        Args:
            samples: (b, n) float32 in [-1, 1] at the configuration's rate; n of at least n_fft.

        Returns:
            (b, n_mels, n // hop) float32, natural logarithm of a magnitude; float32 also under the caller's autocast.

        Raises:
            ShapeError: the input is not (b, n), or too short to be reflected.
        """
        config = self.config
        if samples.ndim != 2 or samples.shape[1] <= config.pad:
            raise ShapeError(
                f"log_mel takes waveforms (b, n) of more than {config.pad} samples, got {tuple(samples.shape)}"
            )
        samples = samples[:, : config.samples(config.frames(samples.shape[1]))].to(self.device, torch.float32)
        padded = torch.nn.functional.pad(samples[:, None], (config.pad, config.pad), mode="reflect")[:, 0]
        frames = padded.unfold(1, config.n_fft, config.hop) * self._window
        magnitude = torch.fft.rfft(frames).abs()
        with torch.autocast(self.device.type, enabled=False):
            mel = torch.matmul(magnitude, self._bank.T).transpose(1, 2)
        return mel.clamp(min=config.floor).log()

    def normalise(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Return (b, n_mels, frames) log-mels at the network's scale, about zero mean and unit deviation."""
        mean, std = self._constants(log_mel)
        return (log_mel - mean) / std

    def denormalise(self, scaled: torch.Tensor) -> torch.Tensor:
        """Undo :meth:`normalise`, and keep what lies below the floor at the floor."""
        mean, std = self._constants(scaled)
        return (scaled * std + mean).clamp(min=float(np.log(self.config.floor)))

    def _constants(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.config.mean:
            raise ConfigError("mel: mean and std are not set; measure them with clipsonic.mel.measured")
        pair = torch.tensor([self.config.mean, self.config.std], dtype=like.dtype, device=like.device)
        return pair[0, :, None], pair[1, :, None]


def measured(config: MelConfig, log_mels: torch.Tensor, *, per_band: bool = True) -> MelConfig:
    """Return the configuration with mean and std measured on (n, n_mels, frames) log-mels.

    A band's deviation counts as at least a tenth of the whole set's, so that a silent band is not blown up.
    """
    values = log_mels.double()
    whole = float(values.std())
    if whole == 0:
        raise ShapeError("the training clips have one and the same log-mel value everywhere: are they all silent?")
    if not per_band:
        return replace(config, mean=(round(float(values.mean()), 6),), std=(round(whole, 6),))
    mean, std = values.mean(dim=(0, 2)), values.std(dim=(0, 2)).clamp(min=0.1 * whole)
    return replace(config, mean=tuple(round(float(m), 6) for m in mean), std=tuple(round(float(s), 6) for s in std))
