"""PaSST as an encoder: one row per window of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders._audioset import audioset_labels
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches_of_equal_length, mono_samples
from clipsonic_eval.encoders.passt.frontend import RATE, SIGNATURE, log_mel
from clipsonic_eval.encoders.passt.network import WIDTH, Passt
from clipsonic_eval.encoders.passt.weights import SOURCE, find, load
from clipsonic_eval.encoders.passt.windows import SIGNATURES, Cut, windows
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.types import Clip, EncoderCard


class PasstEncoder(EncoderBase):
    """PaSST on windows: log-probabilities of the AudioSet classes, or the features before them."""

    def __init__(self, net: Passt, card: EncoderCard, cut: Cut, device: str = "cpu") -> None:
        super().__init__(card)
        self._net, self._cut, self._device = net.to(device), cut, device
        self._batch_size = 2 if device == "cpu" else 16

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its windows."""
        return [clip.key for clip in clips for _ in self._windows(clip)]

    def _windows(self, clip: Clip) -> list[Float32]:
        return windows(mono_samples(clip, RATE), self._cut)

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (windows, d) float32. Only windows of equal length share a batch.

        Raises:
            ShapeError: a clip holds no sample.
        """
        waves = [window for clip in clips for window in self._windows(clip)]
        return in_batches_of_equal_length(
            self._forward, waves, size=lambda _: self._batch_size, device=self._device, dim=self._card.dim
        )

    def _forward(self, waves: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self._net(log_mel(waves))
        return torch.log_softmax(self._net.classes(features), dim=1) if self._card.labels else features


def load_passt(name: str, weights: Path | None, device: str, *, classes: bool, cut: Cut = "segments") -> PasstEncoder:
    """Load PaSST-S for its classes or its features.

    Args:
        name: registry name.
        weights: file or folder; None: torch.hub's folder.
        device: of the network.
        classes: log-probabilities of the classes instead of the features.
        cut: how clips become windows, see :func:`~clipsonic_eval.encoders.passt.windows.windows`.

    Raises:
        ConfigError: ``cut`` is not one of its values.
        WeightsError: the file is missing, unsafe, or of another network.
    """
    if cut not in SIGNATURES:
        raise ConfigError(f"{name}: cut '{cut}' must be segments or overlapping")
    path = find(weights)
    labels = audioset_labels()
    # the classes are not exclusive and the network is trained with sigmoids; the field takes the softmax of its logits
    layer = "softmax-of-multi-label-logits,as-log" if classes else "mean-of-two-tokens"
    card = EncoderCard(
        name,
        weights_sha256=file_sha256(path),
        dim=len(labels) if classes else WIDTH,
        modalities=("audio",),
        preprocessing=f"rate:32k|resample:soxr-hq|mono:mean|{SIGNATURES[cut]}|{SIGNATURE}|layer:{layer}",
        sample_rate=RATE,
        labels=labels if classes else (),
        licence="Apache-2.0",
        source=SOURCE,
    )
    return PasstEncoder(load(path), card, cut, device)
