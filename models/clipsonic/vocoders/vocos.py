"""Vocos, trained here: an inverse Fourier transform of magnitudes and phases that a network predicts, frame by frame.

Those that are published read other mel spectrograms (another mel scale) than :class:`clipsonic.mel.MelConfig` has.
"""

from __future__ import annotations

import torch

from clipsonic.mel import MelConfig
from clipsonic.vocoders import VOCODERS
from clipsonic.vocoders._generators import load_generator
from clipsonic.vocoders._neural import NeuralVocoder


@VOCODERS.register("vocos")
def load(mel: MelConfig, *, folder: str, chunk: int = 8, device: str | torch.device = "cpu") -> NeuralVocoder:
    """Load a Vocos.

    Args:
        mel: layout of the log-mels, which must be that of the vocoder.
        folder: as :func:`clipsonic.training.vocoder.train` writes it.
        chunk: clips processed together.
        device: of the network.

    Raises:
        WeightsError: no readable Vocos there.
        ConfigError: it reads other mel spectrograms.
    """
    return load_generator("vocos", mel, folder, chunk=chunk, device=device)
