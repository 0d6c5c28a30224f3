"""``fad``: Fréchet audio distance of a system's clips to a reference set.

Conventions: squared distance of the Gaussians fitted to all rows of all clips, covariance n - 1, plug-in (no
extrapolation to infinite n: the value falls with n, so compare at equal n only). Resamples draw clips, of the system
and of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import METRICS, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._vectors import check_space, clips_of
from clipsonic_eval.stats.bootstrap import clip_weights
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance
from clipsonic_eval.stats.frechet_bootstrap import Weighted, frechet_replicates
from clipsonic_eval.types import Embeddings


def fad(reference: Embeddings, system: Embeddings) -> float:
    """Return the squared Fréchet distance of two sets of audio embeddings.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: one has fewer than two rows.
    """
    check_space(reference, system)
    return frechet_distance(Gaussian.fit(reference.vectors), Gaussian.fit(system.vectors))


def _reference(inputs: Inputs) -> Embeddings:
    if inputs.reference is None:
        raise ShapeError("fad needs a reference set; give a folder of real audio")
    return inputs.reference


def _value(inputs: Inputs) -> float:
    return fad(_reference(inputs), inputs.system)


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> NDArray[np.float64]:
    reference = _reference(systems[0])
    drawn = [_weighted(inputs.system, n_boot, seed, "bootstrap-queries") for inputs in systems]
    return frechet_replicates(_weighted(reference, n_boot, seed, "bootstrap-reference"), drawn)


def _weighted(embeddings: Embeddings, n_boot: int, seed: int, purpose: str) -> Weighted:
    keys, clip_of_row = clips_of(embeddings.keys)
    return Weighted(embeddings.vectors, clip_of_row, clip_weights(keys, n_boot, seed, purpose))


METRICS.add(
    "fad",
    SetMetric(
        MetricCard(
            name="fad",
            title="Fréchet audio distance",
            unit="squared distance",
            higher_is_better=False,
            role="fad",
            needs=("reference",),
            min_n=2,
            biased_in_n=True,
            signature="cov:n-1|est:plug-in|sqrt:svd-f64",
            source="K. Kilgour et al., Fréchet Audio Distance, Interspeech 2019",
        ),
        _value,
        _replicates,
        lowest=0.0,
    ),
)
