"""From inputs to a :class:`~clipsonic_eval.types.Score`: value, interval, n, signature. The only place that makes one.

:func:`score_systems` scores several systems by one metric, which share their resamples; :func:`score` is what the
function of each metric calls, with arrays or embeddings of one system.
"""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clipsonic_eval import signature
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import (
    ClipInfluence,
    ClipMetric,
    Estimate,
    Inputs,
    Interval,
    Metric,
    MetricCard,
    PairMetric,
    SetMetric,
    check_draws,
)
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.types import Embeddings, Modality, Score, Skip, as_embeddings

Vectors = Embeddings | ArrayLike
Labels = Mapping[str, str] | Sequence[str | int]
Identity = Sequence[tuple[str, str]]

SYSTEM = "system"
_NORMAL = 1.959964  # 97.5 % point of the normal distribution


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of several systems by one metric.

    Attributes:
        scores: by system.
        replicates: by system, the statistic in the shared resamples, (n_boot,); empty for means over clips.
        unscored: by system, why there is no score.
    """

    scores: Mapping[str, Score]
    replicates: Mapping[str, Float64] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)


# --- one Score


def make(
    card: MetricCard, system: str, embeddings: Embeddings, found: Estimate, *, seed: int, identity: Identity = ()
) -> Score:
    """Make a score.

    Args:
        card: of the metric.
        system: name of what was scored.
        embeddings: of the system, (rows, d).
        found: value and interval; a mean over clips brings the clips that were scored.
        seed: of the resamples.
        identity: signature fields that say what was scored against, e.g. ``("ref", "5e6f7a8b")``.
    """
    scored = set(found.per_clip) if found.per_clip else set(embeddings.keys)
    return Score(
        metric=card.name,
        system=system,
        value=found.value,
        ci=found.ci,
        ci_method=found.ci_method,
        n=len(scored),
        n_rows=sum(key in scored for key in embeddings.keys),
        unit=card.unit,
        higher_is_better=card.higher_is_better,
        signature=signature.build(card.name, embeddings.space, card.signature, identity, len(scored), num=card.num),
        seed=seed,
        skipped=_short_clips(card, embeddings),
        per_clip=found.per_clip,
        influence=found.influence.system,
        reference_influence=found.influence.reference,
        details=found.details,
    )


def _short_clips(card: MetricCard, embeddings: Embeddings) -> tuple[Skip, ...]:
    """Return the clips that have fewer rows than the metric needs."""
    rows = Counter(embeddings.keys)
    reason = (
        f"{card.name} needs at least {card.min_rows} embedding rows per clip; the clip is too short for the encoder"
    )
    return tuple(Skip(key, reason) for key in sorted(rows) if rows[key] < card.min_rows)


def _too_few(card: MetricCard, n: int) -> str:
    clips = "clip" if card.min_n == 1 else "clips"
    return f"it needs at least {card.min_n} {clips} that can be scored, and there are {n}"


# --- several systems by one metric


def score_systems(
    metric: ClipMetric | SetMetric, inputs: Mapping[str, Inputs], *, n_boot: int, seed: int, identity: Identity = ()
) -> Scored:
    """Score systems by one metric; a system that the metric is not defined for does not stop the others.

    Args:
        metric: mean over clips, or statistic of sets.
        inputs: by system, with one and the same reference.
        n_boot: number of resamples; 0: no intervals.
        seed: of the resamples.
        identity: signature fields that say what was scored against.

    Raises:
        ShapeError: the value of a clip is not finite.
    """
    if isinstance(metric, ClipMetric):
        return _score_clips(metric, inputs, n_boot, seed, identity)
    return _score_sets(metric, inputs, n_boot, seed, identity)


def _score_clips(
    metric: ClipMetric, inputs: Mapping[str, Inputs], n_boot: int, seed: int, identity: Identity
) -> Scored:
    scores, unscored = {}, {}
    for name, one in inputs.items():
        try:
            values = metric.per_clip(one)
            if len(values) < metric.card.min_n:
                raise ShapeError(_too_few(metric.card, len(values)))
        except ShapeError as error:
            unscored[name] = str(error)
            continue
        keys = sorted(values)
        array = np.array([values[key] for key in keys])
        _refuse_not_finite(metric.card, name, keys, array)
        interval, method = _mean_interval(metric, keys, array, n_boot, seed)
        more = metric.details(one, values) if metric.details is not None else {}
        found = Estimate(float(array.mean()), interval, method, {key: values[key] for key in keys}, more)
        scores[name] = make(metric.card, name, one.system, found, seed=seed, identity=identity)
    return Scored(scores, {}, unscored)


def _refuse_not_finite(card: MetricCard, system: str, keys: Sequence[str], values: Float64) -> None:
    """Refuse values that are not finite.

    Raises:
        ShapeError: one is not.
    """
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        key, value = keys[bad[0]], values[bad[0]]
        raise ShapeError(
            f"{card.name} of '{key}' of {system} is {value} (so are {len(bad) - 1} more); leave the file out, "
            "or fix the encoder that gave its embedding"
        )


def _mean_interval(
    metric: ClipMetric, keys: Sequence[str], values: Float64, n_boot: int, seed: int
) -> tuple[Interval | None, str]:
    if metric.proportion:
        return bootstrap.wilson_interval(float(values.mean()), len(values)), "wilson"
    if len(values) < 2:
        return None, "none: one clip"
    if not n_boot:
        return None, "none"
    return bootstrap.mean_interval(values, bootstrap.resample_counts(keys, n_boot, seed, "bootstrap-queries"))


def _score_sets(metric: SetMetric, inputs: Mapping[str, Inputs], n_boot: int, seed: int, identity: Identity) -> Scored:
    values, unscored = {}, {}
    for name, one in inputs.items():
        try:
            n = len(set(one.system.keys))
            if n < metric.card.min_n:
                raise ShapeError(_too_few(metric.card, n))
            values[name] = metric.value(one)
        except ShapeError as error:
            unscored[name] = str(error)
    usable = {name: inputs[name] for name in values}
    drawn = metric.replicates(list(usable.values()), n_boot, seed) if usable and n_boot else [None] * len(usable)
    replicates = {name: row for name, row in zip(usable, drawn, strict=True) if row is not None}
    scores = {
        name: make(
            metric.card,
            name,
            one,
            _set_estimate(metric, inputs[name], values[name], replicates.get(name)),
            seed=seed,
            identity=identity,
        )
        for name, one in ((name, given.system) for name, given in usable.items())
    }
    return Scored(scores, replicates, unscored)


def _set_estimate(metric: SetMetric, inputs: Inputs, value: float, replicates: Float64 | None) -> Estimate:
    details: dict[str, float] = {}
    interval, method = None, "none"
    if replicates is not None:
        low, high = bootstrap.centred_interval(value, replicates)
        bias = bootstrap.bootstrap_bias(value, replicates)  # of the plug-in estimate, (mean T* − T) / δ²
        details = {"debiased": value - bias, "debiased_low": low - bias, "debiased_high": high - bias}
        method = f"{metric.method}-{len(replicates)}"
        if inputs.reference_moments is not None:
            method += "-given-reference"  # its own uncertainty is not known and not in the interval
        if metric.proportion:
            low, high, method = *_of_proportion(value, low, high, inputs), f"{method}-wilson"
        interval = max(metric.lowest, low), min(metric.highest, high)
    if metric.details is not None:
        details |= metric.details(inputs)
    if inputs.reference is not None:
        details["n_reference"] = float(len(set(inputs.reference.keys)))
    if metric.fits_covariance:
        details["dimensions"] = float(inputs.system.vectors.shape[1])
    influence = metric.influence(inputs) if metric.influence else ClipInfluence()
    return Estimate(value, interval, method, {}, details, influence)


def _of_proportion(value: float, low: float, high: float, inputs: Inputs) -> Interval:
    """Return Wilson's interval with as many clips as would scatter as the resamples do, at most those of a set.

    It leans away from 0 and 1 as the distribution of a proportion does, and has some width where all clips agree.
    """
    sets = [inputs.system] if inputs.reference is None else [inputs.system, inputs.reference]
    clips = float(min(len(set(s.keys)) for s in sets))
    error = (high - low) / (2 * _NORMAL)
    effective = value * (1 - value) / error**2 if error > 0 else clips  # n of a binomial with this standard error
    return bootstrap.wilson_interval(value, min(effective, clips) if effective > 0 else clips)


# --- one system, from arrays or embeddings


def score(
    metric: ClipMetric | SetMetric,
    system: Vectors,
    *,
    n_boot: int,
    seed: int,
    labels: Labels | None = None,
    **sets: Vectors | None,
) -> Score:
    """Score one system by one metric.

    Args:
        metric: mean over clips, or statistic of sets.
        system: (n, d) array, one row per clip, or embeddings of the system's clips.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.
        labels: true class per clip: names by key or, for arrays, names or column numbers in the order of the clips.
        sets: what else the metric needs, (n, d) each: ``reference``, other clips than the system's, in any number;
            ``prompts``, ``images`` and ``real``: text embeddings, embeddings of the queries' images or videos, and of
            their own audio, where an array has one row per clip of the system, in its order.

    Raises:
        ShapeError: a shape does not fit, too few clips, or numbers that are not finite.
        SpaceError: two sets come from different encoders or have different widths.
        ConfigError: too few resamples, or a seed that is no whole number.
    """
    check_draws(n_boot, seed)
    inputs = inputs_of(metric.card, system, name=SYSTEM, labels=labels, **sets)
    if isinstance(metric, SetMetric) and len(set(inputs.system.keys)) < metric.card.min_n:
        metric.value(inputs)  # raises a more specific error, where the metric has one
    found = score_systems(metric, {SYSTEM: inputs}, n_boot=n_boot, seed=seed, identity=identity_of(metric, inputs))
    if found.unscored:
        raise ShapeError(_with_name(metric.card.name, found.unscored[SYSTEM]))
    return found.scores[SYSTEM]


def inputs_of(
    card: MetricCard,
    system: Vectors,
    *,
    name: str = SYSTEM,
    reference: Vectors | None = None,
    prompts: Vectors | None = None,
    labels: Labels | None = None,
    real: Vectors | None = None,
    images: Vectors | None = None,
) -> Inputs:
    """Return the inputs of a metric, from arrays (n, d) or embeddings; see :func:`score` for the arguments.

    Raises:
        ShapeError: one is no (n, d) array of finite numbers, or has another number of clips than the system.
    """
    classes = _classes(card, system)
    scored = as_embeddings(system, name, labels=classes)
    return Inputs(
        scored,
        None if reference is None else as_embeddings(reference, "reference", labels=classes),
        None if prompts is None else _row_by_row(prompts, scored, "prompts", modality="text"),
        {} if labels is None else _labels(labels, scored),
        None if real is None else _row_by_row(real, scored, "real", labels=classes),
        images=None if images is None else _row_by_row(images, scored, "images", modality="image"),
    )


def _with_name(name: str, why: str) -> str:
    return why if name in why else f"{name}: {why}"


def _classes(card: MetricCard, system: Vectors) -> list[str]:
    """Return names for the columns of an array of class log-probabilities: their numbers."""
    if not card.role.endswith("classifier") or isinstance(system, Embeddings):
        return []
    return [str(i) for i in range(as_embeddings(system, "system").vectors.shape[1])]


def _row_by_row(
    vectors: Vectors, system: Embeddings, name: str, *, modality: Modality = "audio", labels: Sequence[str] = ()
) -> Embeddings:
    found = as_embeddings(vectors, name, modality=modality, labels=labels)
    clips, others = len(set(system.keys)), len(set(found.keys))
    if not isinstance(vectors, Embeddings) and clips != others:
        raise ShapeError(f"{name}: needs one row per clip, in the order of the clips; got {others} for {clips} clips")
    return found


def _labels(labels: Labels, system: Embeddings) -> dict[str, str]:
    if isinstance(labels, Mapping):
        return dict(labels)
    keys = list(dict.fromkeys(system.keys))
    if len(labels) != len(keys):
        raise ShapeError(
            f"labels: need one per clip, in the order of the clips; got {len(labels)} for {len(keys)} clips"
        )
    return {key: str(label) for key, label in zip(keys, labels, strict=True)}


def identity_of(metric: ClipMetric | SetMetric, inputs: Inputs) -> list[tuple[str, str]]:
    """Return the signature fields of what was scored against, by content."""
    fields: list[tuple[str, str]] = []
    for need in metric.card.needs:
        given = getattr(inputs, need)
        if isinstance(given, Embeddings):
            fields.append(("queries" if need in ("prompts", "images") else "ref", _content(given)))
        elif need == "labels":
            fields.append(("queries", hashlib.sha256(repr(sorted(inputs.labels.items())).encode()).hexdigest()[:8]))
    if "prompts" in metric.card.needs and inputs.prompts and len(set(inputs.prompts.keys)) < len(inputs.prompts):
        fields.append(("captions", "mean"))
    return fields


def _content(embeddings: Embeddings) -> str:
    digest = hashlib.sha256("\0".join(embeddings.keys).encode())
    digest.update(np.ascontiguousarray(embeddings.vectors).tobytes())
    return digest.hexdigest()[:8]


def function_of(entry: Metric | PairMetric) -> Callable[..., Score]:
    """Return the public function of a metric; a generic one for a metric that has none.

    Raises:
        TypeError: a statistic of the modality gap has none.
    """
    if entry.function is not None:
        return entry.function
    if isinstance(entry, PairMetric):
        raise TypeError(f"{entry.card.name}: register it with @metric on its function")

    positional = ["reference", "system"] if "reference" in entry.card.needs else ["system"]

    def function(*sets: Vectors, n_boot: int = 2000, seed: int = 0, **more: Any) -> Score:
        given = {**dict(zip(positional, sets, strict=False)), **more}
        return score(entry, given.pop("system"), n_boot=n_boot, seed=seed, **given)

    function.__name__ = function.__qualname__ = entry.card.name
    function.__doc__ = f"Return {entry.card.description} ({entry.card.unit}); {entry.card.source}."
    function.__signature__ = _signature([*positional, *(n for n in entry.card.needs if n not in positional)])  # type: ignore[attr-defined]
    return function


def _signature(inputs: Sequence[str]) -> inspect.Signature:
    either, named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(n, either if n in ("reference", "system") else named) for n in inputs]
    options = [inspect.Parameter(n, named, default=default) for n, default in (("n_boot", 2000), ("seed", 0))]
    return inspect.Signature([*parameters, *options])
