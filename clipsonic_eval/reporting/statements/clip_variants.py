"""When does the prior help? The sweep over CLIP variants in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from clipsonic_eval.analysis import names
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements.wording import listed, p_text, plural
from clipsonic_eval.reporting.sweep import Point


def read(results: Results) -> list[str]:
    """Return, by metric, on which CLIP variants PD beats ZS and mean-shift, and how that goes with the gap."""
    points = results.points
    if len(points) < 2:
        return []
    lines = [
        f"The sweep has {len(points)} CLIP variants with centroid distances from {points[0].gap:.2f} to "
        f"{points[-1].gap:.2f}; p-values are Holm-corrected within each CLIP variant."
    ]
    for metric in names.ordered_metrics(p.metric for point in points for p in point.pairs):
        for a, b in (("PD", "ZS"), ("PD", "mean-shift")):
            lines += _question(points, metric, a, b)
    lines.append(
        "The CLIP variants differ in more than their gap (training, width, how well the picture is read), so this is "
        "an association over a few points and no proof of a cause."
    )
    return lines


def _question(points: Sequence[Point], metric: names.MetricName, a: str, b: str) -> list[str]:
    found = [(p.gap, pair) for p in points if (pair := p.pair(metric.name, a, b)) is not None]
    if len(found) < 2:
        return []
    parts = []
    for text, chosen in (
        (f"{a} is better than {b}", [gap for gap, p in found if p.separated and p.a_better]),
        ("the two are not separated", [gap for gap, p in found if not p.separated]),
        (f"{b} is better than {a}", [gap for gap, p in found if p.separated and not p.a_better]),
    ):
        if chosen:
            where = listed([f"{gap:.2f}" for gap in chosen])
            parts.append(f"{text} on {plural(len(chosen), 'CLIP variant')} (gap {where})")
    return [f"{metric.title}: {listed(parts)}.{_trend(found, a, b)}"]


def _trend(found: Sequence[tuple[float, Comparison]], a: str, b: str) -> str:
    if len(found) < 4:
        return ""
    rho, p = rank_correlation([gap for gap, _ in found], [pair.gain for _, pair in found])
    return f" The gain of {a} over {b} and the gap have a rank correlation of {rho:+.2f} ({p_text(p)})."


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return Spearman's rank correlation and its two-sided p-value.

    Exact by all permutations up to 8 points, by Student's t beyond.
    """
    from scipy.stats import rankdata, spearmanr

    ranks = [rankdata(v) - (len(x) + 1) / 2 for v in (x, y)]
    scale = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    if scale == 0:
        return 0.0, 1.0
    rho = float(ranks[0] @ ranks[1]) / scale
    if len(x) > 8:
        return rho, float(spearmanr(x, y).pvalue)
    every = np.array(list(permutations(ranks[1]))) @ ranks[0] / scale
    return rho, float(np.mean(np.abs(every) >= abs(rho) - 1e-12))
