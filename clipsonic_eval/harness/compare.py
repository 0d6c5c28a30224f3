"""Paired tests between systems on the queries that both answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import ClipInfluence, ClipMetric, Inputs, Metric, SetMetric
from clipsonic_eval.metrics.scoring import Scored
from clipsonic_eval.records import IDENTICAL, Comparison
from clipsonic_eval.stats import bootstrap, paired
from clipsonic_eval.stats.bootstrap import Interval
from clipsonic_eval.types import Embeddings, Score

_MIN_COMMON = 2
_SWAPS = 3

Pair = tuple[str, str]


def compare_systems(
    metric: Metric,
    inputs: Mapping[str, Inputs],
    scored: Scored,
    pairs: Sequence[Pair],
    digests: Mapping[str, Mapping[str, str]] | None = None,
    *,
    n_boot: int,
    n_permutations: int,
    seed: int,
) -> tuple[list[Comparison], list[str]]:
    """Compare systems by one metric, on the queries that both systems of a pair answered.

    - Means over clips: sign flips of the paired differences.
    - Statistics of sets: swaps of the two systems' clips where the influences of the clips describe those, otherwise
      resamples of the queries and the reference, the same for both systems.
    - Systems whose outputs are identical files: no difference, and nothing to test.

    Args:
        metric: that the systems were scored by.
        inputs: of the metric, by system.
        scored: by the same metric; a pair without a score of both is left out.
        pairs: systems to compare.
        digests: content hash of each clip, by system and key; a system without them is identical to none.
        n_boot: resamples of the clips, as of the scores.
        n_permutations: sign flips or swaps.
        seed: of all of them, as of the scores.

    Returns:
        The comparisons, not corrected for their number; and a sentence for every pair that cannot be compared.
    """
    result, not_compared = [], []
    usable = [(a, b) for a, b in pairs if a in scored.scores and b in scored.scores]
    same = {pair: n for pair in usable if (n := identical_clips(digests or {}, pair))}
    for a, b in (pair for pair in usable if pair not in same):
        common, least = _common_queries(metric, inputs, scored, (a, b))
        if len(common) < least:
            not_compared.append(
                f"{metric.card.name} of '{a}' and '{b}' not compared: it takes {least} queries that both answered, "
                f"there are {len(common)}"
            )
            continue
        try:
            if isinstance(metric, ClipMetric):
                both = scored.scores[a], scored.scores[b]
                result.append(_compare_means(*both, common, n_boot=n_boot, n_permutations=n_permutations, seed=seed))
            else:
                result.append(
                    _compare_sets(
                        metric, inputs, scored, (a, b), common, n_boot=n_boot, n_permutations=n_permutations, seed=seed
                    )
                )
        except ShapeError as error:  # the common queries may be too few where all of each system's are enough
            not_compared.append(
                f"{metric.card.name} of '{a}' and '{b}' not compared on their {len(common)} common queries: {error}"
            )
    higher = metric.card.higher_is_better
    result += [
        Comparison(metric.card.name, a, b, 0.0, (0.0, 0.0), 1.0, 1.0, n, IDENTICAL, higher)
        for (a, b), n in same.items()
    ]
    return result, not_compared


def identical_clips(digests: Mapping[str, Mapping[str, str]], pair: Pair) -> int:
    """Return the number of common clips if they are the same bytes in both systems, otherwise 0."""
    left, right = (digests.get(name, {}) for name in pair)
    common = left.keys() & right.keys()
    return len(common) if all(left[key] == right[key] for key in common) else 0


def _common_queries(metric: Metric, inputs: Mapping[str, Inputs], scored: Scored, pair: Pair) -> tuple[list[str], int]:
    """Return the queries that both systems answered, sorted, and how many the comparison needs."""
    if isinstance(metric, ClipMetric):
        left, right = (scored.scores[name].per_clip.keys() for name in pair)
        return sorted(left & right), _MIN_COMMON
    first, second = (set(inputs[name].system.keys) for name in pair)
    return sorted(first & second), max(_MIN_COMMON, metric.card.min_n)


def _compare_means(
    a: Score, b: Score, common: Sequence[str], *, n_boot: int, n_permutations: int, seed: int
) -> Comparison:
    """Compare two means over clips on the common queries."""
    differences = np.array([a.per_clip[key] - b.per_clip[key] for key in common])
    p, test = paired.sign_flip_test(differences, n_permutations, seed)
    counts = bootstrap.resample_counts(common, n_boot, seed, "bootstrap-queries")
    return Comparison(
        metric=a.metric,
        a=a.system,
        b=b.system,
        difference=float(differences.mean()),
        ci=bootstrap.mean_interval(differences, counts)[0],
        p_value=p,
        p_holm=p,
        n=len(common),
        test=test,
        higher_is_better=a.higher_is_better,
        effect_size=paired.cohen_dz(differences),
    )


def _compare_sets(
    metric: SetMetric,
    inputs: Mapping[str, Inputs],
    scored: Scored,
    pair: Pair,
    common: Sequence[str],
    *,
    n_boot: int,
    n_permutations: int,
    seed: int,
) -> Comparison:
    """Compare two statistics of sets on the common queries.

    Raises:
        ShapeError: the metric is not defined for so few of them.
    """
    a, b = pair
    both = inputs[a], inputs[b]
    alike = all(set(one.system.keys) == set(common) for one in both)
    if alike:
        difference = scored.scores[a].value - scored.scores[b].value
    else:
        both = _restricted(inputs[a], set(common)), _restricted(inputs[b], set(common))
        difference = metric.value(both[0]) - metric.value(both[1])
    if metric.influence is not None and metric.linear_in_swaps:
        p, interval, test = _swap_test(metric.influence, *both, difference, n_permutations=n_permutations, seed=seed)
    else:
        replicates = scored.replicates
        drawn = (replicates[a], replicates[b]) if alike else tuple(metric.replicates(both, n_boot, seed))
        p, interval = paired.paired_bootstrap_test(difference, drawn[0] - drawn[1])
        test = f"paired-{metric.method}-{n_boot}"
    higher = metric.card.higher_is_better
    return Comparison(metric.card.name, a, b, difference, interval, p, p, len(common), test, higher)


def _swap_test(
    influence: Callable[[Inputs], ClipInfluence],
    a: Inputs,
    b: Inputs,
    difference: float,
    *,
    n_permutations: int,
    seed: int,
) -> tuple[float, Interval, str]:
    """Test a difference by swaps of the two systems' clips; both have the same keys."""
    keys = sorted(set(a.system.keys))
    pooled = influence(dataclasses.replace(a, system=_joined(a.system, b.system))).system
    by_clip = 2 * np.array([pooled[_first(key)] - pooled[_second(key)] for key in keys])
    own = _variance(influence(a), influence(b))
    rng = seeds.stream(seed, "", "swap-test")
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
    return paired.swap_test(difference, by_clip, own, swapped, n_permutations, seed)


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
