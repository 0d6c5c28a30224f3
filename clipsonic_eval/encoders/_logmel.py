"""Log-mel spectrogram in decibels, the front end of PANNs and CLAP; equal to torchlibrosa's and torchaudio's layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.media.mel import mel_filter_bank

N_MELS: Final = 64
_FLOOR: Final = 1e-10  # power, -100 dB


@dataclass(frozen=True, slots=True)
class LogMel:
    """Front end of one network; call it with waveforms.

    Attributes:
        sample_rate: Hz.
        n_fft: samples of the periodic Hann window and of the Fourier transform.
        hop: samples from frame to frame.
        fmin: lower corner of the mel bands, Hz.
        fmax: upper corner, Hz.
        scale: ``slaney``, triangles of area 1 in Hz (librosa's default), or ``htk``, triangles of height 1
            (torchaudio's default).
    """

    sample_rate: int
    n_fft: int
    hop: int
    fmin: float
    fmax: float
    scale: Literal["slaney", "htk"] = "slaney"

    def __str__(self) -> str:
        return f"{N_MELS}-{self.scale},{self.fmin:g}-{self.fmax:g}Hz,hop{self.hop},win{self.n_fft},power,db-floor-100"

    def filters(self) -> Float32:
        """Return the mel filter bank, (n_fft / 2 + 1, 64) float32."""
        area = self.scale == "slaney"
        bank = mel_filter_bank(
            self.sample_rate, self.n_fft, N_MELS, self.fmin, self.fmax, scale=self.scale, unit_area=area
        )
        return bank.astype(np.float32)

    def __call__(self, waves: Tensor) -> Tensor:
        """Return the log-mel power spectrogram in dB.

        Args:
            waves: (b, n) at ``sample_rate``, full scale 1, n > n_fft / 2; any floating type.

        Returns:
            (b, n // hop + 1, 64) dB, at least -100; frames are centred on multiples of the hop, the ends reflected.
        """
        window = torch.hann_window(self.n_fft, dtype=waves.dtype, device=waves.device)
        spectrum = torch.view_as_real(
            torch.stft(waves, self.n_fft, self.hop, window=window, pad_mode="reflect", return_complex=True)
        )
        power = spectrum.square().sum(dim=-1).transpose(1, 2)  # |X|²
        mel = power @ torch.from_numpy(self.filters()).to(waves)
        return 10 * torch.log10(mel.clamp(min=_FLOOR))  # 10 log10 max(mel, 1e-10)
