"""Paired differences between systems, pooled over training seeds, with Holm's correction over the planned questions.

Where a metric has values per query, the seeds are averaged within each query first and the test is over queries: a
query counts once however many seeds answered it. Where it has none (FAD), every seed has a test of its own on the same
queries. These are dependent, so their p-values are turned into signed normal scores and averaged: the mean of standard
normal scores has a variance of at most one whatever their dependence, so reading it as standard normal errs on the safe
side (it is exact where the seeds agree fully). The seeds' own differences stand beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.cells import Cell, Cells
from clipsonic_eval.analysis.resampling import paired_test
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.stats.paired import holm

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """System ``a`` against system ``b`` on one metric.

    Attributes:
        difference: a minus b, in the metric's unit, mean over seeds.
        ci: 95 % interval of the difference over test queries.
        p_value: two-sided.
        p_holm: corrected over all pairs and metrics of the table.
        test: how it was made.
        by_seed: difference by training seed.
    """

    metric: str
    a: str
    b: str
    difference: float
    ci: tuple[float, float] | None
    p_value: float
    p_holm: float
    n: int
    test: str
    effect_size: float | None
    by_seed: Mapping[str, float]
    higher_is_better: bool

    @property
    def separated(self) -> bool:
        """Say whether the two differ at 0.05 after Holm's correction."""
        return self.p_holm < ALPHA

    @property
    def a_better(self) -> bool:
        """Say whether ``a`` has the better value (significant or not)."""
        return self.difference > 0 if self.higher_is_better else self.difference < 0

    @property
    def gain(self) -> float:
        """Return how much better ``a`` is: positive where it is better, whatever the metric's direction."""
        return self.difference if self.higher_is_better else -self.difference

    @property
    def gain_ci(self) -> tuple[float, float] | None:
        """Return the interval of the gain, lower end first."""
        if self.ci is None or self.higher_is_better:
            return self.ci
        return -self.ci[1], -self.ci[0]

    def reversed(self) -> Pair:
        """Return ``b`` against ``a``."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            difference=-self.difference,
            ci=(-self.ci[1], -self.ci[0]) if self.ci else None,
            effect_size=-self.effect_size if self.effect_size is not None else None,
            by_seed={seed: -d for seed, d in self.by_seed.items()},
        )

    @property
    def seeds_agree(self) -> int:
        """Return how many seeds have a difference of the sign of the mean."""
        return sum(d * self.difference > 0 for d in self.by_seed.values())


def collect(
    runs: Sequence[Run],
    cells: Cells,
    pooled: RunRecord | None = None,
    planned: Sequence[tuple[str, str]] = names.PLANNED,
) -> list[Pair]:
    """Return the pairs of the table in the order of the questions, metrics within, Holm-corrected together.

    Args:
        runs: those that ``cells`` were made from; their comparisons are used.
        cells: by (metric, system).
        pooled: gives pairs whose clip-level scores were not kept.
        planned: the questions; pairs that a run was asked for, and those with a foreign system that some run compared,
            come after them.
    """
    planned = names.with_own_k(planned, (s for _, s in cells))
    questions = [*planned, *_further(runs, planned)]
    found = []
    for metric in names.ordered_metrics(m for m, _ in cells):
        for a, b in questions:
            if (metric.name, a) in cells and (metric.name, b) in cells:
                pair = _pair(cells[metric.name, a], cells[metric.name, b], runs, pooled)
                if pair is not None:
                    found.append(pair)
    corrected = holm([p.p_value for p in found])
    return [replace(pair, p_holm=p) for pair, p in zip(found, corrected, strict=True)]


def _further(runs: Sequence[Run], planned: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    known = {frozenset(q) for q in planned}
    result: dict[frozenset[str], tuple[str, str]] = {}
    for run in runs:
        for c in run.record.comparisons:
            pair = frozenset((c.a, c.b))
            if pair not in known and (asked_for(run.record, c) or _is_foreign(c)):
                result.setdefault(pair, (c.a, c.b))
    return list(result.values())


def _is_foreign(c: Comparison) -> bool:
    groups = {names.system(c.a).group, names.system(c.b).group}
    return names.OTHER in groups and names.CONTROL not in groups


def asked_for(record: RunRecord, c: Comparison) -> bool:
    """Say whether the settings of a run name a pair that it compared: as a pair, or one of the two as baseline."""
    named = {frozenset(str(pair).split(":")) for pair in record.config.get("pairs") or ()}
    baselines = set(record.config.get("baselines") or ())
    return frozenset((c.a, c.b)) in named or (not named and bool(baselines & {c.a, c.b}))


def _pair(a: Cell, b: Cell, runs: Sequence[Run], pooled: RunRecord | None) -> Pair | None:
    by_seed = _seed_differences(a, b)
    shared = [k for k in a.items if k in b.items]
    recorded = _recorded(a, b, runs)
    kept = [c for c in (_oriented(c, a.system, b.system, a.metric) for c in pooled.comparisons) if c] if pooled else []
    if len(by_seed) == 1 and len(recorded) == 1:
        made = recorded[0]
    elif len(shared) > 1:
        made = paired_test(a.items, b.items, (a.metric, a.system, b.system))
    elif kept:
        made = kept[0]
    elif recorded and len(recorded) >= len(by_seed):
        made = _merge(recorded)
    else:
        return None
    return Pair(
        metric=a.metric,
        a=a.system,
        b=b.system,
        difference=a.value - b.value if len(by_seed) > 1 else made.difference,
        ci=made.ci,
        p_value=made.p_value,
        p_holm=made.p_holm,
        n=made.n,
        test=made.test,
        effect_size=made.effect_size,
        by_seed=by_seed,
        higher_is_better=a.higher_is_better,
    )


def _seed_differences(a: Cell, b: Cell) -> dict[str, float]:
    """Return a minus b by seed; a system with one value stands against every seed of the other."""
    if len(a.by_seed) == 1 and len(b.by_seed) > 1:
        return {seed: a.value - v for seed, v in b.by_seed.items()}
    if len(b.by_seed) == 1 and len(a.by_seed) > 1:
        return {seed: v - b.value for seed, v in a.by_seed.items()}
    shared = [s for s in a.by_seed if s in b.by_seed]
    return {s: a.by_seed[s] - b.by_seed[s] for s in shared} or {"": a.value - b.value}


def _oriented(c: Comparison, a: str, b: str, metric: str) -> Comparison | None:
    """Return a record's comparison as ``a`` against ``b``, turned round if need be; None if it is about others."""
    if c.metric != metric or {c.a, c.b} != {a, b}:
        return None
    if (c.a, c.b) == (a, b):
        return c
    return replace(
        c,
        a=a,
        b=b,
        difference=-c.difference,
        ci=(-c.ci[1], -c.ci[0]) if c.ci else None,
        effect_size=-c.effect_size if c.effect_size is not None else None,
    )


def _recorded(a: Cell, b: Cell, runs: Sequence[Run]) -> list[Comparison]:
    by_seed: dict[str, Comparison] = {}
    for run in runs:
        for c in run.record.comparisons:
            oriented = _oriented(c, a.system, b.system, a.metric)
            if oriented is not None:
                by_seed.setdefault(run.tag("train_seed"), oriented)
    return list(by_seed.values())


def _merge(found: Sequence[Comparison]) -> Comparison:
    """Merge the tests of several seeds on the same queries (see the module)."""
    from scipy.stats import norm

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
