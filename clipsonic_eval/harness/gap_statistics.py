"""Scores of the modality gap: image against text, and against everything that was put in the image's place.

For each *condition* (``text`` as it is, the output of each prior, mean-shift) against the true image embeddings of the
same keys. Three statistics say how much of the gap a condition closes, and only together do they say what it knows:

- ``gap_closed_centroid``: 1 - centroid distance / that of text. Moving the cloud as a whole gives nearly 1.
- ``gap_closed``: the same for 1 - matched cosine.
- ``gap_closed_centred``: the same for 1 - matched cosine after each side's centroid is taken out. Moving the cloud
  gives 0; only knowing more about the single picture than the text embedding says gives more. 1 is out of reach
  where a text fits many pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval import signature
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.metrics.gap import geometry, paired, recall_at_1, separability
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.types import Embeddings, Score

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all scores of a run share."""

    keys: tuple[str, ...]
    image: Embeddings
    counts: NDArray[np.uint16]
    seed: int
    origins: Mapping[str, str]

    @property
    def damped_name(self) -> str:
        return f"bootstrap-clip-damped-{len(self.counts)}"

    def score(self, metric: str, system: str, value: float, interval: tuple[Interval, str], **more: object) -> Score:
        title = _STATISTICS[metric]
        items = ("items", config_hash(list(self.keys))[:8])
        origin = [("from", self.origins[system])] if system in self.origins else []
        return Score(
            metric=metric,
            system=system,
            value=value,
            ci=interval[0],
            ci_method=interval[1],
            n=len(self.keys),
            n_rows=len(self.keys),
            unit=title.unit,
            higher_is_better=title.higher_is_better,
            signature=signature.build(
                metric, self.image.space, f"vec:l2|{title.fields}", [items, *origin], len(self.keys), num=title.num
            ),
            seed=self.seed,
            **more,  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True)
class _Statistic:
    """What a statistic is; ``num`` is its numerics version, as of a metric's card."""

    unit: str
    higher_is_better: bool
    fields: str
    num: int = 1


_WITHIN = _Statistic("cosine", True, "est:distinct-pairs")
_STATISTICS = {
    "centroid_distance": _Statistic("distance", False, "est:plug-in"),
    "centroid_distance_corrected": _Statistic("distance", False, "est:distinct-pairs"),
    "matched_cosine": _Statistic("cosine", True, "pair:key"),
    "matched_cosine_centred": _Statistic("cosine", True, "pair:key|centre:own-side"),
    "unmatched_cosine": _Statistic("cosine", True, "est:distinct-pairs"),
    "separability": _Statistic("proportion", False, "clf:ridge-lda-1e-3|split:5-fold-by-key"),
    "recall_at_1_to_image": _Statistic("proportion", True, "ties:shared"),
    "recall_at_1_from_image": _Statistic("proportion", True, "ties:shared"),
    "gap_closed_centroid": _Statistic("fraction", True, "of:centroid-distance"),
    "gap_closed": _Statistic("fraction", True, "of:1-matched-cosine"),
    "gap_closed_centred": _Statistic("fraction", True, "of:1-matched-cosine|centre:own-side"),
    **{f"{side}_{side}_cosine": _WITHIN for side in ("image", "text", "audio")},
    "within_cosine": _WITHIN,
}
_CLOSED = {
    "gap_closed_centroid": "centroid_distance",
    "gap_closed": "matched_cosine",
    "gap_closed_centred": "matched_cosine_centred",
}


@dataclass(frozen=True, slots=True)
class _Estimate:
    """A value with its resamples (damped weights) and, for a mean, its items."""

    value: float
    replicates: Float64
    items: Float64 | None = None

    @property
    def interval(self) -> Interval:
        return bootstrap.centred_interval(self.value, self.replicates)


def gap_scores(
    image: Embeddings,
    text: Embeddings,
    prior: Mapping[str, Embeddings],
    *,
    seed: int = 0,
    n_boot: int = 2000,
    cross_fitted: Collection[str] = (),
) -> list[Score]:
    """Score the gap between two modalities, and what is left of it for each prior.

    Args:
        image: one row by key, the true embeddings (for audio against text: those of the audio).
        text: one row by key.
        prior: by name (``PD``, ``mean-shift``, ...), what stands in the image's place; one row by key.
        seed: of the bootstrap.
        n_boot: resamples.
        cross_fitted: names of priors that were fitted on the other ones of these very items. Their items are not
            independent, so the corrected distance and the separability are left out: they would mislead. Signatures
            say so (``from:other-half``; ``from:given`` for all other priors).

    Returns:
        Scores whose ``system`` is the condition: ``text`` or a prior's name. The cosines within a side stand under the
        side's own name (``image``, ``text``) and a prior's own name. All are computed on the keys that all sets have.

    Raises:
        SpaceError: the sets come from different encoders.
        ShapeError: fewer than five common keys, a key twice, or a zero vector.
    """
    keys, (target, *others) = paired([image, text, *prior.values()])
    origins = {name: "other-half" if name in cross_fitted else "given" for name in prior}
    setting = _Setting(keys, image, bootstrap.resample_counts(keys, n_boot, seed, "bootstrap-gap"), seed, origins)
    conditions = dict(zip(["text", *prior], others, strict=True))
    scores = [
        _within(setting, target, f"{image.modality}_{image.modality}_cosine", image.modality),
        _within(setting, conditions["text"], f"{text.modality}_{text.modality}_cosine", "text"),
        *(_within(setting, conditions[name], "within_cosine", name) for name in prior),
    ]
    before = _estimates(setting, target, conditions["text"])
    for name, vectors in conditions.items():
        after = before if name == "text" else _estimates(setting, target, vectors)
        scores += _basic(setting, name, after)
        scores += _against(setting, target, vectors, name, independent=name not in cross_fitted)
        if name != "text":
            scores += _closed(setting, name, before, after)
    return scores


