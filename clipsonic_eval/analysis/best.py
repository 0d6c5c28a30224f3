"""The best system of each metric, and every other one against it: which are not significantly worse.

The tests are those of :mod:`clipsonic_eval.analysis.comparisons`. A statistic of sets that no run compared is tested by
the influences of its clips, averaged over training seeds, where these describe how it scatters; else it has no test.
Holm's correction is over every comparison with a best system, of all metrics. The best was picked from the same data;
that k systems need a correction for k - 1 comparisons even so is the argument of J. C. Hsu, Simultaneous confidence
intervals for all distances from the "best", 1981. A system that is as good as the best is called worse with a
probability below 0.05 (simulated in the tests); that none of several is called so is not promised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.comparisons import pooled_test
from clipsonic_eval.analysis.pooling import Scores, better_than
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.gate.first_order import first_order_fails
from clipsonic_eval.metric_cards import biased_in_n
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.stats.evidence import evidence_from_influences
from clipsonic_eval.stats.paired import holm
from clipsonic_eval.types import Score


def best_systems(scores: Iterable[Score], catalogue: Catalogue) -> dict[str, str]:
    """Return the best system of each metric, controls excluded.

    None where there is only one, where the best are equal, and where n differs among them and the metric's expectation
    depends on it: there the largest set wins, whichever system made it.
    """
    ranked: dict[str, list[Score]] = {}
    for score in scores:
        if not catalogue.is_control(score.system):
            ranked.setdefault(score.metric, []).append(score)
    unequal = unequal_n(score for group in ranked.values() for score in group)
    result = {}
    for metric, group in ranked.items():
        best = [s for s in group if not any(better_than(other, s) for other in group)]
        if len(group) > 1 and len(best) == 1 and metric not in unequal:
            result[metric] = best[0].system
    return result


def unequal_n(scores: Iterable[Score]) -> dict[str, tuple[int, int]]:
    """Return the least and the largest n of the metrics that depend on n and whose scores differ in it."""
    counts: dict[str, list[int]] = {}
    for score in scores:
        counts.setdefault(score.metric, []).append(score.n)
    spans = {metric: (min(n), max(n)) for metric, n in counts.items()}
    return {metric: span for metric, span in spans.items() if span[0] != span[1] and biased_in_n(metric)}


def against_best(
    runs: Sequence[Run], scores: Scores, catalogue: Catalogue, kept: RunRecord | None = None
) -> tuple[Comparison, ...]:
    """Return the comparison of each best system with every other one that is no control, Holm-corrected together.

    Args:
        runs: those that ``scores`` were pooled from.
        scores: by (metric, system).
        catalogue: says which systems are controls.
        kept: a pooled record of the same runs; gives comparisons whose values per clip are not there any more.
    """
    found = []
    for metric, best in best_systems(scores.values(), catalogue).items():
        for score in scores.values():
            if score.metric == metric and score.system != best and not catalogue.is_control(score.system):
                first = scores[metric, best]
                made = pooled_test(first, score, runs, kept) or _influence_test(first, score, runs)
                found += [] if made is None else [made]
    corrected = holm([c.p_value for c in found])
    return tuple(replace(c, p_holm=p) for c, p in zip(found, corrected, strict=True))


def _influence_test(a: Score, b: Score, runs: Sequence[Run]) -> Comparison | None:
    """Test two statistics of sets by the influences of their clips; None where these are missing or do not fit."""
    found = [[own for run in runs if (own := run.record.score(a.metric, s.system)) is not None] for s in (a, b)]
    (own_a, reference_a), (own_b, reference_b) = map(_influences, found)
    system, reference = _differences(own_a, own_b), _differences(reference_a, reference_b)
    if len(system) < 2 or len(reference) == 1:
        return None
    difference = a.value - b.value
    evidence = evidence_from_influences(difference, system, reference)
    half = evidence.se * float(stats.t.ppf(0.975, evidence.df or 1))
    p = 2 * min(evidence.p_worse, 1 - evidence.p_worse)
    return Comparison(
        a.metric, a.system, b.system, difference, (difference - half, difference + half), p, p, len(system),
        evidence.test + (", mean over seeds" if max(map(len, found)) > 1 else ""), a.higher_is_better,
    )  # fmt: skip


def _influences(found: Sequence[Score]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the influences of a system's clips and of the reference's, the mean over seeds; empty if unusable."""
    if not found or any(first_order_fails(own) for own in found):
        return {}, {}
    return _mean([own.influence for own in found]), _mean([own.reference_influence for own in found])


def _mean(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    shared = set(found[0]).intersection(*found[1:])
    return {key: float(np.mean([one[key] for one in found])) for key in found[0] if key in shared}


def _differences(a: Mapping[str, float], b: Mapping[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the differences over the shared keys, (n,) float64."""
    return np.array([value - b[key] for key, value in a.items() if key in b], np.float64)
