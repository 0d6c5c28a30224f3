"""The plane in which a figure shows the two sides of a modality gap."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from clipsonic_eval import atomic, filenames
from clipsonic_eval.arraytypes import AnyArray
from clipsonic_eval.metrics.gap import paired
from clipsonic_eval.types import Embeddings


def write_projection(sets: Mapping[str, Embeddings], out: Path) -> None:
    """Write 2-D coordinates of paired embeddings: principal components of the unit vectors of the first two sets.

    They are taken about the common mean of the two; further sets are projected onto the same plane and do not move it.
    Each component's largest loading is positive.

    Args:
        sets: (n, d) embeddings by name, image and text first, then the priors.
        out: the run folder.
    """
    keys, vectors = paired(list(sets.values()))
    pooled = np.concatenate(vectors[:2])
    centre = pooled.mean(axis=0)
    _, values, axes = np.linalg.svd(pooled - centre, full_matrices=False)
    plane = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    arrays: dict[str, AnyArray] = {
        name: ((v - centre) @ plane.T).astype(np.float32) for name, v in zip(sets, vectors, strict=True)
    }
    arrays["keys"] = np.array(keys)
    arrays["explained"] = values[:2] ** 2 / (values**2).sum()  # share of the variance
    arrays["method"] = np.array("PCA of pooled image and text unit vectors, centred on their common mean")
    with atomic.replacing(out / filenames.PROJECTION) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
