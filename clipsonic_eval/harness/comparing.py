"""Paired tests between systems, on the queries that both answered, with Holm's correction over the record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.errors import ShapeError, unknown_name
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.metrics import ClipInfluence, Inputs, SetMetric
from clipsonic_eval.metrics.scoring import Scored
from clipsonic_eval.records import IDENTICAL, Comparison
from clipsonic_eval.stats import bootstrap, paired
from clipsonic_eval.stats.bootstrap import Interval
from clipsonic_eval.types import Embeddings, Score

_MIN_COMMON = 2
_SWAPS = 3


def pairs_of(config: EvaluateConfig, systems: Sequence[str], made_here: Sequence[str]) -> list[tuple[str, str]]:
    """Return which systems are compared with which.

    Raises:
        UserError: a baseline or a member of a pair is no system of this evaluation.
    """
    if not config.compare:
        return []
    named = [*config.baselines, *(name for pair in config.pairs for name in pair.split(":"))]
    for name in named:
        if name not in systems and name not in config.systems:
            raise unknown_name("system to compare with", name, systems)
    if config.pairs:
        wanted = [(p.split(":")[0], p.split(":")[1]) for p in config.pairs]
    elif config.baselines:
        wanted = [(a, b) for b in config.baselines for a in systems if a != b]
    else:
        wanted = list(combinations([s for s in systems if s not in made_here], 2))
    seen: set[frozenset[str]] = set()
    result = []
    for a, b in wanted:
        pair = frozenset((a, b))
        if a != b and a in systems and b in systems and pair not in seen:
            seen.add(pair)
            result.append((a, b))
    return result


def compare_clips(
    scores: Mapping[str, Score],
    pairs: Sequence[tuple[str, str]],
    config: EvaluateConfig,
    untested: list[str] | None = None,
) -> list[Comparison]:
    """Compare means over clips by sign flips of the paired differences.

    Args:
        scores: by system; a pair without a score of both is left out.
        pairs: of systems.
        config: of the evaluation.
        untested: receives a sentence for each pair with scores that cannot be compared.
    """
    untested = [] if untested is None else untested
    result = []
    for a, b in pairs:
        if a not in scores or b not in scores:
            continue
        left, right = scores[a].per_clip, scores[b].per_clip
        common = sorted(left.keys() & right.keys())
        if len(common) < _MIN_COMMON:
            untested.append(_too_few(scores[a].metric, a, b, len(common), _MIN_COMMON))
            continue
        differences = np.array([left[k] - right[k] for k in common])
        p, test = paired.sign_flip_test(differences, config.n_permutations, config.seed)
        counts = bootstrap.resample_counts(common, config.n_bootstrap, config.seed, "bootstrap-queries")
        result.append(
            Comparison(
                metric=scores[a].metric,
                a=a,
                b=b,
                difference=float(differences.mean()),
                ci=bootstrap.mean_interval(differences, counts)[0],
                p_value=p,
                p_holm=p,
                n=len(common),
                test=test,
                higher_is_better=scores[a].higher_is_better,
                effect_size=paired.cohen_dz(differences),
            )
        )
    return result


def compare_sets(
    metric: SetMetric,
    inputs: Mapping[str, Inputs],
    scored: Scored,
    pairs: Sequence[tuple[str, str]],
    config: EvaluateConfig,
    untested: list[str] | None = None,
) -> list[Comparison]:
    """Compare statistics of sets on the queries that both systems answered.

    By swaps of the two systems' clips where the metric's influences describe those, otherwise by resampling the queries
    and the reference alike for both.

    Args:
        metric: the statistic.
        inputs: by system.
        scored: by system; a pair without a score of both is left out.
        pairs: of systems.
        config: of the evaluation.
        untested: receives a sentence for each pair with scores that cannot be compared.
    """
    untested = [] if untested is None else untested
    name, least = metric.card.name, max(_MIN_COMMON, metric.card.min_n)
    result = []
    for a, b in pairs:
        if a not in scored.scores or b not in scored.scores:
            continue
        common = set(inputs[a].system.keys) & set(inputs[b].system.keys)
        if len(common) < least:
            untested.append(_too_few(name, a, b, len(common), least))
            continue
        try:
            result.append(_compared(metric, inputs, scored, (a, b), common, config))
        except ShapeError as error:  # the common queries may not do where all of each system's do
            untested.append(f"{name} of '{a}' and '{b}' not compared on their {len(common)} common queries: {error}")
    return result


def _too_few(metric: str, a: str, b: str, common: int, least: int) -> str:
    return f"{metric} of '{a}' and '{b}' not compared: it takes {least} queries that both answered, there are {common}"


def _compared(
    metric: SetMetric,
    inputs: Mapping[str, Inputs],
    scored: Scored,
    pair: tuple[str, str],
    common: set[str],
    config: EvaluateConfig,
) -> Comparison:
    """Compare two systems on their common queries.

    Raises:
        ShapeError: the metric is not defined for so few of them.
    """
    a, b = pair
    both = inputs[a], inputs[b]
    alike = all(set(one.system.keys) == common for one in both)
    if alike:
        difference = scored.scores[a].value - scored.scores[b].value
    else:
        both = _restricted(inputs[a], common), _restricted(inputs[b], common)
        difference = metric.value(both[0]) - metric.value(both[1])
    if metric.influence is not None and metric.linear_in_swaps:
        p, interval, test = _by_swaps(metric.influence, *both, difference, config)
    else:
        if alike:
            drawn = scored.replicates[a], scored.replicates[b]
        else:
            drawn = tuple(metric.replicates(both, config.n_bootstrap, config.seed))
        p, interval = paired.paired_bootstrap_test(difference, drawn[0] - drawn[1])
        test = f"paired-{metric.method}-{config.n_bootstrap}"
    higher = metric.card.higher_is_better
    return Comparison(metric.card.name, a, b, difference, interval, p, p, len(common), test, higher)


def identical(
    digests: Mapping[str, Mapping[str, str]], pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the pairs whose outputs are the same bytes on every query that both answered, with those queries.

    Args:
        digests: content hash by key, by system.
        pairs: of systems, whether they have digests or not.
    """
    result = {}
    for a, b in pairs:
        left, right = digests.get(a, {}), digests.get(b, {})
        common = tuple(sorted(left.keys() & right.keys()))
        if common and all(left[key] == right[key] for key in common):
            result[a, b] = common
    return result


