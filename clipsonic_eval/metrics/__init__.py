"""Metrics: pure functions on embeddings. Files are families of metrics; the folder is scanned.

The types are in :mod:`clipsonic_eval.metrics._base`. The modality-gap statistics are a library of their own,
:mod:`clipsonic_eval.metrics.gap`.
"""

from __future__ import annotations

from clipsonic_eval.metrics._base import (
    METRICS,
    ClipInfluence,
    ClipMetric,
    Estimate,
    Inputs,
    Metric,
    MetricCard,
    Need,
    SetMetric,
    metric,
)

__all__ = [
    "METRICS",
    "ClipInfluence",
    "ClipMetric",
    "Estimate",
    "Inputs",
    "Metric",
    "MetricCard",
    "Need",
    "SetMetric",
    "metric",
]
