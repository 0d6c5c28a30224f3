"""Words to numbers: a fixed vocabulary, and hashed buckets for every word that is not in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.encoders._base import TextNote

LENGTH: Final = 32  # tokens of a text, the first one included; the rest is cut off
BUCKETS: Final = 32  # of unknown words
PAD: Final = 0
START: Final = 1
_FIRST_WORD: Final = 2
_WORD = re.compile(r"[^\W_]+")


def split(text: str) -> list[str]:
    """Return the words of a text in lower case; digits count as letters, everything else separates."""
    return _WORD.findall(text.lower())


class Vocabulary:
    """Numbers for words: 0 pads, 1 starts, then the buckets of unknown words, then the known words.

    Args:
        known: the words, in order.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self.known = tuple(known)
        self._number = {word: _FIRST_WORD + BUCKETS + k for k, word in enumerate(self.known)}

    def __len__(self) -> int:
        return _FIRST_WORD + BUCKETS + len(self.known)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """Return the vocabulary of all words that occur."""
        return cls(sorted({word for text in texts for word in split(text)}))

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return (n, LENGTH) token numbers; no text is an error, the empty one is its start token alone."""
        tokens = np.full((len(texts), LENGTH), PAD, dtype=np.int64)
        tokens[:, 0] = START
        for row, text in zip(tokens, texts, strict=True):
            numbers = [self._of(word) for word in split(text)[: LENGTH - 1]]
            row[1 : 1 + len(numbers)] = numbers
        return tokens

    def notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return by text the words that are not known, each once, and whether it is longer than ``LENGTH``."""
        split_ = [split(text) for text in texts]
        return [
            TextNote(tuple(dict.fromkeys(w for w in words if w not in self._number)), len(words) > LENGTH - 1)
            for words in split_
        ]

    def _of(self, word: str) -> int:
        number = self._number.get(word)
        if number is None:
            digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
            number = _FIRST_WORD + int.from_bytes(digest, "big") % BUCKETS
        return number
