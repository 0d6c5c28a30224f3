"""Bootstrap intervals and sign-flip tests of per-query means over training seeds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.records import Comparison
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.stats.bootstrap import Interval, resample_counts
from clipsonic_eval.stats.paired import cohen_dz, sign_flip_test
from clipsonic_eval.types import Score

RESAMPLES = 2000
PERMUTATIONS = 10_000
SEED = 0


def mean_interval(per_query: Mapping[str, float], level: float) -> tuple[Interval, str]:
    """Return the bootstrap interval of a mean over queries, and the name of the method.

    Args:
        per_query: mean over training seeds per query, by key.
        level: nominal coverage, e.g. 0.95.
    """
    values = np.array(list(per_query.values()), np.float64)
    interval, method = bootstrap.mean_interval(values, _weights(tuple(per_query)), level)
    return interval, f"{method}, per-query means over seeds"


@lru_cache(maxsize=4)  # nearly all scores of a report are over the same queries
def _weights(keys: tuple[str, ...]) -> NDArray[np.uint16]:
    return resample_counts(keys, RESAMPLES, SEED, "bootstrap-queries")  # the stream that `evaluate` draws from


def paired_test(a: Score, b: Score) -> Comparison:
    """Test the mean difference of two systems over the queries that both answered.

    Args:
        a: score of one system; ``per_clip`` holds the mean over seeds per query.
        b: score of the other system on the same metric.
    """
    gaps = {key: a.per_clip[key] - b.per_clip[key] for key in a.per_clip if key in b.per_clip}
    values = np.array(list(gaps.values()), np.float64)
    p, test = sign_flip_test(values, PERMUTATIONS, SEED)
    return Comparison(
        metric=a.metric,
        a=a.system,
        b=b.system,
        difference=float(values.mean()),
        ci=mean_interval(gaps, 0.95)[0],
        p_value=p,
        p_holm=p,
        n=len(values),
        test=f"{test}, per-query means over seeds",
        higher_is_better=a.higher_is_better,
        effect_size=cohen_dz(values),
    )
