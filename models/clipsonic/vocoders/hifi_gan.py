"""HiFi-GAN of a transformers folder (``SpeechT5HifiGan``), such as AudioLDM's vocoder.

AudioLDM's (64 mel bands, hop 160, 16 kHz) reads the layout of :class:`clipsonic.mel.MelConfig` as it is. A folder holds
``config.json`` and the tensors, as ``save_pretrained`` writes them; nothing is downloaded.

Source: J. Kong, J. Kim and J. Bae, HiFi-GAN, NeurIPS 2020; H. Liu et al., AudioLDM, ICML 2023.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from clipsonic.mel import MelConfig
from clipsonic.vocoders import VOCODERS
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.weight_files import read_transformers, tensors_sha256


@VOCODERS.register("hifi-gan")
class HifiGan:
    """See the module; interface :class:`clipsonic.vocoders.Vocoder`.

    Args:
        mel: layout of the log-mels, which must be that of the vocoder.
        folder: as transformers writes it.
        chunk: clips processed together.
        device: of the network.

    Raises:
        WeightsError: no readable HiFi-GAN there.
        ConfigError: it reads other mel spectrograms.
    """

    def __init__(self, mel: MelConfig, *, folder: str, chunk: int = 8, device: str | torch.device = "cpu") -> None:
        from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

        self.mel = replace(mel, mean=(), std=())
        self.chunk, self.device = chunk, torch.device(device)
        network = read_transformers(Path(folder), SpeechT5HifiGanConfig, SpeechT5HifiGan, earlier=("hifigan",))
        for name, own, wanted in (
            ("mel bands", network.config.model_in_dim, mel.n_mels),
            ("Hz", network.config.sampling_rate, mel.sample_rate),
            ("samples per frame", math.prod(network.config.upsample_rates), mel.hop),
        ):
            if own != wanted:
                raise ConfigError(
                    f"{folder}: a vocoder for {own} {name}, but the mel spectrograms have {wanted}; take a vocoder of "
                    "that layout, or train the audio model with this one's (mel.n_mels, mel.sample_rate, mel.hop)"
                )
        self._sha256 = tensors_sha256(network.state_dict())
        self._network = network.to(self.device)

    def card(self) -> dict[str, Any]:
        """Return name, hash of the weights and layout."""
        return {"name": "hifi-gan", "weights_sha256": self._sha256, "mel": asdict(self.mel)}

    @torch.inference_mode()
    def __call__(self, log_mel: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """Return waveforms (b, frames * hop) float32 of log-mels (b, n_mels, frames), nats; the seeds change nothing.

        Raises:
            ShapeError: the log-mels are not (b, n_mels, frames) with b seeds.
        """
        if log_mel.ndim != 3 or log_mel.shape[1] != self.mel.n_mels or log_mel.shape[0] != len(seeds):
            raise ShapeError(
                f"hifi-gan takes (b, {self.mel.n_mels}, frames) log-mels and b seeds, got {tuple(log_mel.shape)} and "
                f"{len(seeds)} seeds"
            )
        rows = log_mel.to(self.device, torch.float32).transpose(1, 2)
        length = self.mel.samples(log_mel.shape[2])  # transposed convolutions add some samples at the end
        parts = [
            self._network(rows[start : start + self.chunk])[:, :length].cpu()
            for start in range(0, len(rows), self.chunk)
        ]
        return torch.cat([torch.zeros(0, length), *parts])
