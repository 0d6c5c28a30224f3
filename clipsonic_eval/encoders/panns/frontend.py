"""Front ends of the published Cnn14s, and how their checkpoints store them."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval.arraytypes import AnyArray
from clipsonic_eval.encoders._logmel import LogMel

AT_32K: Final = LogMel(32000, 1024, 320, 50, 14000)
AT_16K: Final = LogMel(16000, 512, 160, 50, 8000)


def published_matrices(front: LogMel) -> dict[str, Tensor]:
    """Return the front end as a checkpoint stores it, by the names of its tensors.

    Published files hold the windowed Fourier transform as two convolutions and the mel filter bank as a matrix; a file
    of another sample rate or band differs.

    Returns:
        Real and imaginary part, (n_fft / 2 + 1, 1, n_fft) each, and filter bank, (n_fft / 2 + 1, 64); float32.
    """
    n = np.arange(front.n_fft)
    angle = 2 * np.pi * np.outer(np.arange(front.n_fft // 2 + 1), n) / front.n_fft  # 2π k n / N
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / front.n_fft)  # periodic Hann
    matrices: dict[str, AnyArray] = {
        "spectrogram_extractor.stft.conv_real.weight": (np.cos(angle) * window)[:, None],
        "spectrogram_extractor.stft.conv_imag.weight": (-np.sin(angle) * window)[:, None],
        "logmel_extractor.melW": front.filters(),
    }
    return {name: torch.from_numpy(matrix.astype(np.float32)) for name, matrix in matrices.items()}
