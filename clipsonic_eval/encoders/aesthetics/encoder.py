"""Audiobox Aesthetics as an encoder: one row of four axes per clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches, mono_samples
from clipsonic_eval.encoders.aesthetics.network import AXES, Aesthetics
from clipsonic_eval.encoders.aesthetics.weights import REPOSITORY, Scale, find, load
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.types import Clip, EncoderCard
from clipsonic_eval.weight_files import tensors_sha256

RATE: Final = 16000  # Hz
WINDOW: Final = 10 * RATE  # samples


class AestheticsEncoder(EncoderBase):
    """Four axes of a clip, in points.

    Args:
        network: gives standardised axes.
        scale: from them to points.
        card: its identity.
        device: of the network.
    """

    def __init__(self, network: Aesthetics, scale: Scale, card: EncoderCard, device: str = "cpu") -> None:
        super().__init__(card)
        self._network, self._scale, self._device = network.to(device), scale, device
        self._batch_size = 1 if device == "cpu" else 8  # all windows are of one length

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the key of each clip."""
        return [clip.key for clip in clips]

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (n, 4) float32: CE, CU, PC, PQ.

        Raises:
            ShapeError: a clip holds no sample.
        """
        waves = [mono_samples(clip, RATE) for clip in clips]
        return np.stack([self._clip(wave) for wave in waves]) if waves else np.zeros((0, len(AXES)), np.float32)

    @torch.inference_mode()
    def _clip(self, wave: Float32) -> Float32:
        """Return the mean of a clip's windows, by the samples that they hold: (n,) -> (4,)."""
        starts = range(0, len(wave), WINDOW)
        held = np.array([min(WINDOW, len(wave) - start) for start in starts])
        waves = torch.zeros(len(starts), 2, WINDOW)  # samples, and 1 where they are part of the clip
        for row, start in enumerate(starts):
            waves[row, 0, : held[row]] = torch.from_numpy(wave[start : start + WINDOW])
            waves[row, 1, : held[row]] = 1
        axes = in_batches(self._forward, waves, size=self._batch_size, device=self._device, dim=len(AXES))
        points = axes * self._scale.std + self._scale.mean
        mean: Float32 = (held @ points / held.sum()).astype(np.float32)
        return mean

    def _forward(self, waves: torch.Tensor) -> torch.Tensor:
        axes: torch.Tensor = self._network(waves[:, 0], waves[:, 1] > 0)
        return axes


def load_aesthetics(folder: Path | None, device: str, *, download: bool | None = None) -> AestheticsEncoder:
    """Load the published network; arguments as of the package.

    Raises:
        WeightsError: its folder is missing, incomplete, unsafe or of another network.
    """
    network, scale = load(find(folder, download=download))
    card = EncoderCard(
        "audiobox-aesthetics",
        weights_sha256=tensors_sha256(network.state_dict()),
        dim=len(AXES),
        modalities=("audio",),
        preprocessing=(
            "rate:16k|resample:soxr-hq|mono:mean|win:10/10,zeros-masked,weighted-by-length|axes:CE,CU,PC,PQ|"
            f"scale:{config_hash([scale.mean.tolist(), scale.std.tolist()])[:8]}"
        ),
        sample_rate=RATE,
        licence="CC BY 4.0",
        source=f"https://huggingface.co/{REPOSITORY}",
    )
    return AestheticsEncoder(network, scale, card, device)
