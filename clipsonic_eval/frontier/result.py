"""The frontier from records alone: which points are on it, and in how many resamples of clips and durations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.bench.quantities import by_process
from clipsonic_eval.errors import UserError
from clipsonic_eval.gate.first_order import first_order_fails
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.metric_cards import biased_in_n
from clipsonic_eval.records import RunRecord
from clipsonic_eval.signature import comparable, explain_difference
from clipsonic_eval.stats import pareto
from clipsonic_eval.types import Score, Skip

LATENCY = "latency"
BENCH = "bench"
_OF_THE_RUN = ("name", "seed", "card_hash")  # of a system's card: what another job of the same system may differ in


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """A point with quality and latency of the same weights and settings.

    Attributes:
        label: unique.
        tags: name of the system and its settings.
        scores: by metric.
        latency: of one request, median; its durations are values per clip, by process and round.
        card: of the system.
    """

    label: str
    tags: Mapping[str, str]
    scores: Mapping[str, Score]
    latency: Score
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The frontier of one metric against latency.

    Attributes:
        metric: registry name.
        points: those that compare.
        on: whether each is on the frontier as measured.
        share: of the resamples in which it is.
        latency_ci: 95 % interval of each latency over resampled processes and rounds, seconds.
        n_boot: number of resamples.
        seed: of the resamples.
        left_out: points that do not compare, with the reason.
        approximate: labels of points whose influences predict another spread than their resamples had: their shares are
            good to first order only.
    """

    metric: str
    points: tuple[FrontierPoint, ...]
    on: tuple[bool, ...]
    share: tuple[float, ...]
    latency_ci: tuple[tuple[float, float], ...]
    n_boot: int
    seed: int
    left_out: tuple[Skip, ...] = ()
    approximate: tuple[str, ...] = ()


def join(records: Iterable[RunRecord]) -> tuple[list[FrontierPoint], list[Skip]]:
    """Return the points that have both a quality and a latency, and those that have one only, with the reason.

    Raises:
        UserError: a latency is of other weights or settings than the quality of its point, or not of one machine.
    """
    evaluated: dict[str, RunRecord] = {}
    timed: dict[str, tuple[Score, RunRecord]] = {}
    for record in records:
        if record.kind == BENCH:
            timed.update({s.system: (s, record) for s in record.scores if s.metric == LATENCY})
        elif record.kind == "evaluate":
            evaluated.update(dict.fromkeys(record.system_names, record))
    found, missing = [], []
    for label, record in evaluated.items():
        if label not in timed:
            missing.append(Skip(label, "no record of its latency"))
            continue
        latency, own = timed[label]
        card = record.systems.get(label, {})
        _check_card(label, card, own.systems.get(label, {}))
        scores = {s.metric: s for s in record.scores if s.system == label}
        found.append(FrontierPoint(label, dict(record.tags), scores, latency, card))
    missing += [Skip(label, "no record of its quality") for label in timed if label not in evaluated]
    found.sort(key=lambda point: list(timed).index(point.label))  # the grid's order, wherever the records lay
    _check_alike(point.latency for point in found)
    return found, missing


def _check_card(label: str, quality: Mapping[str, Any], cost: Mapping[str, Any]) -> None:
    """Refuse a latency of other weights, settings or number format than the quality was measured with.

    Raises:
        UserError: a field that both cards have differs, or the number format is chosen by each machine.
    """
    if "auto" in (quality.get("precision"), cost.get("precision")):
        raise UserError(
            f"{label}: precision auto takes another number format on another machine, so quality and latency may not "
            "be of the same; set precision to fp32 or bf16"
        )
    for name in sorted(quality.keys() & cost.keys() - set(_OF_THE_RUN)):
        if config_hash(quality[name]) != config_hash(cost[name]):
            raise UserError(
                f"{label}: quality and latency are not of the same system, {name} is {quality[name]!r} in one and "
                f"{cost[name]!r} in the other; measure both with the same weights and settings"
            )