def _estimates(setting: _Setting, x: Float64, y: Float64) -> dict[str, _Estimate]:
    """Return the three measures of the gap."""
    counts = setting.counts
    matched, centred = geometry.matched_cosines(x, y), geometry.centred_cosines(x, y)
    return {
        "centroid_distance": _Estimate(
            geometry.centroid_distance(x, y), geometry.centroid_distance_replicates(x, y, counts)
        ),
        "matched_cosine": _Estimate(
            float(matched.mean()), bootstrap.damped_weights(counts) @ matched / len(matched), items=matched
        ),
        "matched_cosine_centred": _Estimate(
            float(centred.mean()), geometry.centred_cosine_replicates(x, y, counts), items=centred
        ),
    }


def _basic(setting: _Setting, name: str, measured: Mapping[str, _Estimate]) -> list[Score]:
    scores = []
    for metric, estimate in measured.items():
        interval, method = estimate.interval, setting.damped_name
        if metric == "centroid_distance":
            interval = max(0.0, interval[0]), interval[1]
        if metric == "matched_cosine" and estimate.items is not None:
            interval, method = bootstrap.mean_interval(estimate.items, setting.counts)
        items = {} if estimate.items is None else _items(setting.keys, estimate.items)
        scores.append(setting.score(metric, name, estimate.value, (interval, method), per_clip=items))
    return scores


def _within(setting: _Setting, x: Float64, metric: str, system: str) -> Score:
    value, without = geometry.within_cosine(x)
    return setting.score(metric, system, value, (bootstrap.jackknife_interval(value, without), "jackknife"))


def _against(setting: _Setting, x: Float64, y: Float64, name: str, *, independent: bool) -> list[Score]:
    scores = [
        _unmatched(setting, x, y, name),
        _proportion(setting, "recall_at_1_to_image", name, recall_at_1(y, x)),
        _proportion(setting, "recall_at_1_from_image", name, recall_at_1(x, y)),
    ]
    if independent:
        scores.append(_corrected(setting, x, y, name))
        scores.append(_proportion(setting, "separability", name, separability(x, y, setting.keys)))
    return scores


def _corrected(setting: _Setting, x: Float64, y: Float64, name: str) -> Score:
    """Estimate on the squared scale, where there is no bias, then take the root; below zero counts as 0."""
    square, without = geometry.corrected_squared_distance(x, y)
    low, high = bootstrap.jackknife_interval(square, without)
    value, *ends = (float(np.sqrt(max(0.0, v))) for v in (square, low, high))
    interval = ((ends[0], ends[1]), "jackknife-of-square")
    return setting.score("centroid_distance_corrected", name, value, interval, details={"square": square})


def _unmatched(setting: _Setting, x: Float64, y: Float64, name: str) -> Score:
    value, without = geometry.unmatched_cosine(x, y)
    return setting.score("unmatched_cosine", name, value, (bootstrap.jackknife_interval(value, without), "jackknife"))


def _proportion(setting: _Setting, metric: str, name: str, right: Float64) -> Score:
    value = float(right.mean())
    interval = bootstrap.wilson_interval(value, len(right)), "wilson"
    return setting.score(metric, name, value, interval, per_clip=_items(setting.keys, right))


def _items(keys: Sequence[str], values: Float64) -> dict[str, float]:
    return {key: float(value) for key, value in zip(keys, values, strict=True)}


def _closed(
    setting: _Setting, name: str, before: Mapping[str, _Estimate], after: Mapping[str, _Estimate]
) -> list[Score]:
    """Return what share of each measure of the gap a prior closes; text and prior share their resamples."""
    scores = []
    for metric, measure in _CLOSED.items():
        whole, rest = _openness(measure, before[measure]), _openness(measure, after[measure])
        if whole.value <= 0:
            continue  # no gap, no share of it
        least = 1e-12 * whole.value  # a resample without any gap
        closed = _Estimate(1 - rest.value / whole.value, 1 - rest.replicates / np.maximum(whole.replicates, least))
        scores.append(setting.score(metric, name, closed.value, (closed.interval, setting.damped_name)))
    return scores


def _openness(measure: str, estimate: _Estimate) -> _Estimate:
    """Return how wide the gap is: a distance as it is, a cosine taken from 1."""
    if measure == "centroid_distance":
        return estimate
    return _Estimate(1 - estimate.value, 1 - estimate.replicates)
