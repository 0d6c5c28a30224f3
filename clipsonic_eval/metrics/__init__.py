"""Metrics of generated audio, each a function of arrays or embeddings that returns a score with its interval.

    >>> import numpy as np
    >>> from clipsonic_eval.metrics import fad
    >>> real = np.random.default_rng(0).standard_normal((200, 8))
    >>> fad(real, real + 0.5)
    fad of system: 2.0 [1.4, 2.6], n = 200

The functions are found by name when they are first used (``__init__.pyi`` lists ours for editors); :data:`METRICS` has
their cards and everything that the harness needs (:mod:`clipsonic_eval.metrics._base`).
Files of this package are families of metrics. A new metric is a new file, or an entry point ``clipsonic_eval.metrics``
of another package; nothing here is touched.
"""

from __future__ import annotations

from collections.abc import Callable

from clipsonic_eval.metrics._base import (
    METRICS,
    ClipInfluence,
    ClipMetric,
    Estimate,
    Inputs,
    Metric,
    MetricCard,
    Need,
    PairMetric,
    SetMetric,
    attributes,
    metric,
)
from clipsonic_eval.types import Score

__all__ = [
    "METRICS",
    "ClipInfluence",
    "ClipMetric",
    "Estimate",
    "Inputs",
    "Metric",
    "MetricCard",
    "Need",
    "PairMetric",
    "SetMetric",
    "attributes",
    "metric",
]


def __getattr__(name: str) -> Callable[..., Score]:
    """Return the function of a registered metric."""
    if name.startswith("_") or name not in METRICS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; METRICS lists the metrics")
    from clipsonic_eval.metrics.scoring import function_of

    return function_of(METRICS[name])


def __dir__() -> list[str]:
    return sorted([*__all__, *METRICS])
