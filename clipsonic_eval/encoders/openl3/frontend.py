"""OpenL3's front end: a spectrogram of one second in decibels below its maximum.

48 kHz; frames every 242 samples, periodic Hann window, magnitudes (not powers). ``mel256`` and ``mel128``: windows of
2048 samples, zeros after the end so that the last frame begins within the second, Slaney's mel bands of equal area from
0 to 24 kHz. ``linear``: windows of 512 samples that end within the second. Then 10 log10 of the magnitudes, relative to
the window's maximum, at least -80: a magnitude of 1e-8 is still seen, so that the bands above the band limit of a
resampled sound hold what float32 rounds.

Source: openl3 0.4.2, models.py; kapre 0.3.7; tf.signal.stft.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from clipsonic_eval.media.mel import mel_filter_bank

RATE: Final = 48000  # Hz; also the samples of a window
_HOP: Final = 242  # samples from frame to frame
_FLOOR: Final = 1e-10  # magnitude
_RANGE_DB: Final = 80.0


@dataclass(frozen=True, slots=True)
class _FrontEnd:
    """Call it with windows, (b, 48000) -> (b, bands, frames)."""

    n_fft: int
    mels: int | None

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return -(-RATE // _HOP) if self.mels else (RATE - self.n_fft) // _HOP + 1

    @property
    def bands(self) -> int:
        """Mel bands, or bins of the spectrum."""
        return self.mels or self.n_fft // 2 + 1

    def __str__(self) -> str:
        bands = f"{self.mels}-slaney,0-24000Hz" if self.mels else f"none,{self.bands}-bins"
        return f"{bands},hop{_HOP},win{self.n_fft},magnitude,db-below-window-max-{_RANGE_DB:g}"

    def __call__(self, waves: Tensor) -> Tensor:
        """Return the spectrograms in decibels, (b, 48000) -> (b, bands, frames), from -80 to 0."""
        padded = F.pad(waves, (0, max(0, (self.frames - 1) * _HOP + self.n_fft - RATE)))
        window = torch.hann_window(self.n_fft, dtype=waves.dtype, device=waves.device)
        spectrum = torch.stft(padded, self.n_fft, _HOP, window=window, center=False, return_complex=True)
        bands = spectrum.abs()  # |X|
        if self.mels:
            bank = mel_filter_bank(RATE, self.n_fft, self.mels, 0, RATE / 2, scale="slaney", unit_area=True)
            bands = torch.from_numpy(bank.T).to(waves) @ bands
        level = 10 * torch.log10(bands.clamp(min=_FLOOR))  # 10 log10 max(|X|, 1e-10)
        below: Tensor = (level - level.amax(dim=(1, 2), keepdim=True)).clamp(min=-_RANGE_DB)
        return below


FRONT_ENDS: Final = {"mel256": _FrontEnd(2048, 256), "mel128": _FrontEnd(2048, 128), "linear": _FrontEnd(512, None)}
