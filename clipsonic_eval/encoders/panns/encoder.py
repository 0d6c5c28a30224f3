"""PANNs Cnn14 as an encoder: one row per clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders._audioset import audioset_labels
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches_of_equal_length, mono_samples
from clipsonic_eval.encoders._logmel import LogMel
from clipsonic_eval.encoders.panns.frontend import AT_16K, AT_32K
from clipsonic_eval.encoders.panns.network import Cnn14
from clipsonic_eval.encoders.panns.weights import RECORD, find, load
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.types import Clip, EncoderCard

SHORTEST: Final = 32000  # samples; audioldm_eval zero-pads to this many at either sample rate
_BATCH_S: Final = 40  # seconds of audio per batch, which bounds the memory


class PannsEncoder(EncoderBase):
    """Cnn14 on whole clips: log-probabilities of the AudioSet classes, or the features before them."""

    def __init__(self, net: Cnn14, front: LogMel, card: EncoderCard, device: str = "cpu") -> None:
        super().__init__(card)
        self._net = net.to(device)
        self._front = front
        self._device = device

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the keys: one row per clip."""
        return [clip.key for clip in clips]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (clips, d) float32.

        Only clips of equal length share a batch: a short clip is never padded to a longer one, since the network pools
        over time and the silence would count.

        Raises:
            ShapeError: a clip holds no sample.
        """
        waves = [self._wave(clip) for clip in clips]
        budget = _BATCH_S * self._front.sample_rate  # samples
        return in_batches_of_equal_length(
            self._forward, waves, size=lambda n: max(1, budget // n), device=self._device, dim=self._card.dim
        )

    def _wave(self, clip: Clip) -> Float32:
        mono = mono_samples(clip, self._front.sample_rate)
        return np.pad(mono, (0, max(0, SHORTEST - len(mono))))

    def _forward(self, waves: torch.Tensor) -> torch.Tensor:
        mel = self._front(waves)
        return torch.log_softmax(self._net(mel), dim=1) if self._card.labels else self._net.features(mel)


def load_panns(name: str, weights: Path | None, device: str, sample_rate: int, *, classes: bool) -> PannsEncoder:
    """Load Cnn14 for its classes or its features.

    Args:
        name: registry name.
        weights: file or folder; None: where other toolkits keep the file.
        device: of the network.
        sample_rate: 32000 or 16000 Hz.
        classes: log-probabilities of the classes instead of the features.

    Raises:
        WeightsError: the file is missing, unsafe, of another network, or its classes are not AudioSet's.
    """
    front = {32000: AT_32K, 16000: AT_16K}[sample_rate]
    path = find(weights, front)
    net = load(path, front)
    labels = audioset_labels()
    if net.fc_audioset.out_features != len(labels):
        raise WeightsError(
            f"{path}: its network has {net.fc_audioset.out_features} classes, AudioSet has {len(labels)}; fetch the "
            f"file from {RECORD}"
        )
    # AudioSet's labels are not exclusive and the network ends in sigmoids. KL and inception score need a distribution;
    # the field takes the softmax of the same logits, and so do we.
    layer = "softmax-of-multi-label-logits,as-log" if classes else "fc1,post-relu"
    card = EncoderCard(
        name,
        weights_sha256=file_sha256(path),
        dim=len(labels) if classes else net.fc1.out_features,
        modalities=("audio",),
        preprocessing=f"rate:{sample_rate // 1000}k|resample:soxr-hq|mono:mean"
        f"|win:whole-clip,zero-padded-to-{SHORTEST}-samples|mel:{front}|layer:{layer}",
        sample_rate=sample_rate,
        labels=labels if classes else (),
        licence="CC-BY-4.0",
        source=RECORD,
    )
    return PannsEncoder(net, front, card, device)
