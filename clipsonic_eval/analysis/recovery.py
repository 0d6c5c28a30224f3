"""How much of a metric a condition recovers, beside how much of the modality gap it closes.

The same share on both axes: 0 is the text embedding as it is (zero-shot), 1 the true image embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.types import Score

CLOSED: Final = "gap_closed"  # of what the cosine to the image embedding falls short of 1
Ends = tuple[float, float]


class Recovery(NamedTuple):
    """A condition on one metric.

    Attributes:
        metric: of the sounds.
        system: whose condition closes the gap.
        closed: share of the gap that it closes.
        closed_ci: its interval.
        recovered: share of the metric's way from the text's system to the image's.
        recovered_ci: the interval of the system's own score on this scale, both ends of the way held fixed.
        by_seed: share recovered by training seed, each on the way of its own seed.
        n: clips of the score.
    """

    metric: str
    system: str
    closed: float
    closed_ci: Ends | None
    recovered: float
    recovered_ci: Ends | None
    by_seed: Mapping[str, float]
    n: int


def recoveries(results: Results) -> list[Recovery]:
    """Return every system with a share of the gap on every metric that image and text queries differ in.

    Nothing where the catalogue does not say whose condition the image and the text are, or their systems are missing.
    """
    sides = dict(results.catalogue.sides)
    if results.gap is None or not {"image", "text"} <= set(sides):
        return []
    found: list[Recovery] = []
    for metric in results.table.metric_names:
        none, whole = (results.table.score(metric, sides[side]) for side in ("text", "image"))
        if none is None or whole is None or none.value == whole.value:
            continue
        for closed in results.gap.scores:
            score = results.table.score(metric, closed.system) if closed.metric == CLOSED else None
            if score is not None and score.system not in sides.values():
                found.append(_recovery(score, closed, none, whole))
    return found


def _recovery(score: Score, closed: Score, none: Score, whole: Score) -> Recovery:
    # r = (x − x₀) / (x₁ − x₀), whichever way is better
    width = whole.value - none.value
    low, high = ((end - none.value) / width for end in score.ci) if score.ci else (None, None)
    seeds = [s for s in score.by_seed if s in none.by_seed and none.by_seed[s] != whole.by_seed.get(s, none.by_seed[s])]
    return Recovery(
        score.metric,
        score.system,
        closed.value,
        closed.ci,
        (score.value - none.value) / width,
        None if low is None or high is None else (min(low, high), max(low, high)),
        {s: (score.by_seed[s] - none.by_seed[s]) / (whole.by_seed[s] - none.by_seed[s]) for s in seeds},
        score.n,
    )
