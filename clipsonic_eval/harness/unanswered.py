"""Queries that a system did not answer, counted, so that dropping the hard ones does not pay.

Silence is an answer: it is embedded and scored like any other clip. A query without a usable output (missing, not
readable, refused by an encoder) cannot be scored. The value with those queries counted is among the details of a score:
as a miss where a metric counts hits (class accuracy, retrieval), as silence in all others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from clipsonic_eval.arraytypes import FloatArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.harness.embed import Embedded, unanswered
from clipsonic_eval.metrics import ClipMetric, Inputs, Metric
from clipsonic_eval.types import WITH_UNANSWERED, Embeddings, Finding, Score

ASKED = "asked"
UNANSWERED = "unanswered"


def with_unanswered(score: Score, metric: Metric, inputs: Inputs, embedded: Embedded) -> Score:
    """Add the value with unanswered queries counted to the details of a score, so that dropping hard ones does not pay.

    Silence is an answer. A query without a usable output counts as a miss where a metric counts hits (class accuracy,
    retrieval), and as silence elsewhere.
    """
    keys, n_asked = unanswered(embedded.plan, embedded.sets[score.system])
    details = {**score.details, ASKED: float(n_asked), UNANSWERED: float(len(keys))}
    value: float | None = None
    if isinstance(metric, ClipMetric) and metric.proportion:
        value = score.value * score.n / (score.n + len(keys))
    else:
        rows = embedded.silence[score.system].get(metric.card.role)
        value = None if rows is None else _value_with(metric, inputs, keys, rows.vectors)
    return dataclasses.replace(score, details=details if value is None else {**details, WITH_UNANSWERED: value})


def _value_with(metric: Metric, inputs: Inputs, keys: tuple[str, ...], rows: FloatArray) -> float | None:
    """Return the value with the rows (r, d) of a silent clip under each of the keys; None where it is not defined."""
    own = inputs.system
    vectors = np.concatenate([own.vectors, *[rows] * len(keys)])
    filled = Embeddings(vectors, (*own.keys, *(key for key in keys for _ in rows)), own.modality, own.space)
    try:
        return metric.value(dataclasses.replace(inputs, system=filled))
    except ShapeError:  # an embedding without direction, for metrics of cosines
        return None


def unanswered_finding(embedded: Embedded, system: str, scores: Sequence[Score]) -> Finding:
    """Return how many queries a system left unanswered, and its scores with those counted."""
    keys, n_asked = unanswered(embedded.plan, embedded.sets[system])
    counted = [s for s in scores if s.system == system and WITH_UNANSWERED in s.details]
    values = ", ".join(f"{s.metric} {s.details[WITH_UNANSWERED]:.4g} instead of {s.value:.4g}" for s in counted)
    sentence = f"{len(keys)} of {n_asked} queries unanswered, the scores are over the others"
    return Finding(UNANSWERED, "warning", keys, sentence + (f"; with those counted {values}" if values else ""))
