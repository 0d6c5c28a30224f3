"""Precision, recall, density and coverage: fidelity and diversity by k-nearest-neighbour balls.

FAD and KAD mix fidelity and diversity in one number. Precision and density measure fidelity: high for a system with few
but good outputs. Recall and coverage measure diversity: high for a system with outputs of all kinds, some of them bad.
Density does not saturate at 1 and, like coverage, uses the balls of the reference only, so that outliers of a system do
not raise it.

Conventions: rows as given are the points (one embedding per clip, or one per window), k = 5, balls closed. Tools
differ: k is 3 or min(10, n) elsewhere, and some ask for distance < radius. All four change with the sizes of both sets;
compare at equal n and with one reference.

Intervals: from pairs of random halves of both sets (the jackknife, whose variance is twice the true one and more, below
24 clips); for proportions Wilson's, with as many clips as would scatter as much. Tests of precision and density swap
the two systems' clips; those of recall and coverage are made of the halves, which both systems share.

Cost: (n² + n m + m²) (d + k) operations for n and m rows; the halves 400 times the same for 250 clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.metrics._base import (
    ClipInfluence,
    Influence,
    Inputs,
    MetricCard,
    SetMetric,
    linear_replicates,
    metric,
)
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import sorted_rows
from clipsonic_eval.stats import manifold
from clipsonic_eval.stats.bootstrap import DAMPING
from clipsonic_eval.stats.influence import jackknife_influence
from clipsonic_eval.stats.manifold import Statistic
from clipsonic_eval.stats.pairwise import LeaveOneOut
from clipsonic_eval.types import Score

K = 5
_KYNKAANNIEMI = "T. Kynkaanniemi et al., Improved Precision and Recall Metric, NeurIPS 2019"
_NAEEM = "M. F. Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, ICML 2020"


def _share(name: Statistic, inputs: Inputs, k: int) -> LeaveOneOut:
    """Return the statistic, without each clip of the points (first) and of the centres (second)."""
    ours, theirs = sorted_rows(inputs.system), sorted_rows(inputs.require("reference", name))
    for whose, rows in (("system", ours), ("reference", theirs)):
        largest = int(rows.counts.max(initial=1))
        if len(rows.vectors) < k + 1 + largest:
            raise ShapeError(
                f"{name} looks at {k} neighbours and needs at least {k + 1 + largest} rows in the {whose}, got "
                f"{len(rows.vectors)}; add clips"
            )
    of_ours, of_theirs = manifold.balls_of_both(ours, theirs, k)
    if name == "recall":
        return manifold.share_within(of_theirs.centres, of_ours)
    statistic = {
        "precision": manifold.share_within,
        "density": manifold.density,
        "coverage": manifold.coverage,
    }[name]
    return statistic(of_ours.centres, of_theirs)


def _half_replicates(name: Statistic, k: int, systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64 | None:
    """Return normal deviates with the variances and covariances of the systems' halves; None where those are small."""
    drawn = seeds.stream(seed, "", "bootstrap-halves").standard_normal((n_boot, manifold.SPLITS))
    result = np.empty((len(systems), n_boot))
    for row, inputs in enumerate(systems):
        reference = inputs.require("reference", name)
        origin: Float64 = reference.vectors.mean(axis=0, dtype=np.float64)
        ours, theirs = sorted_rows(inputs.system, origin), sorted_rows(reference, origin)
        rng = seeds.stream(seed, "", "halves-queries"), seeds.stream(seed, "", "halves-reference")
        deviations = manifold.half_deviations(ours, theirs, k, name, rng)
        if deviations is None:
            return None
        spread = drawn @ deviations / np.sqrt(manifold.SPLITS)  # Σ_s z_s Δ_s / √S: variance as of the halves
        result[row] = _share(name, inputs, k).value + DAMPING * spread
    return result


def _metric(name: Statistic, description: str, source: str, k: int = K) -> SetMetric:
    if not isinstance(k, Integral) or k < 1:
        raise ConfigError(f"{name}: k must be a whole number, 1 or more; got {k!r}")

    def estimate(inputs: Inputs) -> tuple[float, Influence]:
        share = _share(name, inputs, k)
        points, centres = jackknife_influence(share.without_first), jackknife_influence(share.without_second)
        return share.value, (centres, points) if name == "recall" else (points, centres)

    def replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
        halves = _half_replicates(name, k, systems, n_boot, seed)
        return linear_replicates(estimate, systems, n_boot, seed) if halves is None else halves

    proportion = name != "density"
    card = MetricCard(
        name=name,
        title=name.capitalize(),
        description=description,
        unit="proportion" if proportion else "balls over k",
        higher_is_better=True,
        role="audio",
        encoder="toy-audio",
        needs=("reference",),
        min_n=k + 2,
        biased_in_n=name in ("recall", "coverage"),  # balls of the system's rows; balls that any row of it fills
        signature=f"k:{k}|ball:closed|points:rows",
        source=source,
    )
    return SetMetric(
        card,
        lambda inputs: _share(name, inputs, k).value,
        replicates,
        lowest=0.0,
        highest=1.0 if proportion else np.inf,
        fits_covariance=False,
        proportion=proportion,
        method="halves-clip",
        influence=lambda inputs: ClipInfluence.of(inputs, estimate(inputs)[1]),
        linear_in_swaps=name in ("precision", "density"),
    )


