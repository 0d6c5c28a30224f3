"""Sets of embeddings for tests of metrics."""

from __future__ import annotations

import numpy as np

from clipsonic_eval.types import Embeddings, EncoderCard


def card(dim: int) -> EncoderCard:
    return EncoderCard("e", "0" * 64, dim, ("audio", "text"), "rate:16k")


def embeddings(vectors: np.ndarray, rows: int = 1, modality: str = "audio") -> Embeddings:
    """Give each clip so many rows; keys k0000, k0001, ..."""
    keys = tuple(f"k{i // rows:04d}" for i in range(len(vectors)))
    return Embeddings(vectors, keys, modality, card(vectors.shape[1]))  # type: ignore[arg-type]
