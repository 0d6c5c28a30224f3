"""Class probabilities by clip, from an encoder whose vectors are log-probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._vectors import clips_of, mean_by_clip
from clipsonic_eval.types import Embeddings

Float64 = NDArray[np.float64]


def log_probabilities(embeddings: Embeddings) -> tuple[tuple[str, ...], Float64]:
    """Return keys (sorted) and their log-probabilities (clips, classes): rows of a clip average as probabilities.

    Raises:
        ShapeError: the encoder names no classes, or a row is no distribution.
    """
    labels = embeddings.space.labels
    if len(labels) != embeddings.vectors.shape[1]:
        raise ShapeError(f"encoder '{embeddings.space.name}' gives no class probabilities; its card has no labels")
    rows = embeddings.vectors.astype(np.float64)
    total = np.abs(logsumexp(rows, axis=1))
    if total.max(initial=0.0) > 1e-3:
        key = embeddings.keys[int(total.argmax())]
        raise ShapeError(f"the class probabilities of '{key}' do not sum to 1; the encoder must end in a log-softmax")
    keys, clip_of_row = clips_of(embeddings.keys)
    if len(keys) == len(rows):
        return keys, rows[np.argsort(clip_of_row)]
    with np.errstate(divide="ignore"):
        return keys, np.log(mean_by_clip(np.exp(rows), clip_of_row, len(keys)))
