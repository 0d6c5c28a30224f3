"""Sound to log-mel, as the published networks were trained: equal to torchlibrosa's layers, without their matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
    """

    rate: int
    window: int
    hop: int
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{BANDS}-slaney,{self.lowest:g}-{self.highest:g}Hz,hop{self.hop},win{self.window},power,db-floor-100"


AT_32K: Final = FrontEnd(32000, 1024, 320, 50, 14000)
AT_16K: Final = FrontEnd(16000, 512, 160, 50, 8000)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frequencies of Slaney's mel scale: linear to 1 kHz (15 mel), then 27 mel for a factor of 6.4."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def _mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * float(np.log(hertz / 1000) / np.log(6.4))


def mel_filters(front: FrontEnd) -> NDArray[np.float32]:
    """Return triangles of area 1 over hertz, (window / 2 + 1, 64).

    Source: M. Slaney, Auditory Toolbox, 1998; librosa.filters.mel with its defaults gives the same.
    """
    edges = _hertz(np.linspace(_mel(front.lowest), _mel(front.highest), BANDS + 2))
    grid = np.fft.rfftfreq(front.window, 1 / front.rate)[:, None]
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.maximum(0, np.minimum((grid - low) / (peak - low), (high - grid) / (high - peak)))
    return (triangles * 2 / (high - low)).astype(np.float32)


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


def published_matrices(front: FrontEnd) -> dict[str, Tensor]:
    """Return what a checkpoint's own front end must hold, by the names of its tensors.

    Published files keep the windowed transform as two convolutions and the filters as a matrix; a file of another rate
    or band has others.
    """
    n = np.arange(front.window)
    angle = 2 * np.pi * np.outer(np.arange(front.window // 2 + 1), n) / front.window
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * n / front.window)
    matrices: dict[str, NDArray[Any]] = {
        "spectrogram_extractor.stft.conv_real.weight": (np.cos(angle) * taper)[:, None],
        "spectrogram_extractor.stft.conv_imag.weight": (-np.sin(angle) * taper)[:, None],
        "logmel_extractor.melW": mel_filters(front),
    }
    return {name: torch.from_numpy(matrix.astype(np.float32)) for name, matrix in matrices.items()}