def compare_identical(scores: Mapping[str, Score], same: Mapping[tuple[str, str], Sequence[str]]) -> list[Comparison]:
    """Compare systems that gave the same bytes: there is no difference, and nothing to test."""
    return [
        Comparison(scores[a].metric, a, b, 0.0, (0.0, 0.0), 1.0, 1.0, len(keys), IDENTICAL, scores[a].higher_is_better)
        for (a, b), keys in same.items()
        if a in scores and b in scores
    ]


def _by_swaps(
    influence: Callable[[Inputs], ClipInfluence], a: Inputs, b: Inputs, difference: float, config: EvaluateConfig
) -> tuple[float, Interval, str]:
    """Test a difference by swaps of the two systems' clips; they have the same keys."""
    keys = sorted(set(a.system.keys))
    pooled = influence(dataclasses.replace(a, system=_joined(a.system, b.system))).system
    by_clip = 2 * np.array([pooled[_first(key)] - pooled[_second(key)] for key in keys])
    own = _variance(influence(a), influence(b))
    rng = seeds.stream(config.seed, "", "swap-test")
    swapped = []
    for _ in range(_SWAPS):
        changed = {key for key, flip in zip(keys, rng.integers(0, 2, len(keys)), strict=True) if flip}
        stay, go = (_restricted(x, set(keys) - changed).system for x in (a, b))
        others = (_restricted(x, changed).system for x in (b, a))
        ends = (
            influence(dataclasses.replace(x, system=_concatenated(mine, new)))
            for x, mine, new in zip((a, b), (stay, go), others, strict=True)
        )
        swapped.append(_variance(*ends))
    return paired.swap_test(difference, by_clip, own, swapped, config.n_permutations, config.seed)


def _variance(a: ClipInfluence, b: ClipInfluence) -> float:
    """Return the first-order variance of the difference of two statistics on the same clips."""
    system = sum((value - b.system[key]) ** 2 for key, value in a.system.items())
    return system + sum((value - b.reference[key]) ** 2 for key, value in a.reference.items())


def _first(key: str) -> str:
    return f"{key}/a"


def _second(key: str) -> str:
    return f"{key}/b"


def _joined(a: Embeddings, b: Embeddings) -> Embeddings:
    """Return the rows of both sets, each clip under a key of its own."""
    keys = (*map(_first, a.keys), *map(_second, b.keys))
    return dataclasses.replace(_concatenated(a, b), keys=keys)


def _concatenated(a: Embeddings, b: Embeddings) -> Embeddings:
    return Embeddings(np.concatenate([a.vectors, b.vectors]), (*a.keys, *b.keys), a.modality, a.space)


def _restricted(inputs: Inputs, keys: set[str]) -> Inputs:
    rows = np.array([i for i, key in enumerate(inputs.system.keys) if key in keys], dtype=np.intp)
    return dataclasses.replace(inputs, system=inputs.system.take(rows))


def corrected(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Put Holm's correction over all comparisons of a record."""
    adjusted = paired.holm([c.p_value for c in comparisons])
    return tuple(dataclasses.replace(c, p_holm=p) for c, p in zip(comparisons, adjusted, strict=True))
