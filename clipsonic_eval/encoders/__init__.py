"""Encoders: what turns audio, text and pictures into embeddings. One file each; the folder is scanned.

A file registers a loader under its name::

    @ENCODERS.register("my-encoder")
    def load(weights: Path | None = None, *, device: str = "cpu") -> Encoder: ...

Torch is imported inside the loader, so that listing encoders is cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.registry import Registry
from clipsonic_eval.types import Clip, EncoderCard


class Encoder(Protocol):
    """What an encoder offers; a modality that is not in its card raises UserError.

    Results do not depend on how the items are batched (to float rounding) and no call changes global state.
    """

    @property
    def card(self) -> EncoderCard:
        """The identity of the space."""
        ...

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips (any rate, any channels; resampled as the card says) -> (rows, d)."""
        ...

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip key of each row that :meth:`audio` gives for these clips."""
        ...

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d), L2-normalised where the space is a cosine space."""
        ...

    def image(self, pictures: Sequence[UInt8]) -> Float32:
        """Embed RGB pictures, each (height, width, 3) uint8 of any size -> (n, d)."""
        ...


class Loader(Protocol):
    """How an encoder comes into memory."""

    def __call__(self, weights: Path | None = None, *, device: str = "cpu") -> Encoder:
        """Load from ``weights`` (None: the encoder's own default place)."""
        ...


ENCODERS: Registry[Any] = Registry("encoder", "clipsonic_eval.encoders")
