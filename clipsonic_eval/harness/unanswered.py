"""Queries that a system did not answer, so that leaving out the hard ones does not pay.

Silence is an answer: it is embedded and scored like any other clip. A query without a usable output (missing, not
readable, refused by an encoder) cannot be scored. What the numbers are with those queries counted is computed beside
them: as a miss where a metric counts hits (class accuracy, retrieval), as silence in all others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.harness.embed import EmbeddedSet
from clipsonic_eval.metrics import ClipMetric, Inputs, Metric
from clipsonic_eval.types import WITH_UNANSWERED, Clip, Embeddings, Finding, Score

ASKED = "asked"
UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What one system left open.

    Attributes:
        asked: queries.
        keys: of those without a usable output, sorted.
        silence: by role, the rows of a silent clip as long as the system's own; roles that refuse silence are missing.
    """

    asked: int
    keys: tuple[str, ...]
    silence: Mapping[str, Float32]


def find(embedded: EmbeddedSet, asked: Collection[str], encoders: Mapping[str, Encoder]) -> Unanswered | None:
    """Return what a system left open, None if it answered everything.

    Args:
        embedded: the usable outputs.
        asked: keys of the queries; empty: nobody says them, so the system's own files are what was asked.
        encoders: by role.
    """
    wanted = set(asked) or {item.key for item in embedded.audio.items}
    keys = tuple(sorted(wanted - set(embedded.digests)))
    if not keys:
        return None
    item = next(item for item in embedded.audio.items if item.key in embedded.digests)
    try:
        clip = item.clip()
    except UserError:  # gone since it was embedded
        return Unanswered(len(wanted), keys, {})
    silent = Clip("silence", np.zeros_like(clip.samples), clip.sample_rate)
    silence = {}
    for role, encoder in encoders.items():
        try:
            rows = encoder.audio([silent])
        except UserError:
            continue
        if len(rows) and np.isfinite(rows).all():
            silence[role] = rows
    return Unanswered(len(wanted), keys, silence)


def scored_both_ways(score: Score, metric: Metric, inputs: Inputs, open_: Unanswered) -> Score:
    """Return the score with what it is when the open queries are counted, among its details."""
    details = {**score.details, ASKED: float(open_.asked), UNANSWERED: float(len(open_.keys))}
    hits = isinstance(metric, ClipMetric) and metric.proportion
    value = score.value * score.n / (score.n + len(open_.keys)) if hits else _with_silence(metric, inputs, open_)
    if value is not None:
        details[WITH_UNANSWERED] = value
    return dataclasses.replace(score, details=details)


def _with_silence(metric: Metric, inputs: Inputs, open_: Unanswered) -> float | None:
    rows = open_.silence.get(metric.card.role)
    if rows is None:
        return None
    own = inputs.system
    keys = (*own.keys, *(key for key in open_.keys for _ in range(len(rows))))
    vectors = np.concatenate([own.vectors, *[rows] * len(open_.keys)])
    filled = dataclasses.replace(inputs, system=Embeddings(vectors, keys, own.modality, own.space))
    try:
        if isinstance(metric, ClipMetric):
            return float(np.mean(list(metric.per_clip(filled).values())))
        return metric.value(filled)
    except ShapeError:  # an embedding without direction, for metrics of cosines
        return None


def finding(open_: Unanswered, scores: Collection[Score]) -> Finding:
    """Say how many queries a system left open, and what its scores are when those are counted."""
    told = [
        f"{s.metric} {s.details[WITH_UNANSWERED]:.4g} instead of {s.value:.4g}"
        for s in scores
        if WITH_UNANSWERED in s.details
    ]
    instead = f"; with those counted {', '.join(told)}" if told else ""
    sentence = f"{len(open_.keys)} of {open_.asked} queries unanswered, the scores are over the others{instead}"
    return Finding(UNANSWERED, "warning", open_.keys, sentence)