def _check_alike(scores: Iterable[Score]) -> None:
    """Refuse scores that were not computed in the same way.

    Raises:
        UserError: two signatures differ in more than n.
    """
    first: Score | None = None
    for score in scores:
        first = first or score
        if not comparable(first.signature, score.signature):
            raise UserError(
                f"{score.metric} of '{score.system}' and of '{first.system}' do not compare "
                f"({explain_difference(score.signature, first.signature, compared_only=True)}); measure both alike"
            )


def frontier(points: Sequence[FrontierPoint], metric: str, *, n_boot: int = 2000, seed: int = 0) -> Frontier:
    """Return which points are on the frontier of a metric against latency, and in how many resamples.

    Args:
        points: from :func:`join`.
        metric: registry name.
        n_boot: resamples of the clips and of the durations.
        seed: of the resamples.

    Raises:
        UserError: no point has the metric with values or influences of its clips, or they do not compare.
    """
    usable, left_out = _usable(points, metric)
    if not usable:
        unmeasured = "no system is both evaluated and timed in the records; give those of an earlier `frontier`"
        reasons = "; ".join(dict.fromkeys(skip.reason for skip in left_out)) or unmeasured
        raise UserError(f"{metric}: no point to draw a frontier of: {reasons}")
    scores = [point.scores[metric] for point in usable]
    _check_alike(scores)
    sign = -1.0 if scores[0].higher_is_better else 1.0
    quality = sign * _quality_replicates(scores, n_boot, seed)
    durations = [processes(point.latency) for point in usable]
    drawn = [
        pareto.latency_replicates(own, n_boot, seed, f"bootstrap-latency-{point.label}")
        for point, own in zip(usable, durations, strict=True)
    ]
    latency = np.stack(drawn, axis=1)
    measured = np.array([sign * s.value for s in scores]), np.array([p.latency.value for p in usable])
    return Frontier(
        metric=metric,
        points=tuple(usable),
        on=tuple(bool(x) for x in pareto.on_frontier(*measured)),
        share=tuple(float(x) for x in pareto.membership(quality, latency)),
        latency_ci=tuple((float(low), float(high)) for low, high in np.quantile(latency, [0.025, 0.975], axis=0).T),
        n_boot=n_boot,
        seed=seed,
        left_out=tuple(left_out),
        approximate=tuple(s.system for s in scores if s.influence and first_order_fails(s)),
    )


def _usable(points: Sequence[FrontierPoint], metric: str) -> tuple[list[FrontierPoint], list[Skip]]:
    """Return the points whose clips can be resampled and whose n compares, and the others with the reason."""
    usable, left_out = [], []
    for point in points:
        score = point.scores.get(metric)
        if score is None:
            left_out.append(Skip(point.label, f"{metric} was not computed"))
        elif not score.per_clip and not score.influence:
            left_out.append(Skip(point.label, f"its record keeps no values of clips for {metric}"))
        else:
            usable.append(point)
    if biased_in_n(metric) and usable:
        n, _ = Counter(point.scores[metric].n for point in usable).most_common(1)[0]
        other = [point for point in usable if point.scores[metric].n != n]
        left_out += [
            Skip(p.label, f"n = {p.scores[metric].n} instead of {n}, and the expectation of {metric} depends on n")
            for p in other
        ]
        usable = [point for point in usable if point not in other]
    return usable, left_out


def _quality_replicates(scores: Sequence[Score], n_boot: int, seed: int) -> Float64:
    """Return the metric of all points in the same resamples of clips, (n_boot, points) float64."""
    own = [score.influence or pareto.mean_influence(score.per_clip) for score in scores]
    reference = [score.reference_influence for score in scores] if any(s.reference_influence for s in scores) else []
    return pareto.quality_replicates([s.value for s in scores], own, n_boot, seed, reference=reference)


def processes(latency: Score) -> list[Float64]:
    """Return the raw durations of each process, (rounds,) float64 in seconds, sorted by process and round."""
    found = by_process(dict(sorted(latency.per_clip.items())))
    return [np.array(rounds, np.float64) for rounds in found.values()]
