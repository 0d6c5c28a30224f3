"""Tokenizer of the toy encoders: a fixed vocabulary of words, and hash buckets for every other word."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.encoders._base import TextNote

MAX_TOKENS: Final = 32  # of a text, the start token included; the rest is truncated
BUCKETS: Final = 32  # of unknown words
PAD: Final = 0
START: Final = 1
_FIRST_WORD: Final = 2
_WORD = re.compile(r"[^\W_]+")


def split(text: str) -> list[str]:
    """Return the words of a text in lower case; digits count as letters, everything else separates."""
    return _WORD.findall(text.lower())


class Vocabulary:
    """Words to token ids: 0 pads, 1 starts, then the buckets of unknown words, then the known words.

    Args:
        known: the words, in order.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self.known = tuple(known)
        self._id = {word: _FIRST_WORD + BUCKETS + k for k, word in enumerate(self.known)}

    def __len__(self) -> int:
        return _FIRST_WORD + BUCKETS + len(self.known)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """Return the vocabulary of all words in some texts."""
        return cls(sorted({word for text in texts for word in split(text)}))

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return token ids, (n, 32) int64; the empty text is its start token alone."""
        tokens = np.full((len(texts), MAX_TOKENS), PAD, dtype=np.int64)
        tokens[:, 0] = START
        for row, text in zip(tokens, texts, strict=True):
            ids = [self._id_of(word) for word in split(text)[: MAX_TOKENS - 1]]
            row[1 : 1 + len(ids)] = ids
        return tokens

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return for each text its unknown words, each once, and whether it is truncated."""
        return [
            TextNote(tuple(dict.fromkeys(w for w in words if w not in self._id)), len(words) > MAX_TOKENS - 1)
            for words in map(split, texts)
        ]

    def _id_of(self, word: str) -> int:
        known = self._id.get(word)
        if known is not None:
            return known
        digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
        return _FIRST_WORD + int.from_bytes(digest, "big") % BUCKETS
