"""PaSST as the harness sees it: one row for each window of a clip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders._audioset import audioset_labels
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.passt.frontend import HOP, RATE, SIGNATURE, log_mel
from clipsonic_eval.encoders.passt.network import PATCH, WIDTH, Passt
from clipsonic_eval.encoders.passt.weights import SOURCE, find, load
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.types import Clip, EncoderCard

Cut = Literal["segments", "overlapping"]

WINDOW: Final = 10 * RATE
_LEAST: Final = round(0.15 * RATE)  # a last segment below it is dropped
_PADDED: Final = round(1.5 * RATE)  # an overlapping window above it is filled up
SHORTEST: Final = (PATCH - 1) * HOP + 2  # samples of the shortest sound that has a patch
_ON_CPU, _ON_GPU = 2, 16


def windows(wave: Float32, cut: Cut) -> list[Float32]:
    """Cut a sound.

    Args:
        wave: (n,) at 32 kHz, n >= 1.
        cut: ``segments``: 10 s side by side, the last one as short as it is, dropped below 0.15 s (MusicGen's rule);
            ``overlapping``: 10 s every 5 s, what is left above 1.5 s filled with zeros and below left as it is
            (stable-audio-metrics' rule).

    Returns:
        At least one window; windows too short for a single patch (0.15 s) are filled with zeros up to it.
    """
    if cut == "segments":
        parts = [wave[start : start + WINDOW] for start in range(0, len(wave), WINDOW)]
        parts = [part for part in parts if len(part) >= _LEAST] or parts[:1]
    else:
        hop = WINDOW // 2
        parts = [wave[start : start + WINDOW] for start in range(0, max(hop, len(wave) - hop), hop)]
        parts = [np.pad(p, (0, WINDOW - len(p))) if _PADDED < len(p) < WINDOW else p for p in parts]
    return [np.pad(part, (0, max(0, SHORTEST - len(part)))) for part in parts]


class PasstEncoder(EncoderBase):
    """PaSST on windows: log-probabilities of AudioSet's classes, or the features before them."""

    def __init__(self, net: Passt, card: EncoderCard, cut: Cut, device: str = "cpu") -> None:
        super().__init__(card)
        self._net, self._cut, self._device = net.to(device), cut, device
        self._size = _ON_CPU if device == "cpu" else _ON_GPU

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its windows."""
        return [clip.key for clip in clips for _ in self._windows(clip)]

    def _windows(self, clip: Clip) -> list[Float32]:
        mono = mono_at(clip, RATE)
        if len(mono) == 0:
            raise ShapeError(f"clip '{clip.key}': audio must hold at least one sample")
        return windows(mono, self._cut)

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (windows, d). Windows of equal length go through the network together.

        Raises:
            ShapeError: a clip holds no sample.
        """
        cut = [window for clip in clips for window in self._windows(clip)]
        by_length: dict[int, list[int]] = defaultdict(list)
        for row, window in enumerate(cut):
            by_length[len(window)].append(row)
        result = np.zeros((len(cut), self._card.dim), np.float32)
        for rows in by_length.values():
            for start in range(0, len(rows), self._size):
                part = rows[start : start + self._size]
                batch = torch.from_numpy(np.stack([cut[row] for row in part]))
                result[part] = in_batches(
                    self._forward, batch, size=self._size, device=self._device, dim=self._card.dim
                )
        return result

    def _forward(self, waves: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self._net(log_mel(waves))
        return torch.log_softmax(self._net.classes(features), dim=1) if self._card.labels else features


def load_passt(name: str, weights: Path | None, device: str, *, classes: bool, cut: Cut = "segments") -> PasstEncoder:
    """Load PaSST-S, for its classes or its features.

    Raises:
        ConfigError: another cut.
        WeightsError: the file is missing, unsafe, or of another network.
    """
    if cut not in ("segments", "overlapping"):
        raise ConfigError(f"{name}: cut '{cut}' must be segments or overlapping")
    path = find(weights)
    labels = audioset_labels()
    rule = "10/10,last-as-is,none-below-0.15" if cut == "segments" else "10/5,zero-padded-above-1.5"
    # the classes are not exclusive and the network is trained with sigmoids; the field takes the softmax of its logits
    layer = "softmax-of-multi-label-logits,as-log" if classes else "mean-of-two-tokens"
    card = EncoderCard(
        name,
        file_sha256(path),
        len(labels) if classes else WIDTH,
        ("audio",),
        f"rate:32k|resample:soxr-hq|mono:mean|win:{rule}|{SIGNATURE}|layer:{layer}",
        RATE,
        labels if classes else (),
        "Apache-2.0",
        SOURCE,
    )
    return PasstEncoder(load(path), card, cut, device)
