"""How much of the modality gap does the prior close, raw and centred, and how does that compare with mean-shift?"""

from __future__ import annotations

from clipsonic_eval.report import gap as gap_
from clipsonic_eval.report.findings.wording import listed
from clipsonic_eval.report.formats import interval, number, percent
from clipsonic_eval.report.gap import Gap
from clipsonic_eval.report.results import Results

_SAME = 0.02  # cosines nearer than this are called alike where intervals are missing


def read(results: Results) -> list[str]:
    """Return the sentences on the gap of the main instrument."""
    gap = results.gap
    if gap is None:
        return []
    return [*_instrument(gap), *_distance(gap), *_cosines(gap), *_centred(gap)]


def _instrument(gap: Gap) -> list[str]:
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
        closed, after = gap.closed(condition), gap.value(gap_.DISTANCE, condition)
        if closed is None or after is None:
            continue
        if closed < 0:
            parts.append(f"{condition} widens it to {number(after, 3)}")
        else:
            parts.append(f"{condition} closes {percent(closed)} (to {number(after, 3)})")
    return [f"Of that distance, {listed(parts)}."] if parts else []


def _cosines(gap: Gap) -> list[str]:
    before = gap.value(gap_.RAW, gap_.BEFORE)
    parts = [
        f"{number(value, 3)} for {condition}"
        for condition in [*_priors(gap), gap_.SHIFTED]
        if (value := gap.value(gap_.RAW, condition)) is not None
    ]
    if before is None or not parts:
        return []
    return [f"The cosine to the true image embedding goes from {number(before, 3)} for the text to {listed(parts)}."]


def _centred(gap: Gap) -> list[str]:
    """Compare what is left without the centroids: the part of the gap that no shift can close."""
    before = gap.cells.get((gap_.CENTRED, gap_.BEFORE))
    lines = []
    for condition in _priors(gap):
        after = gap.cells.get((gap_.CENTRED, condition))
        if before is None or after is None:
            continue
        values = f"{number(before.value, 3)} for the text and {number(after.value, 3)} for {condition}"
        text = f"Centred, the cosine is {values}: "
        change = after.value - before.value
        apart = _apart(before.ci, after.ci, change)
        if change > 0 and apart:
            text += "the prior does more than move the centroid."
        elif change < 0 and apart:
            text += (
                "beyond moving the centroid the prior takes away agreement with the image (one drawn picture says more "
                "than its caption did)."
            )
        else:
            text += "beyond moving the centroid the prior changes nothing that these numbers show."
        lines.append(text)
    if lines and gap.value(gap_.CENTRED, gap_.SHIFTED) is not None:
        lines.append("Mean-shift leaves the centred cosine as it is, up to normalisation; that is its definition.")
    return lines


def _apart(a: tuple[float, float] | None, b: tuple[float, float] | None, change: float) -> bool:
    """Say whether two intervals do not overlap (a careful rule: the two are paired)."""
    if a is None or b is None:
        return abs(change) > _SAME
    return a[1] < b[0] or b[1] < a[0]
