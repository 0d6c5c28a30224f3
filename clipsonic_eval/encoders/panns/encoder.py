"""The PANNs encoders as the harness sees them: one row for each clip, float32."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders._audioset import audioset_labels
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders._log_mel import FrontEnd, log_mel
from clipsonic_eval.encoders.panns.frontend import AT_16K, AT_32K
from clipsonic_eval.encoders.panns.network import Cnn14
from clipsonic_eval.encoders.panns.weights import RECORD, find, load
from clipsonic_eval.errors import ShapeError, WeightsError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.types import Clip, EncoderCard

SHORTEST: Final = 32000  # samples; audioldm_eval fills up to as many, whatever the rate
_BATCH_S: Final = 40  # seconds of sound at a time, which bounds the memory

FILES: Final = {AT_32K: "Cnn14_mAP=0.431.pth", AT_16K: "Cnn14_16k_mAP=0.438.pth"}


class Panns(EncoderBase):
    """Cnn14 on whole clips: log-probabilities of AudioSet's classes, or the features before them."""

    def __init__(self, net: Cnn14, front: FrontEnd, card: EncoderCard, device: str = "cpu") -> None:
        super().__init__(card)
        self._net = net.to(device)
        self._front = front
        self._device = device

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the keys: one row for each clip."""
        return [clip.key for clip in clips]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (clips, d).

        Clips of equal length go through the network together; a short one is never filled up to a longer one, since
        the pooling over time would hear the silence.

        Raises:
            ShapeError: a clip holds no sample.
        """
        waves = [self._wave(clip) for clip in clips]
        by_length: dict[int, list[int]] = defaultdict(list)
        for row, wave in enumerate(waves):
            by_length[len(wave)].append(row)
        result = np.zeros((len(waves), self._card.dim), np.float32)
        for length, rows in by_length.items():
            step = max(1, _BATCH_S * self._front.rate // length)
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                batch = torch.from_numpy(np.stack([waves[row] for row in part]))
                result[part] = in_batches(self._forward, batch, size=step, device=self._device, dim=self._card.dim)
        return result

    def _wave(self, clip: Clip) -> Float32:
        mono = mono_at(clip, self._front.rate)
        if len(mono) == 0:
            raise ShapeError(f"clip '{clip.key}': audio must hold at least one sample")
        return np.pad(mono, (0, max(0, SHORTEST - len(mono))))

    def _forward(self, waves: torch.Tensor) -> torch.Tensor:
        mel = log_mel(waves, self._front)
        return torch.log_softmax(self._net(mel), dim=1) if self._card.labels else self._net.features(mel)


def load_panns(name: str, weights: Path | None, device: str, rate: int, *, classes: bool) -> Panns:
    """Load Cnn14 at 32000 or 16000 Hz, for its classes or its features.

    Raises:
        WeightsError: the file is missing, unsafe, of another network, or has not AudioSet's classes.
    """
    front = {32000: AT_32K, 16000: AT_16K}[rate]
    path = find(weights, FILES[front])
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
        file_sha256(path),
        len(labels) if classes else net.fc1.out_features,
        ("audio",),
        f"rate:{front.rate // 1000}k|resample:soxr-hq|mono:mean|win:whole-clip,zero-padded-to-{SHORTEST}-samples"
        f"|mel:{front}|layer:{layer}",
        front.rate,
        labels if classes else (),
        "CC-BY-4.0",
        RECORD,
    )
    return Panns(net, front, card, device)
