"""What a metric is called in tables, figures and sentences, and how many decimals its values have.

Everything comes from the metric's card. A convention (``fad/fadtk``) goes by its own name, and so does a metric of a
package that is not installed here.
"""

from __future__ import annotations

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.metrics import METRICS, MetricCard
from clipsonic_eval.types import Score, arrow

_DECIMALS = 3  # where no card says otherwise
_GAP = {  # statistics of the modality gap, which have no cards
    "centroid_distance": "Centroid distance",
    "matched_cosine": "Matched cosine",
    "matched_cosine_centred": "Matched cosine, centred",
}


def title(metric: str) -> str:
    """Return the heading of a metric."""
    card = _card(metric)
    return _GAP.get(metric, metric.replace("_", " ")) if card is None or "/" in metric else card.title


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


def _card(metric: str) -> MetricCard | None:
    """Return the card of a metric, or of the one that a convention computes; None where nobody here knows it."""
    name = CONVENTIONS[metric].metric if metric in CONVENTIONS else metric.partition("/")[0]
    return METRICS[name].card if name in METRICS else None
