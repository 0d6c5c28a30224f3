"""BigVGAN of a published folder, versions 1 and 2: ``config.json`` and ``bigvgan_generator.pt`` (or ``.safetensors``).

The paper of CLIPSonic vocodes with a BigVGAN of its own. NVIDIA's have other mel layouts than the default of
:class:`clipsonic.mel.MelConfig`: the audio model is trained with the layout of its vocoder.
"""

from __future__ import annotations

import torch

from clipsonic.mel import MelConfig
from clipsonic.vocoders import VOCODERS
from clipsonic.vocoders._generators import load_generator
from clipsonic.vocoders._neural import NeuralVocoder


@VOCODERS.register("bigvgan")
def load(mel: MelConfig, *, folder: str, chunk: int = 4, device: str | torch.device = "cpu") -> NeuralVocoder:
    """Load a BigVGAN.

    Args:
        mel: layout of the log-mels, which must be that of the vocoder.
        folder: as published, or of one that was trained here.
        chunk: clips processed together.
        device: of the network.

    Raises:
        WeightsError: no readable BigVGAN there.
        ConfigError: it reads other mel spectrograms.
    """
    return load_generator("bigvgan", mel, folder, chunk=chunk, device=device)
