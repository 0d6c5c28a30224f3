"""Log-mel spectrogram front end in the layout of AudioLDM's vocoder, so that a pretrained vocoder can read its output.

16 kHz, window = n_fft = 1024 samples (periodic Hann), hop 160 samples, 64 Slaney mel bands over 0–8000 Hz of the
*magnitude* spectrum, natural logarithm with a floor of 1e-5. The signal is reflect-padded by (n_fft − hop) / 2 samples
on each side and framed without centring, so that n samples give n / hop frames: 15,360 → 96, 64,000 → 400.

Source: the published configuration of AudioLDM (cvssp/audioldm and its training code).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.media.mel import mel_filter_bank


@dataclass(frozen=True, slots=True)
class MelConfig:
    """Layout and scale of a log-mel spectrogram.

    Attributes:
        sample_rate: Hz.
        n_fft: length of the FFT and of its window, samples.
        hop: samples between frames.
        n_mels: mel bands.
        fmin: lower edge of the lowest band, Hz.
        fmax: upper edge of the highest band, Hz.
        floor: mel magnitudes below it are raised to it before the logarithm.
        mean: subtracted from a log-mel before the network: one number, or one per band, nats. Empty: measured on the
            training clips when training starts.
        std: divides it after that; of the same length, nats.
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
        """Samples of reflect padding on each side."""
        return (self.n_fft - self.hop) // 2

    def frames(self, n_samples: int) -> int:
        """Return the number of frames in ``n_samples`` samples.

        Example:
            >>> MelConfig().frames(64000)
            400
        """
        return n_samples // self.hop

    def samples(self, frames: int) -> int:
        """Return the number of samples that ``frames`` frames span."""
        return frames * self.hop


@lru_cache(maxsize=8)
def filterbank(config: MelConfig) -> Float64:
    """Return the mel filter bank: triangles on Slaney's scale with Slaney's area normalisation.

    Returns:
        (n_mels, n_fft / 2 + 1) float64, 1 / Hz; read-only.
    """
    c = config
    weights = mel_filter_bank(c.sample_rate, c.n_fft, c.n_mels, c.fmin, c.fmax, scale="slaney", unit_area=True)
    bank = np.ascontiguousarray(weights.T)
    bank.setflags(write=False)
    return bank


class MelFrontEnd:
    """Waveforms to log-mel spectrograms, and log-mels to the network's scale and back.

    Attributes:
        config: layout and scale.
        device: of the transforms.
    """

    def __init__(self, config: MelConfig, device: str | torch.device = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self._window = torch.hann_window(config.n_fft, periodic=True, device=self.device)
        self._bank = torch.tensor(filterbank(replace(config, mean=(), std=())), dtype=torch.float32, device=self.device)

    def log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the log-mel spectrograms of waveforms.

        Args:
            samples: (b, n) float32 in [-1, 1] at the configured rate, n > (n_fft − hop) / 2.

        Returns:
            (b, n_mels, n // hop) float32, nats (natural logarithm of a magnitude); float32 under the caller's autocast
            too.

        Raises:
            ShapeError: the input is not (b, n), or too short for reflect padding.

        Example:
            >>> MelFrontEnd(MelConfig()).log_mel(torch.zeros(2, 15360)).shape
            torch.Size([2, 64, 96])
        """
        config = self.config
        if samples.ndim != 2 or samples.shape[1] <= config.pad:
            raise ShapeError(
                f"log_mel takes waveforms (b, n) of more than {config.pad} samples, got {tuple(samples.shape)}"
            )
        samples = samples[:, : config.samples(config.frames(samples.shape[1]))].to(self.device, torch.float32)
        padded = torch.nn.functional.pad(samples[:, None], (config.pad, config.pad), mode="reflect")[:, 0]
        frames = padded.unfold(1, config.n_fft, config.hop) * self._window  # w[n] x[m · hop + n]
        magnitude = torch.fft.rfft(frames).abs()  # |X[m, k]| = |Σ_n w[n] x[m · hop + n] e^(−2πi k n / n_fft)|
        with torch.autocast(self.device.type, enabled=False):
            mel = torch.matmul(magnitude, self._bank.T).transpose(1, 2)  # M[j, m] = Σ_k B[j, k] |X[m, k]|
        return mel.clamp(min=config.floor).log()  # ln max(M, floor)

    def normalise(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Return log-mels (b, n_mels, frames), nats, at the network's scale: about zero mean and unit deviation."""
        mean, std = self._mean_std(log_mel)
        return (log_mel - mean) / std

    def denormalise(self, scaled: torch.Tensor) -> torch.Tensor:
        """Return log-mels (b, n_mels, frames), nats, of normalised ones; values below the floor are raised to it."""
        mean, std = self._mean_std(scaled)
        return (scaled * std + mean).clamp(min=float(np.log(self.config.floor)))

    def _mean_std(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and standard deviation, (1 or n_mels, 1) each, in the precision of ``like``."""
        if not self.config.mean:
            raise ConfigError("mel: mean and std are not set; measure them with clipsonic.mel.measured")
        pair = torch.tensor([self.config.mean, self.config.std], dtype=like.dtype, device=like.device)
        return pair[0, :, None], pair[1, :, None]


def measured(config: MelConfig, log_mels: torch.Tensor, *, per_band: bool = True) -> MelConfig:
    """Return the configuration with mean and standard deviation measured on log-mels (n, n_mels, frames), nats.

    The deviation of a band is at least a tenth of the whole set's, so that a silent band is not blown up.

    Raises:
        ShapeError: all values are equal, as those of silence are.
    """
    values = log_mels.double()
    whole = float(values.std())
    if whole == 0:
        raise ShapeError("the training clips have one and the same log-mel value everywhere: are they all silent?")
    if not per_band:
        return replace(config, mean=(round(float(values.mean()), 6),), std=(round(whole, 6),))
    mean, std = values.mean(dim=(0, 2)), values.std(dim=(0, 2)).clamp(min=0.1 * whole)
    return replace(config, mean=tuple(round(float(m), 6) for m in mean), std=tuple(round(float(s), 6) for s in std))
