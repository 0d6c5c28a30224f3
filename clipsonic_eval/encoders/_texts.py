"""What a text encoder does not read of a text. Encoders that cut or replace say so with a method ``text_notes``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class TextNote(NamedTuple):
    """What is not read of one text.

    Attributes:
        unknown: words that the encoder does not know, in their order.
        cut: it is longer than the encoder reads, and what lies beyond is not heard.
    """

    unknown: tuple[str, ...] = ()
    cut: bool = False


@runtime_checkable
class NotesTexts(Protocol):
    """An encoder that says what it does not read."""

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return a note by text."""
        ...
