"""What encoders share: their card, and the refusal of every modality that they do not offer."""

from __future__ import annotations

from collections.abc import Sequence

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.errors import UserError
from clipsonic_eval.types import Clip, EncoderCard, Modality


class EncoderBase:
    """An encoder that takes nothing; a subclass offers what its card names."""

    def __init__(self, card: EncoderCard) -> None:
        self._card = card

    @property
    def card(self) -> EncoderCard:
        """The identity of the space."""
        return self._card

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips."""
        raise self._refusal("audio")

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip key of each row of :meth:`audio`."""
        raise self._refusal("audio")

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts."""
        raise self._refusal("text")

    def image(self, pictures: Sequence[UInt8]) -> Float32:
        """Embed pictures."""
        raise self._refusal("image")

    def _refusal(self, modality: Modality) -> UserError:
        able = ", ".join(self._card.modalities)
        return UserError(f"encoder '{self._card.name}' does not take {modality}; it takes {able}: choose another")
