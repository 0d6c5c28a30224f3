"""PaSST's front end: log-mel spectrogram at 32 kHz as in evaluation, without the random shifts of training."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.media.mel import mel_filter_bank

RATE: Final = 32000  # Hz
N_MELS: Final = 128
HOP: Final = 320  # samples
_FFT, _WINDOW = 1024, 800  # samples
_FMIN, _FMAX = 0.0, 15000.0  # Hz
_EMPHASIS = 0.97
SIGNATURE: Final = "mel:128-kaldi,0-15000Hz,hop320,win800,fft1024,emphasis0.97,log+1e-5"


@lru_cache(maxsize=1)
def mel_filters() -> Float64:
    """Return Kaldi's mel filter bank, (513, 128) float64; as torchaudio.compliance.kaldi.get_mel_banks."""
    bank = mel_filter_bank(RATE, _FFT, N_MELS, _FMIN, _FMAX, scale="kaldi", flanks="mel")
    bank[-1] = 0  # Kaldi leaves out the bin at half the sample rate
    return bank


def log_mel(waves: Tensor) -> Tensor:
    """Return the normalised log-mel spectrogram.

    Args:
        waves: (b, n) at 32 kHz, full scale 1, n > 512.

    Returns:
        (b, 128, (n - 1) // 320 + 1), about within [-1, 1].
    """
    emphasised = waves[:, 1:] - _EMPHASIS * waves[:, :-1]  # y[t] = x[t] − 0.97 x[t−1]
    window = torch.hann_window(_WINDOW, periodic=False, dtype=waves.dtype, device=waves.device)
    spectrum = torch.view_as_real(
        torch.stft(emphasised, _FFT, HOP, _WINDOW, window=window, pad_mode="reflect", return_complex=True)
    )
    power = spectrum.square().sum(dim=-1)  # |X|²
    filters = torch.from_numpy(mel_filters()).to(waves)
    return ((filters.T @ power + 1e-5).log() + 4.5) / 5  # (ln(mel + 1e-5) + 4.5) / 5
