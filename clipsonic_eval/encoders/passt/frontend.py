"""Sound at 32 kHz to the log-mel that PaSST was trained with, as in evaluation (nothing drawn at random)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval.arraytypes import Float64

RATE: Final = 32000
BANDS: Final = 128
HOP: Final = 320
_FFT, _WINDOW = 1024, 800
_LOWEST, _HIGHEST = 0.0, 15000.0
_EMPHASIS = 0.97
SIGNATURE: Final = "mel:128-kaldi,0-15000Hz,hop320,win800,fft1024,emphasis0.97,log+1e-5"


@lru_cache(maxsize=1)
def mel_filters() -> Float64:
    """Return triangles over mel, (513, 128).

    Source: Kaldi's feature extraction (torchaudio.compliance.kaldi.get_mel_banks gives the same).
    """
    mel = 1127 * np.log1p(np.arange(_FFT // 2 + 1) * RATE / _FFT / 700)
    edges = np.linspace(1127 * np.log1p(_LOWEST / 700), 1127 * np.log1p(_HIGHEST / 700), BANDS + 2)
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((mel[:, None] - low) / (peak - low), (high - mel[:, None]) / (high - peak))
    triangles[-1] = 0  # Kaldi leaves out the last bin
    clipped: Float64 = np.maximum(triangles, 0)
    return clipped


def log_mel(waves: Tensor) -> Tensor:
    """Return normalised log-mels.

    Args:
        waves: (b, n) at 32 kHz, n > 512.

    Returns:
        (b, 128, (n - 1) // 320 + 1).
    """
    emphasised = waves[:, 1:] - _EMPHASIS * waves[:, :-1]
    taper = torch.hann_window(_WINDOW, periodic=False, dtype=waves.dtype, device=waves.device)
    spectrum = torch.view_as_real(
        torch.stft(emphasised, _FFT, HOP, _WINDOW, window=taper, pad_mode="reflect", return_complex=True)
    )
    power = spectrum.square().sum(dim=-1)
    filters = torch.from_numpy(mel_filters()).to(waves)
    return ((filters.T @ power + 1e-5).log() + 4.5) / 5
