"""Paired unit vectors of the two sides of a modality gap, and the values that several statistics share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import Estimate
from clipsonic_eval.metrics.gap import geometry
from clipsonic_eval.metrics.vectors import check_space, rows_by_key, unit
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.types import Embeddings

MIN_PAIRS = 5


@dataclass(frozen=True, slots=True)
class Resampled:
    """A value with its resamples, of damped weights.

    Attributes:
        value: the statistic.
        replicates: (n_boot,) float64.
        items: (n,) float64 of a mean over items; empty for other statistics.
    """

    value: float
    replicates: Float64
    items: Float64

    def complement(self) -> Resampled:
        """Return 1 - the statistic: a cosine as a distance."""
        return Resampled(1 - self.value, 1 - self.replicates, 1 - self.items)


@dataclass(frozen=True)
class PairedVectors:
    """Unit vectors of the two sides of a modality gap, row i of one belonging to row i of the other.

    Attributes:
        keys: (n,) of the items, sorted.
        target: (n, d) float64 unit vectors of the true side (images; for audio against text the audio).
        other: (n, d) float64 unit vectors of the text, or of what a prior predicts in the image's place.
        n_boot: number of resamples for intervals; 0: no intervals.
        seed: of the resamples.
        text: the pairs of the same targets and the text, where ``other`` is a prior's output.
        cross_fitted: ``other`` was fitted on other ones of these very items, which are therefore not independent.
    """

    keys: tuple[str, ...]
    target: Float64
    other: Float64
    n_boot: int
    seed: int
    text: PairedVectors | None = None
    cross_fitted: bool = False

    @cached_property
    def counts(self) -> bootstrap.Counts:
        """How often each item enters each resample, (n_boot, n); the same for the text and all priors."""
        if self.text is not None:
            return self.text.counts
        return bootstrap.resample_counts(self.keys, self.n_boot, self.seed, "bootstrap-gap")

    @cached_property
    def centroid_distance(self) -> Resampled:
        """Distance of the two centroids."""
        value = float(np.linalg.norm(self.target.mean(axis=0) - self.other.mean(axis=0)))  # |x̄ − ȳ|
        replicates = geometry.centroid_distance_replicates(self.target, self.other, self.counts)
        return Resampled(value, replicates, np.empty(0))

    @cached_property
    def matched_cosine(self) -> Resampled:
        """Mean cosine of the pairs."""
        cosines = geometry.matched_cosines(self.target, self.other)
        replicates = bootstrap.damped_weights(self.counts) @ cosines / len(cosines)
        return Resampled(float(cosines.mean()), replicates, cosines)

    @cached_property
    def matched_cosine_centred(self) -> Resampled:
        """Mean cosine of the pairs after each side's own centroid is subtracted."""
        cosines = geometry.centred_cosines(self.target, self.other)
        replicates = geometry.centred_cosine_replicates(self.target, self.other, self.counts)
        return Resampled(float(cosines.mean()), replicates, cosines)

    def bootstrapped(self, found: Resampled, lowest: float = -np.inf) -> Estimate:
        """Return the value with its centred interval."""
        items = self.per_key(found.items) if len(found.items) else {}
        if not self.n_boot:
            return Estimate(found.value, None, "none", items)
        low, high = bootstrap.centred_interval(found.value, found.replicates)
        return Estimate(found.value, (max(lowest, low), high), f"bootstrap-clip-damped-{self.n_boot}", items)

    def proportion(self, hits: Float64) -> Estimate:
        """Return the mean of hits per item, (n,) in [0, 1], with Wilson's interval."""
        value = float(hits.mean())
        return Estimate(value, bootstrap.wilson_interval(value, len(hits)), "wilson", self.per_key(hits))

    def per_key(self, values: Float64) -> dict[str, float]:
        """Return the values of the items, (n,), by key."""
        return {key: float(value) for key, value in zip(self.keys, values, strict=True)}


def paired(sets: Sequence[Embeddings]) -> tuple[tuple[str, ...], list[Float64]]:
    """Return the keys that all sets have, sorted, and the unit vectors of each set in that order.

    Args:
        sets: of one space, (rows, d) each, one row per key.

    Returns:
        (n keys, list of (n, d) float64 unit vectors).

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: a key stands twice, a vector is zero, or fewer than five keys are common to all.
    """
    rows = []
    for other in sets:
        check_space(sets[0], other, across=True)
        rows.append(rows_by_key(other))
    keys = tuple(sorted(set(rows[0]).intersection(*rows[1:])))
    if len(keys) < MIN_PAIRS:
        raise ShapeError(
            f"{len(keys)} keys are common to the {len(sets)} sets, but gap statistics need at least {MIN_PAIRS}; "
            "do the sets use the same keys?"
        )
    chosen = [s.take(np.array([row[k] for k in keys])) for s, row in zip(sets, rows, strict=True)]
    return keys, [unit(s) for s in chosen]
