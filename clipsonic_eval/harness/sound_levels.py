"""What is measured of each clip's sound, cached like embeddings, so that the checks of sound see cached clips too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders import EncoderBase
from clipsonic_eval.media.checks import Levels, check_levels, levels
from clipsonic_eval.types import Clip, Embeddings, EncoderCard, Finding

ROLE = "sound-levels"
_FIELDS = (*Levels._fields, "rate", "seconds")
_CARD = EncoderCard(ROLE, "none", len(_FIELDS), ("audio",), f"{','.join(_FIELDS)}|rows:channels|v:2")


class Measured(NamedTuple):
    """What is known of one clip.

    Attributes:
        channels: the levels of each.
        rate: Hz of the sound as it was stored.
        seconds: of sound.
    """

    channels: tuple[Levels, ...]
    rate: float
    seconds: float


class SoundLevels(EncoderBase):
    """An encoder whose rows are levels, rate and seconds, one for each channel."""

    def __init__(self) -> None:
        super().__init__(_CARD)

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Measure clips -> (channels of all, 8)."""
        rows = [
            (*levels(channel, clip.key), clip.sample_rate, clip.duration_s)
            for clip in clips
            for channel in clip.samples
        ]
        return np.array(rows, np.float32).reshape(-1, _CARD.dim)

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the key of each row."""
        return [clip.key for clip in clips for _ in clip.samples]


def measured(rows: Float32) -> Measured:
    """Return what the rows of one clip say."""
    values = rows.tolist()
    return Measured(tuple(Levels(*row[:-2]) for row in values), *values[0][-2:])


def by_clip(embeddings: Embeddings) -> dict[str, Measured]:
    """Return what was measured, by key, in the order of the rows."""
    rows: dict[str, list[int]] = {}
    for i, key in enumerate(embeddings.keys):
        rows.setdefault(key, []).append(i)
    return {key: measured(np.asarray(embeddings.vectors[where], np.float32)) for key, where in rows.items()}


def findings(embeddings: Embeddings) -> Iterator[Finding]:
    """Yield what looks wrong with clips of which this was measured, in their order."""
    for key, one in by_clip(embeddings).items():
        yield from check_levels(one.channels, key)
