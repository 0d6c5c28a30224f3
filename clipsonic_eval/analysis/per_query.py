"""Values of single queries by system, and the queries that a page shows: the worst, the median, the best, at random.

A choice by hand shows what the chooser likes. Here the queries follow from the values alone, and each says which rule
chose it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from clipsonic_eval import seeds
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.pooling import REFERENCE_METRICS
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.analysis.tags import number
from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.types import Score

GROUPS: Final = ("worst", "median", "best", "random")


class QueryValues(NamedTuple):
    """What one metric says of single queries.

    Attributes:
        metric: registry name.
        higher_is_better: its direction.
        is_influence: the values are the clips' influences on a statistic of sets (FAD), not values of their own.
        by_system: value by system and key.
    """

    metric: str
    higher_is_better: bool
    is_influence: bool
    by_system: Mapping[str, Mapping[str, float]]


class Ranking(NamedTuple):
    """Queries ordered by one number.

    Attributes:
        keys: the best first.
        metric: that orders them, None where no metric has values of single queries.
        systems: over which it is averaged.
    """

    keys: tuple[str, ...]
    metric: QueryValues | None = None
    systems: tuple[str, ...] = ()


def one_run_per_system(runs: Iterable[Run]) -> dict[str, Run]:
    """Return the run whose outputs stand for each system: of several training seeds the first one."""
    found: dict[str, Run] = {}
    for run in sorted(runs, key=lambda r: (number(r.tag("train_seed")), r.tag("train_seed"))):
        for score in run.record.scores:
            if score.metric not in REFERENCE_METRICS:
                found.setdefault(score.system, run)
    return found


def query_values(runs: Mapping[str, Run]) -> list[QueryValues]:
    """Return the metrics that have values of single queries, in the order of the runs; influences come last.

    Args:
        runs: by system, from :func:`one_run_per_system`.
    """
    values: dict[str, QueryValues] = {}
    for system, run in runs.items():
        for score in run.record.scores:
            own = score.per_clip or score.influence
            if score.system == system and own:
                known = values.setdefault(score.metric, _empty(score))
                values[score.metric] = known._replace(by_system={**known.by_system, system: own})
    return sorted(values.values(), key=lambda v: v.is_influence)


def _empty(score: Score) -> QueryValues:
    return QueryValues(score.metric, score.higher_is_better, not score.per_clip, {})


def rank(values: Sequence[QueryValues], by: str, keys: Iterable[str], catalogue: Catalogue) -> Ranking:
    """Order queries by a metric, averaged over the systems that are no controls or of one system.

    Args:
        values: from :func:`query_values`.
        by: ``METRIC`` or ``METRIC:SYSTEM``; "" takes the first metric.
        keys: of the queries that may be shown.
        catalogue: says which systems are controls.

    Returns:
        The queries that every one of these systems has a value for, the best first; equal ones by key.

    Raises:
        UserError: no such metric or system.
    """
    name, _, system = by.partition(":")
    if not values and not name:
        return Ranking(tuple(sorted(keys)))
    chosen = next((v for v in values if v.metric == name or not name), None)
    if chosen is None:
        raise unknown_name("metric with values of single queries", name, [v.metric for v in values])
    if system and system not in chosen.by_system:
        raise unknown_name(f"system with values of '{chosen.metric}'", system, chosen.by_system)
    trained = [s for s in chosen.by_system if not catalogue.is_control(s)] or list(chosen.by_system)
    over = (system,) if system else tuple(trained)
    common = set(keys).intersection(*(chosen.by_system[s] for s in over))
    if not common:
        raise UserError(
            f"no query has a value of {chosen.metric} for all of {', '.join(over)}; rank by one, METRIC:SYSTEM"
        )
    sign = -1.0 if chosen.higher_is_better else 1.0
    means = {key: sign * sum(chosen.by_system[s][key] for s in over) / len(over) for key in common}
    return Ranking(tuple(sorted(common, key=lambda key: (means[key], key))), chosen, over)


def choose(ranking: Ranking, n: int, seed: int = 0) -> dict[str, tuple[str, ...]]:
    """Choose queries: a quarter each of the worst, those around the median, the best, and drawn at random.

    The random ones are drawn from all queries, so that they stand for all; one may belong to two groups.

    Args:
        ranking: the best first.
        n: how many are shown, at most; 0: all.
        seed: of the draw.

    Returns:
        The groups of each shown query, those of :data:`GROUPS` in this order; () for those that are shown because all
        are.
    """
    keys = ranking.keys
    count = max(1, (n or min(len(keys), 20)) // len(GROUPS))
    drawn = sorted(keys, key=lambda key: seeds.derive(seed, key, "page"))[:count]
    groups: dict[str, Sequence[str]] = {"random": drawn}
    if ranking.metric is None:
        groups = {"random": sorted(keys, key=lambda key: seeds.derive(seed, key, "page"))[: n or count]}
    else:
        first = max(0, (len(keys) - count) // 2)
        groups |= {"worst": keys[::-1][:count], "median": keys[first : first + count], "best": keys[:count]}
    shown: dict[str, list[str]] = {}
    for name in GROUPS:
        for key in groups.get(name, ()):
            shown.setdefault(key, []).append(name)
    if not n:
        shown = {key: shown.get(key, []) for key in keys}
    return {key: tuple(found) for key, found in shown.items()}
