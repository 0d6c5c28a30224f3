"""What neural vocoders share: batches, the length of their waveforms, the card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import nn

from clipsonic.mel import MelConfig
from clipsonic.vocoders import check_request
from clipsonic_eval.weight_files import tensors_sha256


class NeuralVocoder:
    """A generator network as a :class:`clipsonic.vocoders.Vocoder`; seeds change nothing.

    Args:
        name: of the kind of vocoder.
        mel: layout of the log-mels.
        network: in evaluation mode.
        forward: log-mels (b, n_mels, frames) -> waveforms (b, frames * hop or some samples more).
        chunk: clips processed together.
        device: of the network.
    """

    def __init__(
        self,
        name: str,
        mel: MelConfig,
        network: nn.Module,
        forward: Callable[[torch.Tensor], torch.Tensor],
        *,
        chunk: int,
        device: str | torch.device,
    ) -> None:
        self._name, self.mel = name, replace(mel, mean=(), std=())
        self._forward, self._chunk, self._device = forward, chunk, torch.device(device)
        self._sha256 = tensors_sha256(network.state_dict())
        network.to(self._device)

    def card(self) -> dict[str, Any]:
        """Return name, hash of the weights and layout."""
        return {"name": self._name, "weights_sha256": self._sha256, "mel": asdict(self.mel)}

    @torch.inference_mode()
    def __call__(self, log_mel: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """Return waveforms (b, frames * hop) float32 of log-mels (b, n_mels, frames), nats, and b seeds.

        Raises:
            ShapeError: the log-mels are not (b, n_mels, frames) with b seeds.
        """
        check_request(self._name, log_mel, seeds, self.mel.n_mels)
        rows, length = log_mel.to(self._device, torch.float32), self.mel.samples(log_mel.shape[2])
        starts = range(0, len(rows), self._chunk)
        # transposed convolutions may add some samples at the end
        parts = [self._forward(rows[start : start + self._chunk])[:, :length].cpu() for start in starts]
        return torch.cat([torch.zeros(0, length), *parts])
