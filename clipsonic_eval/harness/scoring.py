"""From embeddings to scores: value, interval, signature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clipsonic_eval import signature
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import ClipInfluence, ClipMetric, Inputs, Metric, SetMetric
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.types import Score, Skip

_NORMAL = 1.959964  # its 97.5 % point


@dataclass(frozen=True, slots=True)
class Scoring:
    """What all scores of a record share.

    Attributes:
        seed: of the bootstrap.
        n_boot: resamples.
        identity: by metric, signature fields that say what was scored against.
        unscored: by system, why a metric gave no score; filled while scoring.
    """

    seed: int
    n_boot: int
    identity: Mapping[str, Sequence[tuple[str, str]]]
    unscored: dict[str, list[str]] = field(default_factory=dict)

    def note_unscored(self, metric: str, system: str, why: str) -> None:
        """Note why a metric gave a system no score."""
        self.unscored.setdefault(system, []).append(f"{metric} not computed: {why}")


@dataclass(frozen=True, slots=True)
class SetScores:
    """Scores of a set metric with the resamples they share, by system; paired tests use them again."""

    scores: Mapping[str, Score]
    replicates: Mapping[str, Float64]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a metric and its statistics gave."""

    value: float
    interval: tuple[float, float] | None
    method: str
    per_clip: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)
    influence: ClipInfluence = field(default_factory=lambda: ClipInfluence({}, {}))


def score_clips(metric: ClipMetric, inputs: Mapping[str, Inputs], scoring: Scoring) -> dict[str, Score]:
    """Score systems by a mean over clips; one with too few clips gets no score."""
    scores = {}
    for name, one in inputs.items():
        try:
            values = metric.per_clip(one)
        except ShapeError as error:
            scoring.note_unscored(metric.card.name, name, str(error))
            continue
        if len(values) < metric.card.min_n:
            scoring.note_unscored(metric.card.name, name, _too_few(metric, len(values)))
            continue
        keys = sorted(values)
        array = np.array([values[k] for k in keys])
        _refuse_bad(metric, name, keys, array)
        interval, method = _mean_interval(metric, keys, array, scoring)
        found = _Found(float(array.mean()), interval, method, {k: values[k] for k in keys})
        scores[name] = _score(metric, name, one, found, scoring)
    return scores


def _refuse_bad(metric: ClipMetric, system: str, keys: Sequence[str], values: Float64) -> None:
    """Refuse values that are not finite.

    Raises:
        ShapeError: one is not.
    """
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        key, value = keys[bad[0]], values[bad[0]]
        raise ShapeError(
            f"{metric.card.name} of '{key}' of {system} is {value} (so are {len(bad) - 1} more); leave the file out, "
            "or fix the encoder that gave its embedding"
        )


def _mean_interval(
    metric: ClipMetric, keys: Sequence[str], values: Float64, scoring: Scoring
) -> tuple[tuple[float, float] | None, str]:
    if metric.proportion:
        return bootstrap.wilson_interval(float(values.mean()), len(values)), "wilson"
    if len(values) < 2:
        return None, "none: one clip"
    counts = bootstrap.resample_counts(keys, scoring.n_boot, scoring.seed, "bootstrap-queries")
    return bootstrap.mean_interval(values, counts)


def score_sets(metric: SetMetric, inputs: Mapping[str, Inputs], scoring: Scoring) -> SetScores:
    """Score systems by a statistic of their sets; one with too few clips gets no score."""
    values = {}
    for name, one in inputs.items():
        try:
            n = len(set(one.system.keys))
            if n < metric.card.min_n:
                raise ShapeError(_too_few(metric, n))
            values[name] = metric.value(one)
        except ShapeError as error:  # one set that a metric is not defined for does not take the others along
            scoring.note_unscored(metric.card.name, name, str(error))
    usable = {name: inputs[name] for name in values}
    if not usable:
        return SetScores({}, {})
    drawn = metric.replicates(list(usable.values()), scoring.n_boot, scoring.seed)
    scores, replicates = {}, {}
    for (name, one), row in zip(usable.items(), drawn, strict=True):
        value = values[name]
        low, high = bootstrap.centred_interval(value, row)
        bias = bootstrap.bootstrap_bias(value, row)
        details = {"debiased": value - bias, "debiased_low": low - bias, "debiased_high": high - bias}
        if metric.details is not None:
            details |= metric.details(one)
        method = f"{metric.method}-{scoring.n_boot}"
        if one.reference_moments is not None:
            method += "-given-reference"  # its own uncertainty is not known and not in the interval
        if one.reference is not None:
            details["n_reference"] = float(len(set(one.reference.keys)))
        if metric.proportion:
            low, high, method = *_of_proportion(value, low, high, one), f"{method}-wilson"
        within = max(metric.lowest, low), min(metric.highest, high)
        moves = metric.influence(one) if metric.influence else ClipInfluence({}, {})
        found = _Found(value, within, method, {}, details, moves)
        scores[name] = _score(metric, name, one, found, scoring)
        replicates[name] = row
    return SetScores(scores, replicates)


def _too_few(metric: Metric, n: int) -> str:
    least = metric.card.min_n
    return f"it needs at least {least} {'clip' if least == 1 else 'clips'} that can be scored, and there are {n}"


def _of_proportion(value: float, low: float, high: float, inputs: Inputs) -> tuple[float, float]:
    """Return Wilson's interval with as many clips as would scatter as the resamples do, at most those of a set.

    It leans away from 0 and 1 as the share's distribution does, and has some width where all clips agree.
    """
    sets = [inputs.system] if inputs.reference is None else [inputs.system, inputs.reference]
    clips = float(min(len(set(s.keys)) for s in sets))
    error = (high - low) / (2 * _NORMAL)
    effective = value * (1 - value) / error**2 if error > 0 else clips
    return bootstrap.wilson_interval(value, min(effective, clips) if effective > 0 else clips)


def _short_clips(metric: Metric, inputs: Inputs) -> tuple[Skip, ...]:
    """Return the clips that have fewer rows than the metric needs."""
    least = metric.card.min_rows
    rows = Counter(inputs.system.keys)
    reason = f"{metric.card.name} needs at least {least} embedding rows per clip; the clip is too short for the encoder"
    return tuple(Skip(key, reason) for key in sorted(rows) if rows[key] < least)


def _score(metric: Metric, system: str, inputs: Inputs, found: _Found, scoring: Scoring) -> Score:
    card = metric.card
    scored = set(found.per_clip) if found.per_clip else set(inputs.system.keys)
    n = len(scored)
    return Score(
        metric=card.name,
        system=system,
        value=found.value,
        ci=found.interval,
        ci_method=found.method,
        n=n,
        n_rows=sum(key in scored for key in inputs.system.keys),
        unit=card.unit,
        higher_is_better=card.higher_is_better,
        signature=signature.build(
            card.name, inputs.system.space, card.signature, scoring.identity[card.name], n, num=card.num
        ),
        seed=scoring.seed,
        skipped=_short_clips(metric, inputs),
        per_clip=found.per_clip,
        influence=found.influence.system,
        reference_influence=found.influence.reference,
        details=found.details,
    )
