"""How much of the modality gap does the prior close, raw and centred, and how does that compare with mean-shift?"""

from __future__ import annotations

from clipsonic_eval.analysis.results import DISTANCE, TEXT, Results
from clipsonic_eval.formats import interval, number, percent
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.gap import CENTRED, RAW, SHIFTED, closed, priors
from clipsonic_eval.reporting.statements.wording import listed
from clipsonic_eval.types import Score


def read(results: Results) -> list[str]:
    """Return the sentences on the modality gap of the main CLIP variant."""
    gap = results.gap
    if gap is None:
        return []
    names = priors(gap, results.catalogue)
    return [*_before(gap), *_distance(gap, names), *_cosines(gap, names), *_centred(gap, names)]


def _before(gap: RunRecord) -> list[str]:
    distance, separable = gap.score(DISTANCE, TEXT), gap.score("separability", TEXT)
    if distance is None:
        return []
    shown = f"{number(distance.value, 3)} {interval(distance.ci, 3)}".strip()
    text = f"The centroids of the text and the image embeddings are {shown} apart (n = {distance.n})"
    if separable is not None:
        text += (
            f"; a linear classifier tells the two modalities apart in {percent(separable.value, 1)} of held-out cases"
        )
    return [f"{text}."]


def _distance(gap: RunRecord, names: list[str]) -> list[str]:
    parts = []
    for condition in [*names, SHIFTED]:
        share, after = closed(gap, DISTANCE, condition), gap.score(DISTANCE, condition)
        if share is None or after is None:
            continue
        left = number(after.value, 3)
        widened = f"{condition} widens it to {left}"
        parts.append(widened if share.value < 0 else f"{condition} closes {percent(share.value)} (to {left})")
    return [f"Of that distance, {listed(parts)}."] if parts else []


def _cosines(gap: RunRecord, names: list[str]) -> list[str]:
    before = gap.score(RAW, TEXT)
    parts = []
    for condition in [*names, SHIFTED]:
        after, share = gap.score(RAW, condition), closed(gap, RAW, condition)
        if after is not None:
            missing = f" ({percent(share.value)} of the difference to 1)" if share is not None else ""
            parts.append(f"{number(after.value, 3)} for {condition}{missing}")
    if before is None or not parts:
        return []
    start = number(before.value, 3)
    return [f"The cosine to the true image embedding rises from {start} for the text to {listed(parts)}."]


def _centred(gap: RunRecord, names: list[str]) -> list[str]:
    """Compare the centred cosines: the part of the gap that no shift can close."""
    before = gap.score(CENTRED, TEXT)
    lines = []
    for condition in names:
        after, share = gap.score(CENTRED, condition), closed(gap, CENTRED, condition)
        if before is None or after is None or share is None:
            continue
        values = f"{number(before.value, 3)} for the text and {number(after.value, 3)} for {condition}"
        ends = f" {interval((100 * share.ci[0], 100 * share.ci[1]), 0)}" if share.ci else ""
        part = f"{percent(share.value)} of the centred gap closed{ends}"
        lines.append(f"Centred, the cosine is {values} ({part}): {_meaning(share)}")
    if lines and gap.score(CENTRED, SHIFTED) is not None:
        lines.append("Mean-shift changes the centred cosine by its normalisation only, by construction.")
    return lines


def _meaning(share: Score) -> str:
    """Return a reading of the centred share by its interval; without an interval nothing counts as shown."""
    low, high = share.ci or (-1.0, 1.0)
    if low > 0:
        return "the prior does more than move the centroid."
    if high < 0:
        return (
            "apart from moving the centroid the prior lowers the agreement (the image embedding that it draws for a "
            "caption contains more than the caption says)."
        )
    return "apart from moving the centroid the prior is not shown to change anything."
