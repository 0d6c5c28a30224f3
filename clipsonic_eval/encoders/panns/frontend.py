"""The front ends of the published Cnn14s, and how their files hold them."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval.arraytypes import AnyArray
from clipsonic_eval.encoders._log_mel import FrontEnd, mel_filters

AT_32K: Final = FrontEnd(32000, 1024, 320, 50, 14000)
AT_16K: Final = FrontEnd(16000, 512, 160, 50, 8000)


def published_matrices(front: FrontEnd) -> dict[str, Tensor]:
    """Return what a checkpoint's own front end must hold, by the names of its tensors.

    Published files keep the windowed transform as two convolutions and the filters as a matrix; a file of another rate
    or band has others.
    """
    n = np.arange(front.window)
    angle = 2 * np.pi * np.outer(np.arange(front.window // 2 + 1), n) / front.window
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * n / front.window)
    matrices: dict[str, AnyArray] = {
        "spectrogram_extractor.stft.conv_real.weight": (np.cos(angle) * taper)[:, None],
        "spectrogram_extractor.stft.conv_imag.weight": (-np.sin(angle) * taper)[:, None],
        "logmel_extractor.melW": mel_filters(front),
    }
    return {name: torch.from_numpy(matrix.astype(np.float32)) for name, matrix in matrices.items()}
