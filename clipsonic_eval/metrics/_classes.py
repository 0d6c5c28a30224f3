"""Class probabilities per clip, from a classifier whose vectors are log-probabilities."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import log_softmax, logsumexp

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics.vectors import clips_of, mean_per_clip
from clipsonic_eval.types import Embeddings

Pooling = Literal["probability", "logit"]


def log_probabilities(embeddings: Embeddings, pooling: Pooling = "probability") -> tuple[tuple[str, ...], Float64]:
    """Return keys (sorted) and their log-probabilities (clips, classes).

    Args:
        embeddings: (rows, classes) log-probabilities, one or more rows (windows) per clip.
        pooling: how the rows of a clip become one: ``probability``: the mean of their probabilities; ``logit``: the
            softmax of the mean of their logits. A log-probability is the logit less a constant of its row, so both
            can be had from what the encoder gives.

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
    if pooling == "logit":
        return keys, np.asarray(log_softmax(mean_per_clip(rows, clip_of_row, len(keys)), axis=1))  # of the mean logits
    with np.errstate(divide="ignore"):
        return keys, np.log(mean_per_clip(np.exp(rows), clip_of_row, len(keys)))  # log of the mean probabilities
