"""Scores of several runs put together: one cell per system and metric, with the spread over training seeds.

A cell of several seeds holds their mean. Its interval is over *test queries* with the seeds held fixed: where a metric
has values per query, from the per-query means over seeds; else from the seeds' own intervals, whose ends are averaged
(the seeds share their queries, so averaging does not shrink them: this errs on the wide side). The spread over seeds
stands beside it and is not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.resampling import mean_interval
from clipsonic_eval.analysis.runs import Run, number
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import WITH_UNANSWERED, Score


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric of one system over all its seeds.

    Attributes:
        value: mean over training seeds.
        ci: interval over test queries at ``ci_level``, or None.
        ci_method: how it was made.
        n: clips per seed (the smallest, should they differ).
        by_seed: value by training seed; one entry, "" if untagged, where there is a single value.
        seed_std: standard deviation over seeds (n - 1), None with fewer than two distinct runs.
        items: mean over seeds by query; empty where the metric or the record has none.
        signature: of the first seed; the others are comparable with it.
        ranked: the value with unanswered queries counted, mean over seeds: what systems are ranked by.
    """

    metric: str
    system: str
    value: float
    ci: tuple[float, float] | None
    ci_level: float
    ci_method: str
    n: int
    by_seed: Mapping[str, float]
    seed_std: float | None
    items: Mapping[str, float]
    unit: str
    higher_is_better: bool
    signature: str
    ranked: float

    def better_than(self, other: Cell) -> bool:
        """Say whether this is the better one, by the metric's direction and with unanswered queries counted."""
        return self.ranked > other.ranked if self.higher_is_better else self.ranked < other.ranked


Cells = Mapping[tuple[str, str], Cell]


def collect(
    runs: Sequence[Run], pooled: RunRecord | None = None, *, aside: bool = False
) -> dict[tuple[str, str], Cell]:
    """Put the scores of runs together, by (metric, system).

    Args:
        runs: of one CLIP variant, split and guidance scale; told apart by ``train_seed``.
        pooled: gives the intervals of cells whose clip-level scores were not kept.
        aside: return the metrics that belong to no system (two halves of the reference) instead of all others.

    Raises:
        UserError: two runs of one seed give different values for one cell, or seeds are not comparable.
    """
    found: dict[tuple[str, str], dict[str, tuple[str, Score]]] = {}
    for run in runs:
        seed = run.tag("train_seed")
        for score in run.record.scores:
            if (score.metric in names.ASIDE) != aside:
                continue
            cell = found.setdefault((score.metric, score.system), {})
            known = cell.get(seed)
            if known is not None and known[1].value != score.value:
                raise UserError(
                    f"runs '{known[0]}' and '{run.name}' both give {score.metric} of '{score.system}'"
                    + (f" for train_seed {seed}" if seed else "")
                    + f" ({known[1].value:.6g} and {score.value:.6g}); leave one out, or tag them apart with train_seed"
                )
            cell.setdefault(seed, (run.name, score))
    trained = {system for (_, system), by_seed in found.items() if len({s.value for _, s in by_seed.values()}) > 1}
    return {key: _cell(by_seed, key[1] in trained, pooled) for key, by_seed in found.items()}


def _cell(found: Mapping[str, tuple[str, Score]], trained: bool, pooled: RunRecord | None) -> Cell:
    """Make one cell; a system of which no number moves with the seed was scored beside every seed and counts once."""
    from clipsonic_eval.signature import comparable

    scores = {seed: found[seed][1] for seed in sorted(found, key=lambda s: (number(s), s))}
    first = next(iter(scores.values()))
    for seed, score in scores.items():
        if not comparable(first.signature, score.signature, same_system=True):
            raise UserError(
                f"{score.metric} of '{score.system}', train_seed {seed}: signature '{score.signature}' does not match "
                f"'{first.signature}' of the other seeds; evaluate all seeds in the same way"
            )
    values = {seed: score.value for seed, score in scores.items()}
    if len(values) > 1 and not trained:
        values = {"": first.value}
    several = len(values) > 1
    items = _mean_items(list(scores.values())) if several else dict(first.per_clip)
    ci, method = _interval(list(scores.values()), items, pooled) if several else (first.ci, first.ci_method)
    return Cell(
        metric=first.metric,
        system=first.system,
        value=float(np.mean(list(values.values()))),
        ci=ci,
        ci_level=first.ci_level,
        ci_method=method,
        n=min(s.n for s in scores.values()),
        by_seed=values,
        seed_std=float(np.std(list(values.values()), ddof=1)) if several else None,
        items=items,
        unit=first.unit,
        higher_is_better=first.higher_is_better,
        signature=first.signature,
        ranked=float(np.mean([score.details.get(WITH_UNANSWERED, score.value) for score in scores.values()])),
    )


def _mean_items(scores: Sequence[Score]) -> dict[str, float]:
    shared = set(scores[0].per_clip).intersection(*(s.per_clip for s in scores[1:]))
    return {k: float(np.mean([s.per_clip[k] for s in scores])) for k in scores[0].per_clip if k in shared}


def _interval(
    scores: Sequence[Score], items: Mapping[str, float], pooled: RunRecord | None
) -> tuple[tuple[float, float] | None, str]:
    first = scores[0]
    if len(items) > 1:
        return mean_interval(items, first.ci_level)
    kept = pooled.score(first.metric, first.system) if pooled else None
    if kept is not None:
        return kept.ci, kept.ci_method
    ends = [s.ci for s in scores if s.ci is not None]
    if len(ends) < len(scores):
        return None, "none"
    return (float(np.mean([e[0] for e in ends])), float(np.mean([e[1] for e in ends]))), "mean of the seeds' intervals"
