"""HiFi-GAN of a transformers folder (``SpeechT5HifiGan``), such as AudioLDM's vocoder.

AudioLDM's (64 mel bands, hop 160, 16 kHz) reads the layout of :class:`clipsonic.mel.MelConfig` as it is. A folder holds
``config.json`` and the tensors, as ``save_pretrained`` writes them. Without a folder it is AudioLDM's, from the Hugging
Face cache; nothing is downloaded.

Source: J. Kong, J. Kim and J. Bae, HiFi-GAN, NeurIPS 2020; H. Liu et al., AudioLDM, ICML 2023.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch

from clipsonic.mel import MelConfig
from clipsonic.vocoders import VOCODERS
from clipsonic.vocoders._neural import NeuralVocoder
from clipsonic_eval import licences
from clipsonic_eval.errors import ConfigError, WeightsError
from clipsonic_eval.weight_files import hub_file, read_transformers, stated_licence

AUDIOLDM, LICENCE = "cvssp/audioldm-s-full-v2", "CC-BY-NC-SA-4.0"  # its folder vocoder/, and of the whole repository
_PARTS = ("config.json", "pytorch_model.bin", "model.safetensors")


@VOCODERS.register("hifi-gan")
def load(mel: MelConfig, *, folder: str = "", chunk: int = 8, device: str | torch.device = "cpu") -> NeuralVocoder:
    """Load a HiFi-GAN.

    Args:
        mel: layout of the log-mels, which must be that of the vocoder.
        folder: as transformers writes it; "": AudioLDM's, from the Hugging Face cache.
        chunk: clips processed together.
        device: of the network.

    Raises:
        WeightsError: no readable HiFi-GAN there.
        ConfigError: it reads other mel spectrograms.
    """
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    published, folder = not folder, folder or str(_audioldm())
    network = read_transformers(Path(folder), SpeechT5HifiGanConfig, SpeechT5HifiGan, earlier=("hifigan",))
    for name, own, wanted in (
        ("mel bands", network.config.model_in_dim, mel.n_mels),
        ("Hz", network.config.sampling_rate, mel.sample_rate),
        ("samples per frame", math.prod(network.config.upsample_rates), mel.hop),
    ):
        if own != wanted:
            raise ConfigError(
                f"{folder}: a vocoder for {own} {name}, but the mel spectrograms have {wanted}; take a vocoder of that "
                "layout, or train the audio model with this one's (mel.n_mels, mel.sample_rate, mel.hop)"
            )
    if published:
        licences.tell("hifi-gan", LICENCE, f"https://huggingface.co/{AUDIOLDM}")
    else:
        licences.tell("hifi-gan", stated_licence(Path(folder), ""), folder)
    return NeuralVocoder(
        "hifi-gan", mel, network, lambda log_mel: network(log_mel.transpose(1, 2)), chunk=chunk, device=device
    )


def _audioldm() -> Path:
    """Return the cached folder of AudioLDM's vocoder.

    Raises:
        WeightsError: it is not in the cache.
    """
    found = [hub_file(AUDIOLDM, f"vocoder/{name}") for name in _PARTS]
    there = [path for path in found if path is not None]
    if found[0] is None or len(there) < 2:
        raise WeightsError(
            f"vocoder hifi-gan: {AUDIOLDM} is not in the Hugging Face cache; fetch it with 'hf download {AUDIOLDM} "
            '--include "vocoder/*"\', or name a folder with vocoder.folder'
        )
    return there[0].parent
