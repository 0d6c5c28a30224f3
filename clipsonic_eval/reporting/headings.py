"""Headings and decimals of metrics in tables, figures and sentences.

Both come from the metric's card, or from the table of quantities of bench records. A convention (``fad/fadtk``) goes by
its own name, and so does a metric of a package that is not installed here.
"""

from __future__ import annotations

from clipsonic_eval.bench.quantities import is_quantity, quantity
from clipsonic_eval.formats import arrow
from clipsonic_eval.listening.protocols import PROTOCOLS
from clipsonic_eval.metric_cards import card_of
from clipsonic_eval.types import Score

_DECIMALS = 3  # where no card says otherwise


def title(metric: str) -> str:
    """Return the heading of a metric, of a protocol of a listening test, or of a quantity of a bench record."""
    if metric in PROTOCOLS:
        return PROTOCOLS[metric].title
    card = card_of(metric)
    if card is None and is_quantity(metric):
        return quantity(metric).title
    return metric.replace("_", " ") if card is None or metric != card.name else card.title


def in_text(metric: str) -> str:
    """Return the title within a sentence: acronyms keep their capitals."""
    name = title(metric)
    return name if name[:2].isupper() else name[:1].lower() + name[1:]


def decimals(metric: str) -> int:
    """Return how many decimals a metric's values have in tables and sentences."""
    if metric in PROTOCOLS:
        return PROTOCOLS[metric].decimals
    card = card_of(metric)
    return _DECIMALS if card is None else card.decimals


def heading(score: Score) -> str:
    """Return the heading of a column of such scores: the title, and an arrow in the better direction."""
    return f"{title(score.metric)} {arrow(score.higher_is_better)}"
