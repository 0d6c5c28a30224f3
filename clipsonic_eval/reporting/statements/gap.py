"""How much of the modality gap does the prior close, raw and centred, and how does that compare with mean-shift?"""

from __future__ import annotations

from clipsonic_eval.formats import interval, number, percent
from clipsonic_eval.reporting import gap as gap_
from clipsonic_eval.reporting.gap import Gap
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements.wording import listed
from clipsonic_eval.types import Score


def read(results: Results) -> list[str]:
    """Return the sentences on the gap of the main CLIP variant."""
    gap = results.gap
    if gap is None:
        return []
    return [*_clip_variant(gap), *_distance(gap), *_cosines(gap), *_centred(gap)]


def _clip_variant(gap: Gap) -> list[str]:
    cell = gap.cells.get((gap_.DISTANCE, gap_.BEFORE))
    if cell is None:
        return []
    text = f"Between text and image embeddings the centroids are {number(cell.value, 3)} {interval(cell.ci, 3)}".strip()
    text += f" apart (n = {cell.n})"
    separable = gap.value("separability", gap_.BEFORE)
    if separable is not None:
        text += f"; a linear rule tells the two modalities apart in {percent(separable, 1)} of held-out cases"
    return [f"{text}."]


def _priors(gap: Gap) -> list[str]:
    return [c for c in gap.conditions if c not in (gap_.BEFORE, gap_.SHIFTED)]


def _distance(gap: Gap) -> list[str]:
    parts = []
    for condition in [*_priors(gap), gap_.SHIFTED]:
        closed, after = gap.closed(gap_.DISTANCE, condition), gap.value(gap_.DISTANCE, condition)
        if closed is None or after is None:
            continue
        if closed.value < 0:
            parts.append(f"{condition} widens it to {number(after, 3)}")
        else:
            parts.append(f"{condition} closes {percent(closed.value)} (to {number(after, 3)})")
    return [f"Of that distance, {listed(parts)}."] if parts else []


def _cosines(gap: Gap) -> list[str]:
    before = gap.value(gap_.RAW, gap_.BEFORE)
    parts = []
    for condition in [*_priors(gap), gap_.SHIFTED]:
        value, closed = gap.value(gap_.RAW, condition), gap.closed(gap_.RAW, condition)
        if value is not None:
            share = f" ({percent(closed.value)} of what lacks to 1)" if closed is not None else ""
            parts.append(f"{number(value, 3)} for {condition}{share}")
    if before is None or not parts:
        return []
    return [f"The cosine to the true image embedding goes from {number(before, 3)} for the text to {listed(parts)}."]


def _centred(gap: Gap) -> list[str]:
    """Compare what is left without the centroids: the part of the gap that no shift can close."""
    before = gap.value(gap_.CENTRED, gap_.BEFORE)
    lines = []
    for condition in _priors(gap):
        after, closed = gap.value(gap_.CENTRED, condition), gap.closed(gap_.CENTRED, condition)
        if before is None or after is None or closed is None:
            continue
        values = f"{number(before, 3)} for the text and {number(after, 3)} for {condition}"
        share = f"{percent(closed.value)} of the centred gap closed{_ends(closed)}"
        lines.append(f"Centred, the cosine is {values} ({share}): {_meaning(closed)}")
    if lines and gap.value(gap_.CENTRED, gap_.SHIFTED) is not None:
        lines.append("Mean-shift leaves the centred cosine as it is but for normalisation, by its construction.")
    return lines


def _ends(closed: Score) -> str:
    if closed.ci is None:
        return ""
    return f" [{number(100 * closed.ci[0], 0)}, {number(100 * closed.ci[1], 0)}]"


def _meaning(closed: Score) -> str:
    """Say what the interval of the centred share means; without an interval nothing is said to be shown."""
    low, high = closed.ci or (-1.0, 1.0)
    if low > 0:
        return "the prior does more than move the centroid."
    if high < 0:
        return (
            "beyond moving the centroid the prior takes agreement away (the picture that it draws for a caption says "
            "more than the caption did)."
        )
    return "beyond moving the centroid the prior is not shown to change anything."
