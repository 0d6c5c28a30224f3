"""What the metrics of whole sets share: rows sorted per clip, and resamples made from influences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import ClipInfluence, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._vectors import check_space, clips_of
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.stats.influence import linear_deviations
from clipsonic_eval.stats.pairwise import Rows
from clipsonic_eval.types import Embeddings

Influence = tuple[Float64, Float64 | None]  # of the system's clips and of the reference's, in the order of their keys


def sorted_rows(embeddings: Embeddings, origin: Float64 | None = None) -> Rows:
    """Return the rows in float64, sorted per clip, measured from an origin (d,)."""
    _, clip_of_row = clips_of(embeddings.keys)
    order = np.argsort(clip_of_row, kind="stable")
    vectors = embeddings.vectors[order].astype(np.float64)
    return Rows(vectors if origin is None else vectors - origin, clip_of_row[order])


def each_its_own(rows: Rows) -> Rows:
    """Return the same rows, each counted as a clip, as tools do that know of no clips."""
    return Rows(rows.vectors, np.arange(len(rows.vectors)))


def reference_of(metric: str, inputs: Inputs) -> Embeddings:
    """Return the reference set.

    Raises:
        ShapeError: there is none.
        SpaceError: it comes from another encoder than the system's embeddings.
    """
    if inputs.reference is None:
        raise ShapeError(f"{metric} needs a reference set; give a folder of real audio")
    check_space(inputs.reference, inputs.system)
    return inputs.reference


def reference_gaussian(metric: str, inputs: Inputs) -> Gaussian:
    """Return mean and covariance of the reference: as they are stored, or of its rows.

    Raises:
        ShapeError: there is no reference, or one of fewer than two rows.
        SpaceError: it comes from another encoder than the system's embeddings.
    """
    if inputs.reference_moments is not None:
        return inputs.reference_moments
    return Gaussian.fit(reference_of(metric, inputs).vectors)


def at_least(metric: str, embeddings: Embeddings, clips: int, whose: str) -> None:
    """Refuse a set of too few clips.

    Raises:
        ShapeError: it has fewer.
    """
    n = len(set(embeddings.keys))
    if n < clips:
        raise ShapeError(f"{metric} needs at least {clips} clips in the {whose}, got {n}; add clips or leave it out")


def by_key(inputs: Inputs, found: Influence) -> ClipInfluence:
    """Put the keys to the influences of the system's clips and of the reference's."""
    own, other = found
    system = dict(zip(sorted(set(inputs.system.keys)), own.tolist(), strict=True))
    if other is None or inputs.reference is None:
        return ClipInfluence(system, {})
    return ClipInfluence(system, dict(zip(sorted(set(inputs.reference.keys)), other.tolist(), strict=True)))


def influence_of(estimate: Callable[[Inputs], tuple[float, Influence]]) -> Callable[[Inputs], ClipInfluence]:
    """Return the second part of an estimate by key."""

    def influence(inputs: Inputs) -> ClipInfluence:
        return by_key(inputs, estimate(inputs)[1])

    return influence


def linear_replicates(
    estimate: Callable[[Inputs], tuple[float, Influence]], systems: Sequence[Inputs], n_boot: int, seed: int
) -> Float64:
    """Return the statistics of several systems in resamples, to first order, (systems, n_boot).

    Args:
        estimate: gives a statistic and the influence of each clip.
        systems: inputs with one and the same reference; equal keys share their resamples.
        n_boot: resamples.
        seed: the run's.
    """
    result = np.empty((len(systems), n_boot))
    for row, inputs in enumerate(systems):
        value, (own, other) = estimate(inputs)
        keys = sorted(set(inputs.system.keys))
        result[row] = value + linear_deviations(own, resample_counts(keys, n_boot, seed, "bootstrap-queries"))
        if other is not None and inputs.reference is not None:
            keys = sorted(set(inputs.reference.keys))
            result[row] += linear_deviations(other, resample_counts(keys, n_boot, seed, "bootstrap-reference"))
    return result


def metric_of(
    card: MetricCard,
    estimate: Callable[[Inputs], tuple[float, Influence]],
    *,
    lowest: float = -np.inf,
    highest: float = np.inf,
    details: Callable[[Inputs], Mapping[str, float]] | None = None,
    linear_in_swaps: bool = True,
) -> SetMetric:
    """Return the metric of a statistic whose resamples follow from what each clip does to it, by the jackknife.

    Args:
        card: of the metric.
        estimate: gives the statistic and the influence of each clip.
        lowest: no value lies below.
        highest: no value lies above.
        details: further numbers for readers.
        linear_in_swaps: see :class:`~clipsonic_eval.metrics.SetMetric`.
    """

    def value(inputs: Inputs) -> float:
        return estimate(inputs)[0]

    def replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
        return linear_replicates(estimate, systems, n_boot, seed)

    return SetMetric(
        card,
        value,
        replicates,
        lowest,
        highest,
        fits_covariance=False,
        details=details,
        method="jackknife-clip",
        influence=influence_of(estimate),
        linear_in_swaps=linear_in_swaps,
    )
