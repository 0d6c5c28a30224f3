"""The statistics that a report needs beyond those in the records: of per-query means over training seeds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.records import Comparison
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.stats.bootstrap import Interval, resample_counts
from clipsonic_eval.stats.paired import cohen_dz, sign_flip_test

RESAMPLES = 2000
PERMUTATIONS = 10_000
_SEED = 0


def mean_interval(items: Mapping[str, float], level: float) -> tuple[Interval, str]:
    """Return the interval of a mean over queries, and the name of the method.

    Args:
        items: per-query mean over seeds, by key.
        level: e.g. 0.95.
    """
    values = np.array(list(items.values()), np.float64)
    interval, method = bootstrap.mean_interval(values, _weights(tuple(items)), level)
    return interval, f"{method}, per-query means over seeds"


@lru_cache(maxsize=4)  # nearly all cells of a report have the same queries
def _weights(keys: tuple[str, ...]) -> NDArray[np.uint16]:
    return resample_counts(keys, RESAMPLES, _SEED, "bootstrap-queries")  # the stream that `evaluate` draws from


def paired_test(a: Mapping[str, float], b: Mapping[str, float], names: tuple[str, str, str]) -> Comparison:
    """Test the mean difference of two systems over the queries that both have.

    Args:
        a: per-query mean over seeds, by key.
        b: the same of the other system.
        names: metric, first system, second system.
    """
    gaps = {key: a[key] - b[key] for key in a if key in b}
    values = np.array(list(gaps.values()), np.float64)
    p, test = sign_flip_test(values, PERMUTATIONS, _SEED)
    metric, first, second = names
    return Comparison(
        metric=metric,
        a=first,
        b=second,
        difference=float(values.mean()),
        ci=mean_interval(gaps, 0.95)[0],
        p_value=p,
        p_holm=p,
        n=len(values),
        test=f"{test}, per-query means over seeds",
        effect_size=cohen_dz(values),
    )
