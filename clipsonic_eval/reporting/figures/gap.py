"""The modality gap before and after the prior: centroid distances, cosines, and projected embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.results import DISTANCE, TEXT
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.formats import number, percent
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.gap import CENTRED, RAW, SHIFTED, conditions, from_simple_to_variants
from clipsonic_eval.reporting.tables import span
from clipsonic_eval.types import Score

_COLOURS = {"image": "#0072B2", TEXT: "#D55E00"}
_MAX_POINTS = 400  # of each set of embeddings
_WIDTH = 0.72  # of all bars of a condition together
_PANELS = {"Centroid distance to image": (DISTANCE,), "Cosine to true image": (RAW, CENTRED)}


def draw(gap: RunRecord, catalogue: Catalogue, points: Mapping[str, Float32] | None) -> tuple[Figure, str]:
    """Return the figure and its caption.

    Args:
        gap: statistics of the main CLIP variant.
        catalogue: names and colours.
        points: projected embeddings by name (image, text, priors), (n, 2) each; None where there are none.
    """
    scored = {s.metric for s in gap.scores}
    bars = {title: [m for m in metrics if m in scored] for title, metrics in _PANELS.items()}
    bars = {title: metrics for title, metrics in bars.items() if metrics}
    widths = [1.0] * len(bars) + ([1.25] if points else [])
    figure = style.figure(2 if len(widths) > 1 else 1, 2.35)
    axes = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for axis, (title, metrics) in zip(axes, bars.items(), strict=False):
        _bars(axis, gap, catalogue, metrics)
        axis.set_title(title)
    if points:
        _embeddings(axes[-1], points, catalogue)
    return figure, _caption(gap, points)


def _colour(name: str, catalogue: Catalogue) -> str:
    return _COLOURS.get(name) or catalogue.style(name).colour


def _label(name: str, catalogue: Catalogue) -> str:
    return catalogue.text_label if name == TEXT else name


def _bars(axis: Any, gap: RunRecord, catalogue: Catalogue, metrics: list[str]) -> None:
    """Draw a group of bars per condition, a bar per metric."""
    shown = [c for c in conditions(gap, catalogue) if any(gap.score(m, c) for m in metrics)]
    width = _WIDTH / len(metrics)
    for j, metric in enumerate(metrics):
        for i, condition in enumerate(shown):
            score = gap.score(metric, condition)
            if score is None:
                continue
            place = i + (j - (len(metrics) - 1) / 2) * width
            pale = {"alpha": 0.45} if metric == CENTRED else {}
            axis.bar(place, score.value, width * 0.92, color=_colour(condition, catalogue), **pale)
            _mark(axis, score, place, nudge=2.0 * (2 * j - 1) if len(metrics) > 1 else 0.0, crowd=len(shown))
    labels = [_label(c, catalogue) for c in shown]
    axis.set_xticks(range(len(shown)), labels, rotation=25, ha="right", rotation_mode="anchor")
    axis.tick_params(axis="x", length=0)
    axis.margins(y=0.12)
    axis.axhline(0, color="black", linewidth=0.6)
    if len(metrics) > 1:
        _explain_shades(axis)


def _mark(axis: Any, score: Score, place: float, *, nudge: float, crowd: int) -> None:
    """Draw the interval of a bar and write its value at the end; ``nudge`` is in points, where bars are crowded."""
    low, high = score.ci or (score.value, score.value)
    if score.ci is not None:
        axis.plot((place, place), score.ci, color="black", linewidth=0.8)
    edge, side = (high, "bottom") if score.value >= 0 else (low, "top")
    axis.annotate(
        number(score.value, 2), (place, edge), (nudge if crowd > 4 else 0.0, 1.5 if side == "bottom" else -1.5),
        textcoords="offset points", ha="center", va=side, fontsize=6 if crowd < 5 else 5.2,
    )  # fmt: skip


def _explain_shades(axis: Any) -> None:
    axis.text(0.98, 0.99, "full: raw\npale: centred", transform=axis.transAxes, ha="right", va="top", fontsize=6.5)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.16 * (high - low))


def _embeddings(axis: Any, points: Mapping[str, Float32], catalogue: Catalogue) -> None:
    """Draw projected embeddings of image, text and one prior, with their centroids as large marks."""
    shown = [n for n in ("image", TEXT) if n in points]
    shown += from_simple_to_variants(set(points) - {*shown, SHIFTED}, catalogue)[:1]
    for name, marker in zip(shown, "o^sD", strict=False):
        cloud = points[name]
        some = cloud[np.linspace(0, len(cloud) - 1, min(len(cloud), _MAX_POINTS)).astype(int)]
        look = {"color": _colour(name, catalogue), "label": _label(name, catalogue)}
        axis.plot(*some.T, marker, markersize=2, alpha=0.45, markeredgewidth=0, **look)
    for name, marker in zip(shown, "o^sD", strict=False):
        centroid = points[name].mean(axis=0)
        large = {"markersize": 7, "markeredgecolor": "white", "markeredgewidth": 1.0}
        axis.plot(*centroid, marker, color=_colour(name, catalogue), **large)
    axis.set(xticks=[], yticks=[], xlabel="first principal component", ylabel="second")
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_title("Embeddings (PCA)")
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12)}
    axis.legend(**below, ncols=3, markerscale=2, handletextpad=0.1, columnspacing=1)


def _caption(gap: RunRecord, points: Mapping[str, Float32] | None) -> str:
    text = (
        "The modality gap before (text) and after mean-shift and the prior, against the true image embeddings of the "
        f"same clips (n = {span(s.n for s in gap.scores)}; error bars: {percent(gap.scores[0].ci_level)} interval)."
    )
    if points:
        text += " Right: embeddings on their first two principal components; large marks: centroids."
    return text
