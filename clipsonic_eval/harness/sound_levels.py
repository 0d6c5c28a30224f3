"""Levels of each clip's channels, cached like embeddings, so that the checks of sound see cached clips too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.encoders._base import Refusing
from clipsonic_eval.media.checks import Levels, check_levels, levels
from clipsonic_eval.types import Clip, Embeddings, EncoderCard, Finding

ROLE = "sound-levels"
_CARD = EncoderCard(ROLE, "none", len(Levels._fields), ("audio",), f"{','.join(Levels._fields)}|rows:channels|v:1")


class SoundLevels(Refusing):
    """An encoder whose rows are :class:`~clipsonic_eval.media.checks.Levels`, one for each channel."""

    def __init__(self) -> None:
        super().__init__(_CARD)

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        """Measure clips -> (channels of all, 5)."""
        rows = [levels(channel, clip.key) for clip in clips for channel in clip.samples]
        return np.array(rows, np.float32).reshape(-1, _CARD.dim)

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the key of each row."""
        return [clip.key for clip in clips for _ in clip.samples]


def findings(measured: Embeddings) -> Iterator[Finding]:
    """Yield what looks wrong with clips of which this was measured, in their order."""
    channels: dict[str, list[Levels]] = {}
    for key, row in zip(measured.keys, measured.vectors.tolist(), strict=True):
        channels.setdefault(key, []).append(Levels(*row))
    for key, rows in channels.items():
        yield from check_levels(rows, key)
