"""Headings and decimals of metrics in tables, figures and sentences.

Both come from the metric's card. A convention (``fad/fadtk``) goes by its own name, and so does a metric of a package
that is not installed here.
"""

from __future__ import annotations

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.formats import arrow
from clipsonic_eval.metrics import METRICS, MetricCard
from clipsonic_eval.types import Score

_DECIMALS = 3  # where no card says otherwise


def title(metric: str) -> str:
    """Return the heading of a metric."""
    card = _card(metric)
    return metric.replace("_", " ") if card is None or metric != card.name else card.title


def in_text(metric: str) -> str:
    """Return the title within a sentence: acronyms keep their capitals."""
    name = title(metric)
    return name if name[:2].isupper() else name[:1].lower() + name[1:]


def decimals(metric: str) -> int:
    """Return how many decimals a metric's values have in tables and sentences."""
    card = _card(metric)
    return _DECIMALS if card is None else card.decimals


def heading(score: Score) -> str:
    """Return the heading of a column of such scores: the title, and an arrow in the better direction."""
    return f"{title(score.metric)} {arrow(score.higher_is_better)}"


def biased_in_n(metric: str) -> bool:
    """Return whether the expectation of a metric depends on n, so that its values compare at equal n only.

    A metric that is not known here counts as unbiased.
    """
    card = _card(metric)
    return card is not None and card.biased_in_n


def _card(metric: str) -> MetricCard | None:
    """Return the card of a metric, or of the one that a convention, a step to one, or the two halves compute."""
    name = metric
    if metric in CONVENTIONS:
        name = CONVENTIONS[metric].metric
    elif metric not in METRICS:
        name = metric.partition("/")[0].removesuffix("_halves")
    return METRICS[name].card if name in METRICS else None
