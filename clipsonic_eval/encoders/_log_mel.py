"""Sound to log-mel as PANNs and CLAP were trained: equal to torchlibrosa's and torchaudio's layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval.arraytypes import Float32, Float64

BANDS: Final = 64
_FLOOR: Final = 1e-10  # -100 dB


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """What the log-mel of a network is made with.

    Attributes:
        rate: Hz.
        window: samples of the periodic Hann window and of the transform.
        hop: samples.
        lowest: of the mel bands, Hz.
        highest: Hz.
        scale: of the bands: ``slaney``, triangles of area 1, or ``htk``, triangles of height 1.
    """

    rate: int
    window: int
    hop: int
    lowest: float
    highest: float
    scale: Literal["slaney", "htk"] = "slaney"

    def __str__(self) -> str:
        return (
            f"{BANDS}-{self.scale},{self.lowest:g}-{self.highest:g}Hz,hop{self.hop},win{self.window},power,db-floor-100"
        )


def _slaney_hertz(mel: Float64) -> Float64:
    """Return the frequencies of Slaney's mel scale: linear to 1 kHz (15 mel), then 27 mel for a factor of 6.4."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def _slaney_mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * float(np.log(hertz / 1000) / np.log(6.4))


def _htk_hertz(mel: Float64) -> Float64:
    return 700 * (10 ** (mel / 2595) - 1)


def _htk_mel(hertz: float) -> float:
    return 2595 * float(np.log10(1 + hertz / 700))


def mel_filters(front: FrontEnd) -> Float32:
    """Return triangles over hertz, (window / 2 + 1, 64).

    Source: M. Slaney, Auditory Toolbox, 1998 (librosa.filters.mel with its defaults gives the same); S. Young et al.,
    The HTK Book (torchaudio.functional.melscale_fbanks with its defaults gives the same).
    """
    to_mel, to_hertz = (_slaney_mel, _slaney_hertz) if front.scale == "slaney" else (_htk_mel, _htk_hertz)
    edges = to_hertz(np.linspace(to_mel(front.lowest), to_mel(front.highest), BANDS + 2))
    grid = np.fft.rfftfreq(front.window, 1 / front.rate)[:, None]
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.maximum(0, np.minimum((grid - low) / (peak - low), (high - grid) / (high - peak)))
    area = (high - low) / 2 if front.scale == "slaney" else 1.0
    return (triangles / area).astype(np.float32)


def log_mel(waves: Tensor, front: FrontEnd) -> Tensor:
    """Return the log-mel power of sound in dB.

    Args:
        waves: (b, n) at ``front.rate``, full scale 1, n > window / 2; any floating type.
        front: of the network.

    Returns:
        (b, n // hop + 1, 64): 10 log10 of the power, no lower than -100; frames centred on multiples of the hop,
        the ends reflected.
    """
    taper = torch.hann_window(front.window, dtype=waves.dtype, device=waves.device)
    spectrum = torch.view_as_real(
        torch.stft(waves, front.window, front.hop, window=taper, pad_mode="reflect", return_complex=True)
    )
    power = spectrum.square().sum(dim=-1).transpose(1, 2)
    filters = torch.from_numpy(mel_filters(front)).to(waves)
    return 10 * torch.log10((power @ filters).clamp(min=_FLOOR))
