"""What the condition of a system knows: class, count and size as a probe of image embeddings reads them from it.

A probe (:mod:`clipsonic_eval.stats.probes`) is fitted on frames of training videos, whose attributes are known, and
applied to what stands in the place of a query's image embedding: the embedding itself, that of the text, or what a
prior makes of it. What it reads is scored by the metrics that score the sound, so that both stand side by side: what
the generator was told, and what can be heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs
from clipsonic_eval.metrics.scoring import identity_of, score_systems
from clipsonic_eval.metrics.vectors import check_space
from clipsonic_eval.stats.probes import CONSTANT, FOLDS, PENALTIES, Reader, kernel_ridge
from clipsonic_eval.types import Embeddings, EncoderCard, Score

PROBED: Final = ("class_accuracy", "count_accuracy", "size_error")
_SURE: Final = 1e-6  # least probability


def probe_scores(
    frames: Embeddings,
    shown: Mapping[str, Mapping[str, str]],
    conditions: Mapping[str, Embeddings],
    asked: Mapping[str, Mapping[str, str]],
    *,
    n_boot: int = 2000,
    seed: int = 0,
) -> list[Score]:
    """Score what a probe of image embeddings reads from conditions.

    Args:
        frames: (n, d) image embeddings that the probe is fitted on, one row per key.
        shown: what they show: by attribute (``label``, ``count``, ``size``) a value by key, for all frames.
        conditions: by name, (m, d) in the same space; keys name the queries.
        asked: what the queries ask for, as ``shown``.
        n_boot: resamples of the queries for the interval of the size error.
        seed: of the resamples.

    Returns:
        ``class_accuracy``, ``count_accuracy`` and ``size_error``, as far as the attributes are known on both sides, of
        every condition and of ``constant``, the answer that needs no condition.

    Raises:
        SpaceError: a condition is of another space than the frames.
        ShapeError: too few frames, or one without an attribute.
    """
    for condition in conditions.values():
        check_space(condition, frames, across=True)
    metrics = [metric for name in PROBED if isinstance(metric := METRICS[name], ClipMetric)]
    metrics = [m for m in metrics if _attribute(m) in shown and _attribute(m) in asked]
    targets = [_target(frames, shown[_attribute(m)], asked[_attribute(m)].values(), m) for m in metrics]
    readers = kernel_ridge(frames.vectors.astype(np.float64), [target for target, _ in targets])
    found: list[Score] = []
    for metric, (target, labels), read in zip(metrics, targets, readers, strict=True):
        card = _card(frames, metric, labels, target.shape[1])
        inputs = _inputs(conditions, read, target.mean(axis=0), card, asked[_attribute(metric)])
        identity = identity_of(metric, next(iter(inputs.values())))
        found += score_systems(metric, inputs, n_boot=n_boot, seed=seed, identity=identity).scores.values()
    return found


def _attribute(metric: ClipMetric) -> str:
    return metric.card.attribute or "label"


def _target(
    frames: Embeddings, shown: Mapping[str, str], asked: Iterable[str], metric: ClipMetric
) -> tuple[Float64, tuple[str, ...]]:
    """Return the target of a probe, (n, classes) of 0 and 1 or (n, 1) numbers, and the names of the classes."""
    missing = [key for key in frames.keys if key not in shown]
    if missing:
        raise ShapeError(
            f"probe of {metric.card.name}: {len(missing)} of {len(frames)} frames have no {_attribute(metric)}, the "
            f"first is '{missing[0]}'; give it for all, or leave those frames out"
        )
    values = [shown[key] for key in frames.keys]
    if not metric.proportion:
        return np.array([[float(value)] for value in values]), ()
    labels = tuple(sorted({*values, *asked}))  # a class that no frame shows is never read
    return np.array([[float(value == label) for label in labels] for value in values]), labels


def _card(frames: Embeddings, metric: ClipMetric, labels: tuple[str, ...], dim: int) -> EncoderCard:
    """Return the card of the space of a probe's readings."""
    penalties = ",".join(f"{penalty:g}" for penalty in PENALTIES)
    how = f"probe:{_attribute(metric)}|kernel:gauss,median|penalty:{penalties},1-of-{FOLDS}-held-out|fit:{len(frames)}"
    return EncoderCard(
        f"probe-of-{frames.space.name}", frames.sha256, dim, frames.space.modalities, how, labels=labels,
        world=frames.space.world,
    )  # fmt: skip


def _inputs(
    conditions: Mapping[str, Embeddings], read: Reader, mean: Float64, card: EncoderCard, asked: Mapping[str, str]
) -> dict[str, Inputs]:
    """Return what the probe reads from every condition, and the constant answer (k,), as inputs of the metric."""
    readings = {name: (one.keys, read(one.vectors.astype(np.float64))) for name, one in conditions.items()}
    keys = next(iter(conditions.values())).keys
    readings[CONSTANT] = keys, np.tile(mean, (len(keys), 1))
    return {
        name: Inputs(Embeddings(_log_shares(rows) if card.labels else rows, own, "audio", card), labels=asked)
        for name, (own, rows) in readings.items()
    }


def _log_shares(readings: Float64) -> Float64:
    """Return readings of classes, (n, k) that sum to 1 but may lie outside [0, 1], as log-probabilities."""
    positive = np.maximum(readings, _SURE)
    logs: Float64 = np.log(positive / positive.sum(axis=1, keepdims=True))
    return logs
