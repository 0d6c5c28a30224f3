"""Scores of several runs pooled over training seeds: one score per metric and system, the mean over its seeds.

Its interval is over *test queries* with the seeds held fixed: where a metric has values per clip, from the per-query
means over seeds; else from the seeds' own intervals, whose ends are averaged (the seeds share their queries, so
averaging does not shrink them: this errs on the wide side). The spread over seeds, :attr:`~Score.by_seed` and
:attr:`~Score.seed_std`, is reported next to the interval and is not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from clipsonic_eval import class_shares
from clipsonic_eval.analysis.resampling import mean_interval
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.analysis.tags import number
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord
from clipsonic_eval.signature import comparable, explain_difference
from clipsonic_eval.types import WITH_UNANSWERED, Score

REFERENCE_METRICS = ("fad_halves",)  # numbers of the reference itself, which belong to no system

Scores = Mapping[tuple[str, str], Score]


def better_than(a: Score, b: Score) -> bool:
    """Return whether ``a`` is the better score, by the metric's direction and with unanswered queries counted."""
    ranked_a, ranked_b = a.details.get(WITH_UNANSWERED, a.value), b.details.get(WITH_UNANSWERED, b.value)
    return ranked_a > ranked_b if a.higher_is_better else ranked_a < ranked_b


def pool_scores(
    runs: Sequence[Run], kept: RunRecord | None = None, *, of_reference: bool = False
) -> dict[tuple[str, str], Score]:
    """Pool the scores of runs over their training seeds, by (metric, system).

    Args:
        runs: of one CLIP variant, split and guidance scale; distinguished by ``train_seed``.
        kept: a pooled record of the same runs; gives the intervals where the runs have no values per clip any more.
        of_reference: return the scores of the reference itself (its two halves) instead of all others.

    Raises:
        UserError: two runs of one seed give different values for one system and metric, or seeds are not comparable.
    """
    found: dict[tuple[str, str], dict[str, tuple[Run, Score]]] = {}
    for run in runs:
        for score in run.record.scores:
            if (score.metric in REFERENCE_METRICS) == of_reference:
                by_seed = found.setdefault((score.metric, score.system), {})
                _add(by_seed, run, score)
    trained = {system for (_, system), by_seed in found.items() if len({s.value for _, s in by_seed.values()}) > 1}
    return {key: _pooled(by_seed, key[1] in trained, kept) for key, by_seed in found.items()}


def _add(by_seed: dict[str, tuple[Run, Score]], run: Run, score: Score) -> None:
    seed = run.tag("train_seed")
    other, known = by_seed.setdefault(seed, (run, score))
    if known.value != score.value:
        apart = next((key for key in sorted(run.record.tags) if run.tag(key) != other.tag(key)), "")
        choose = (
            f"choose one, e.g. --select {apart}={other.tag(apart)}" if apart and other.tag(apart) else "leave one out"
        )
        raise UserError(
            f"runs '{other.name}' and '{run.name}' both give {score.metric} of '{score.system}'"
            + (f" for train_seed {seed}" if seed else "")
            + f" ({known.value:.6g} and {score.value:.6g}); {choose}, or tag them apart with train_seed"
        )


def _pooled(found: Mapping[str, tuple[Run, Score]], trained: bool, kept: RunRecord | None) -> Score:
    """Pool one score; a system of which no number moves with the seed was scored in every run and counts once."""
    scores = {seed: found[seed][1] for seed in sorted(found, key=lambda s: (number(s), s))}
    first = next(iter(scores.values()))
    for seed, score in scores.items():
        if not comparable(first.signature, score.signature, same_system=True):
            difference = explain_difference(score.signature, first.signature, compared_only=True)
            raise UserError(
                f"{score.metric} of '{score.system}', train_seed {seed}: signature '{score.signature}' does not match "
                f"'{first.signature}' of the other seeds ({difference}); "
                "evaluate all seeds in the same way"
            )
    every = list(scores.values())
    if len(every) == 1 or not trained:
        seed = next(iter(scores)) if len(every) == 1 else ""
        return replace(first, n=min(s.n for s in every), by_seed={seed: first.value})
    values = {seed: score.value for seed, score in scores.items()}
    per_clip = _mean_per_clip(every)
    ci, method = _interval(every, per_clip, kept)
    counted = [score.details.get(WITH_UNANSWERED, score.value) for score in every]
    unanswered = any(WITH_UNANSWERED in score.details for score in every)
    return replace(
        first,
        value=float(np.mean(list(values.values()))),
        ci=ci,
        ci_method=method,
        n=min(s.n for s in every),
        n_rows=min(s.n_rows for s in every),
        by_seed=values,
        per_clip=per_clip,
        influence={},
        reference_influence={},
        details={**class_shares.mean(every), **({WITH_UNANSWERED: float(np.mean(counted))} if unanswered else {})},
    )


def _mean_per_clip(scores: Sequence[Score]) -> dict[str, float]:
    shared = set(scores[0].per_clip).intersection(*(s.per_clip for s in scores[1:]))
    return {k: float(np.mean([s.per_clip[k] for s in scores])) for k in scores[0].per_clip if k in shared}


def _interval(
    scores: Sequence[Score], per_clip: Mapping[str, float], kept: RunRecord | None
) -> tuple[tuple[float, float] | None, str]:
    first = scores[0]
    if len(per_clip) > 1:
        return mean_interval(per_clip, first.ci_level)
    known = kept.score(first.metric, first.system) if kept else None
    if known is not None:
        return known.ci, known.ci_method
    ends = [s.ci for s in scores if s.ci is not None]
    if len(ends) < len(scores):
        return None, "none"
    return (float(np.mean([e[0] for e in ends])), float(np.mean([e[1] for e in ends]))), "mean of the seeds' intervals"