def _precision(k: int = K) -> SetMetric:
    return _metric("precision", "share of the system's rows in a ball of the reference", _KYNKAANNIEMI, k)


def _recall(k: int = K) -> SetMetric:
    return _metric("recall", "share of the reference's rows in a ball of the system", _KYNKAANNIEMI, k)


def _density(k: int = K) -> SetMetric:
    return _metric("density", "number of the reference's balls around a row of the system, over k", _NAEEM, k)


def _coverage(k: int = K) -> SetMetric:
    return _metric("coverage", "share of the reference's balls that hold a row of the system", _NAEEM, k)


@metric(_precision())
def precision(reference: Vectors, system: Vectors, *, k: int = K, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of the system's rows that lie in a k-nearest-neighbour ball of the reference.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio; one or more rows per clip.
        k: a ball reaches from a row to its k-th nearest neighbour in its own set.
        n_boot: number of resamples for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The proportion.

    Raises:
        ShapeError: a shape does not fit, or a set has too few rows for k neighbours.
        SpaceError: the sets come from different encoders or have different widths.

    Source: T. Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import precision, recall
        >>> rng = np.random.default_rng(0)
        >>> reference = np.concatenate([rng.standard_normal((30, 2)), rng.standard_normal((30, 2)) + 20])
        >>> one_mode = 0.5 * rng.standard_normal((60, 2))
        >>> float(precision(reference, one_mode)), float(recall(reference, one_mode)) < 0.5
        (1.0, True)
        >>> precision(reference, one_mode)
        precision of system: 1.000 [0.940, 1.000], n = 60
    """
    return score(_precision(k), system, reference=reference, n_boot=n_boot, seed=seed)


@metric(_recall())
def recall(reference: Vectors, system: Vectors, *, k: int = K, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of the reference's rows that lie in a k-nearest-neighbour ball of the system.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio; one or more rows per clip.
        k: a ball reaches from a row to its k-th nearest neighbour in its own set.
        n_boot: number of resamples for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The proportion.

    Raises:
        ShapeError: a shape does not fit, or a set has too few rows for k neighbours.
        SpaceError: the sets come from different encoders or have different widths.

    Source: T. Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import precision, recall
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.standard_normal((40, 3)), rng.standard_normal((40, 3))
        >>> float(recall(x, y, n_boot=0)) == float(precision(y, x, n_boot=0))  # the sides exchanged
        True
        >>> float(recall(x, x, n_boot=0)), float(recall(x, x + 50, n_boot=0))
        (1.0, 0.0)
    """
    return score(_recall(k), system, reference=reference, n_boot=n_boot, seed=seed)


@metric(_density())
def density(reference: Vectors, system: Vectors, *, k: int = K, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean number of the reference's balls around a row of the system, over k.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio; one or more rows per clip.
        k: a ball reaches from a row to its k-th nearest neighbour in its own set.
        n_boot: number of resamples for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The density; about 1 for two sets of one population, more where the system sits in dense regions.

    Raises:
        ShapeError: a shape does not fit, or a set has too few rows for k neighbours.
        SpaceError: the sets come from different encoders or have different widths.

    Source: M. F. Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, ICML 2020.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import density
        >>> x = np.random.default_rng(0).standard_normal((40, 3))
        >>> round(float(density(x, x, n_boot=0)), 6)  # a row lies in its own ball and in five on average: 6 / 5
        1.2
        >>> round(float(density(x, np.zeros((40, 3)), n_boot=0)), 6)  # in the densest region
        1.8
    """
    return score(_density(k), system, reference=reference, n_boot=n_boot, seed=seed)


@metric(_coverage())
def coverage(reference: Vectors, system: Vectors, *, k: int = K, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of the reference's balls that hold a row of the system.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio; one or more rows per clip.
        k: a ball reaches from a row to its k-th nearest neighbour in its own set.
        n_boot: number of resamples for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The proportion.

    Raises:
        ShapeError: a shape does not fit, or a set has too few rows for k neighbours.
        SpaceError: the sets come from different encoders or have different widths.

    Source: M. F. Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, ICML 2020.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import coverage
        >>> x = np.random.default_rng(0).standard_normal((40, 3))
        >>> float(coverage(x, x, n_boot=0))
        1.0
        >>> two_modes = np.concatenate([x, x + 50])
        >>> float(coverage(two_modes, x, n_boot=0))
        0.5
    """
    return score(_coverage(k), system, reference=reference, n_boot=n_boot, seed=seed)
