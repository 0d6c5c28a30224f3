"""Paired differences between systems, pooled over training seeds, with Holm's correction over the planned pairs.

Where a metric has values per clip, the seeds are averaged within each query first and the test is over queries: a
query counts once however many seeds answered it. Where it has none (FAD), every seed has a test of its own on the same
queries. These are dependent, so their p-values are turned into signed normal scores and averaged: the mean of standard
normal scores has a variance of at most one whatever their dependence, so reading it as standard normal errs on the safe
side (it is exact where the seeds agree fully). The seeds' own differences are kept in :attr:`~Comparison.by_seed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clipsonic_eval.analysis.catalogue import Catalogue, Pair
from clipsonic_eval.analysis.pooling import Scores
from clipsonic_eval.analysis.resampling import paired_test
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.stats.paired import holm
from clipsonic_eval.types import Score


def pool_comparisons(
    runs: Sequence[Run],
    scores: Scores,
    catalogue: Catalogue,
    planned: Sequence[Pair],
    kept: RunRecord | None = None,
) -> list[Comparison]:
    """Return the comparisons of the table, metric by metric in the order of the plan, Holm-corrected together.

    Args:
        runs: those that ``scores`` were pooled from; their own comparisons are used.
        scores: by (metric, system).
        catalogue: lists the systems of the study.
        planned: pairs of systems; pairs that a run was asked for, and those with an unlisted system that some run
            compared, come after them.
        kept: a pooled record of the same runs; gives comparisons whose values per clip are not there any more.
    """
    pairs = [*planned, *_further(runs, planned, catalogue)]
    found = []
    for metric in dict.fromkeys(metric for metric, _ in scores):
        for a, b in pairs:
            if (metric, a) in scores and (metric, b) in scores:
                pooled = pooled_test(scores[metric, a], scores[metric, b], runs, kept)
                found += [] if pooled is None else [pooled]
    corrected = holm([c.p_value for c in found])
    return [replace(c, p_holm=p) for c, p in zip(found, corrected, strict=True)]


def _further(runs: Sequence[Run], planned: Sequence[Pair], catalogue: Catalogue) -> list[Pair]:
    known = {frozenset(pair) for pair in (*planned, *catalogue.planned)}  # a sweep leaves the table its own pairs
    result: dict[frozenset[str], Pair] = {}
    for run in runs:
        for c in run.record.comparisons:
            pair = frozenset((c.a, c.b))
            if pair not in known and (asked_for(run.record, c) or unlisted(c, catalogue)):
                result.setdefault(pair, (c.a, c.b))
    return list(result.values())


def unlisted(c: Comparison, catalogue: Catalogue) -> bool:
    """Return whether a comparison involves a system that the catalogue does not list, and no control."""
    known = catalogue.is_listed(c.a) and catalogue.is_listed(c.b)
    return not known and not catalogue.is_control(c.a) and not catalogue.is_control(c.b)


def asked_for(record: RunRecord, c: Comparison) -> bool:
    """Return whether the settings of a run name this pair, or one of the two systems as baseline."""
    named = {frozenset(str(pair).split(":")) for pair in record.config.get("pairs") or ()}
    baselines = set(record.config.get("baselines") or ())
    return frozenset((c.a, c.b)) in named or (not named and bool(baselines & {c.a, c.b}))


def pooled_test(a: Score, b: Score, runs: Sequence[Run], kept: RunRecord | None) -> Comparison | None:
    """Return the comparison of two systems on one metric over the training seeds; None where nothing allows one.

    Args:
        a: pooled score of one system.
        b: of the other.
        runs: those that the scores were pooled from; their own comparisons are used.
        kept: a pooled record of the same runs.
    """
    by_seed = _seed_differences(a, b)
    recorded = _recorded(a, b, runs)
    known = _oriented(kept.comparisons, a, b) if kept else None
    if len(by_seed) == 1 and len(recorded) == 1:
        made = recorded[0]
    elif len(a.per_clip.keys() & b.per_clip.keys()) > 1:
        made = paired_test(a, b)
    elif known is not None:
        made = known
    elif recorded and len(recorded) >= len(by_seed):
        made = _merge(recorded)
    else:
        return None
    difference = a.value - b.value if len(by_seed) > 1 else made.difference
    return replace(made, difference=difference, by_seed=by_seed)


def _seed_differences(a: Score, b: Score) -> dict[str, float]:
    """Return a minus b by seed; a system with one value is compared with every seed of the other."""
    if len(a.by_seed) == 1 and len(b.by_seed) > 1:
        return {seed: a.value - v for seed, v in b.by_seed.items()}
    if len(b.by_seed) == 1 and len(a.by_seed) > 1:
        return {seed: v - b.value for seed, v in a.by_seed.items()}
    shared = [s for s in a.by_seed if s in b.by_seed]
    return {s: a.by_seed[s] - b.by_seed[s] for s in shared} or {"": a.value - b.value}


def _oriented(comparisons: Sequence[Comparison], a: Score, b: Score) -> Comparison | None:
    """Return the first comparison of two systems on their metric, as ``a`` against ``b``; None where there is none."""
    for c in comparisons:
        if c.metric == a.metric and {c.a, c.b} == {a.system, b.system}:
            return c if c.a == a.system else c.reversed()
    return None


def _recorded(a: Score, b: Score, runs: Sequence[Run]) -> list[Comparison]:
    """Return the comparison of every seed that has one."""
    by_seed: dict[str, Comparison] = {}
    for run in runs:
        found = _oriented(run.record.comparisons, a, b)
        if found is not None:
            by_seed.setdefault(run.tag("train_seed"), found)
    return list(by_seed.values())


def _merge(found: Sequence[Comparison]) -> Comparison:
    """Merge the tests of several seeds on the same queries (see the module docstring)."""
    from scipy.stats import norm

    # z_s = sign(d_s) Φ⁻¹(1 − p_s / 2) per seed;  p = 2 (1 − Φ(|mean z_s|))
    scores = [float(np.sign(c.difference)) * float(norm.isf(max(c.p_value, 1e-300) / 2)) for c in found]
    intervals = [c.ci for c in found if c.ci is not None]
    ci = None
    if len(intervals) == len(found):
        ci = (float(np.mean([i[0] for i in intervals])), float(np.mean([i[1] for i in intervals])))
    return replace(
        found[0],
        difference=float(np.mean([c.difference for c in found])),
        ci=ci,
        p_value=float(2 * norm.sf(abs(np.mean(scores)))),
        n=min(c.n for c in found),
        test=f"{found[0].test}, normal scores of {len(found)} seeds averaged",
        effect_size=None,
    )
