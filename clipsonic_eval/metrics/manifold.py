"""``precision``, ``recall``, ``density``, ``coverage``: which part of the other set each set reaches.

FAD and KAD are one number for two faults. Here a system with few but good sounds has high precision and low recall, one
with all kinds of sounds, some of them bad, the other way round. Density does not saturate at 1 and, like coverage, only
uses the balls of the reference, so that outliers of a system cannot win recall for it.

Conventions: rows as given are the points (one embedding per clip, or one by window), k = 5, balls closed, reference
named first. Tools differ: k is 3 or min(10, n) elsewhere, and some ask for distance < radius. All four change with n
and m; compare at equal n and with one reference.

Intervals: from pairs of random halves of both sets (the jackknife, whose variance is twice the true one and more, below
24 clips); for shares Wilson's, with as many clips as would scatter as much. Tests of precision and density swap the two
systems' clips; those of recall and coverage are made of the halves, which both systems share.

Cost: (n^2 + n m + m^2) (d + k) operations for n and m rows; the halves 400 times the same for 250 clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._rows import Influence, influence_of, linear_replicates, reference_of, sorted_rows
from clipsonic_eval.stats import manifold
from clipsonic_eval.stats.bootstrap import DAMPING
from clipsonic_eval.stats.influence import jackknife_influence
from clipsonic_eval.stats.manifold import Balls, Statistic
from clipsonic_eval.stats.pairwise import LeaveOneOut, Rows
from clipsonic_eval.types import Embeddings

K = 5
_KYNKAANNIEMI = "T. Kynkaanniemi et al., Improved Precision and Recall Metric, NeurIPS 2019"
_NAEEM = "M. F. Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, ICML 2020"


def precision(reference: Embeddings, system: Embeddings, k: int = K) -> float:
    """Return the share of the system's rows that lie in a ball of the reference.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: a set has too few rows for k neighbours.
    """
    return _share("precision", Inputs(system, reference), k)[0].value


def recall(reference: Embeddings, system: Embeddings, k: int = K) -> float:
    """Return the share of the reference's rows that lie in a ball of the system; errors as :func:`precision`."""
    return _share("recall", Inputs(system, reference), k)[0].value


def density(reference: Embeddings, system: Embeddings, k: int = K) -> float:
    """Return the mean number of the reference's balls around a row of the system, over k; errors as there."""
    return _share("density", Inputs(system, reference), k)[0].value


def coverage(reference: Embeddings, system: Embeddings, k: int = K) -> float:
    """Return the share of the reference's balls that hold a row of the system; errors as :func:`precision`."""
    return _share("coverage", Inputs(system, reference), k)[0].value


def _share(name: Statistic, inputs: Inputs, k: int) -> tuple[LeaveOneOut, bool]:
    """Return the share and whether its points are the system's."""
    reference = reference_of(name, inputs)
    ours, theirs = sorted_rows(inputs.system), sorted_rows(reference)
    for whose, rows in (("system", ours), ("reference", theirs)):
        largest = int(rows.counts.max(initial=1))
        if len(rows.vectors) < k + 1 + largest:
            raise ShapeError(
                f"{name} looks at {k} neighbours and needs at least {k + 1 + largest} rows in the {whose}, got "
                f"{len(rows.vectors)}; add clips"
            )
    ours, theirs, of_ours, of_theirs = _placed(ours, theirs, k)
    if name == "precision":
        return manifold.share_within(ours, of_theirs), True
    if name == "recall":
        return manifold.share_within(theirs, of_ours), False
    if name == "density":
        return manifold.density(ours, of_theirs), True
    return manifold.coverage(ours, of_theirs), True


def _half_replicates(name: Statistic, systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64 | None:
    """Return normal deviates with the variances and covariances of the systems' halves; None where those are small."""
    drawn = seeds.stream(seed, "", "bootstrap-halves").standard_normal((n_boot, manifold.SPLITS))
    result = np.empty((len(systems), n_boot))
    for row, inputs in enumerate(systems):
        reference = reference_of(name, inputs)
        origin: Float64 = reference.vectors.mean(axis=0, dtype=np.float64)
        ours, theirs = sorted_rows(inputs.system, origin), sorted_rows(reference, origin)
        rng = seeds.stream(seed, "", "halves-queries"), seeds.stream(seed, "", "halves-reference")
        deviations = manifold.half_deviations(ours, theirs, K, name, rng)
        if deviations is None:
            return None
        spread = drawn @ deviations / np.sqrt(manifold.SPLITS)
        result[row] = _share(name, inputs, K)[0].value + DAMPING * spread
    return result


def _placed(ours: Rows, theirs: Rows, k: int) -> tuple[Rows, Rows, Balls, Balls]:
    of_ours, of_theirs = manifold.balls_of_both(ours, theirs, k)
    return of_ours.centres, of_theirs.centres, of_ours, of_theirs


def _metric(name: Statistic, title: str, unit: str, source: str) -> SetMetric:
    def estimate(inputs: Inputs) -> tuple[float, Influence]:
        share, points_are_ours = _share(name, inputs, K)
        points, centres = jackknife_influence(share.without_first), jackknife_influence(share.without_second)
        return share.value, (points, centres) if points_are_ours else (centres, points)

    def value(inputs: Inputs) -> float:
        return _share(name, inputs, K)[0].value

    def replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
        halves = _half_replicates(name, systems, n_boot, seed)
        return linear_replicates(estimate, systems, n_boot, seed) if halves is None else halves

    proportion = name != "density"
    card = MetricCard(
        name=name,
        title=title,
        description=f"{title.lower()} by balls of the {K} nearest neighbours",
        unit=unit,
        higher_is_better=True,
        role="audio",
        encoder="toy-audio",
        needs=("reference",),
        min_n=K + 2,
        biased_in_n=name in ("recall", "coverage"),  # balls of the system's rows; balls that any row of it fills
        signature=f"k:{K}|ball:closed|points:rows",
        source=source,
    )
    highest = 1.0 if proportion else np.inf
    return SetMetric(
        card,
        value,
        replicates,
        0.0,
        highest,
        fits_covariance=False,
        proportion=proportion,
        method="halves-clip",
        influence=influence_of(estimate),
        linear_in_swaps=name in ("precision", "density"),
    )


_SHARES: tuple[tuple[Statistic, str, str, str], ...] = (
    ("precision", "Precision", "proportion", _KYNKAANNIEMI),
    ("recall", "Recall", "proportion", _KYNKAANNIEMI),
    ("density", "Density", "balls over k", _NAEEM),
    ("coverage", "Coverage", "proportion", _NAEEM),
)
for _name, _title, _unit, _source in _SHARES:
    METRICS.add(_name, _metric(_name, _title, _unit, _source))
