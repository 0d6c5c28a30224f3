"""The card of a metric by any name that a score may carry."""

from __future__ import annotations

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.metrics import METRICS, MetricCard


def card_of(metric: str) -> MetricCard | None:
    """Return the card of a metric, or of the one that a convention, a step to one, or the two halves compute.

    Returns:
        None for a metric that is not known here.
    """
    name = metric
    if metric in CONVENTIONS:
        name = CONVENTIONS[metric].metric
    elif metric not in METRICS:
        name = metric.partition("/")[0].removesuffix("_halves")
    return METRICS[name].card if name in METRICS else None


def biased_in_n(metric: str) -> bool:
    """Return whether the expectation of a metric depends on n, so that its values compare at equal n only.

    A metric that is not known here counts as unbiased.
    """
    card = card_of(metric)
    return card is not None and card.biased_in_n
