"""``fad_per_clip``: Fréchet distance of each clip to the reference, mean over clips.

Which clips are far off, where FAD only says that some are. Conventions: Gaussian of a clip's own rows, covariance n -
1, so at least two rows per clip; clips with fewer are listed as not scorable. A clip of m rows has a covariance of rank
m - 1: most of the value is the reference's spread that no single clip can have, and it falls with m. Compare clips and
systems with equal numbers of rows only, and never with FAD.

Source: A. Gui et al., Adapting Frechet Audio Distance for Generative Music Evaluation, ICASSP 2024 (per-song FAD).
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.metrics._base import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._rows import reference_gaussian
from clipsonic_eval.metrics._vectors import check_space, clips_of
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.stats.frechet_clips import distances_per_clip
from clipsonic_eval.types import Embeddings

MIN_ROWS = 2


def fad_per_clip(reference: Embeddings, system: Embeddings) -> dict[str, float]:
    """Return the squared Fréchet distance of each clip with at least two rows to the reference, by key.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: the reference has fewer than two rows.
    """
    check_space(reference, system)
    return _distances(Gaussian.fit(reference.vectors), system)


def _distances(gaussian: Gaussian, system: Embeddings) -> dict[str, float]:
    keys, clip_of_row = clips_of(system.keys)
    order = np.argsort(clip_of_row, kind="stable")
    counts = np.bincount(clip_of_row, minlength=len(keys))
    starts = np.cumsum(counts) - counts
    result = {}
    for m in np.unique(counts[counts >= MIN_ROWS]):
        chosen = np.flatnonzero(counts == m)
        rows = system.vectors[order[starts[chosen][:, None] + np.arange(m)]]
        distances = distances_per_clip(np.asarray(rows), gaussian)
        result.update({keys[i]: float(v) for i, v in zip(chosen, distances, strict=True)})
    return result


def _per_clip(inputs: Inputs) -> dict[str, float]:
    return _distances(reference_gaussian("fad_per_clip", inputs), inputs.system)


METRICS.add(
    "fad_per_clip",
    ClipMetric(
        MetricCard(
            name="fad_per_clip",
            title="FAD per clip",
            description="Fréchet audio distance per clip",
            decimals=2,
            unit="squared distance",
            higher_is_better=False,
            role="audio",
            encoder="toy-audio",
            needs=("reference",),
            min_n=1,
            biased_in_n=False,
            signature="cov:n-1|est:plug-in-by-clip|sqrt:svd-f64",
            source="A. Gui et al., Adapting Frechet Audio Distance for Generative Music Evaluation, ICASSP 2024",
            reference_moments=True,
            min_rows=MIN_ROWS,
        ),
        _per_clip,
    ),
)
