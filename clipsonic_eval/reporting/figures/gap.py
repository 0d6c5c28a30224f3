"""The modality gap before and after the prior: centroid distances, cosines, and projected embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import Catalogue, SystemStyle
from clipsonic_eval.analysis.results import DISTANCE, TEXT
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.formats import percent
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.gap import CENTRED, RAW, SHIFTED, conditions, from_simple_to_variants
from clipsonic_eval.reporting.tables import span

_SIDES = {
    "image": SystemStyle("image", colour="#0072B2", marker="o"),
    TEXT: SystemStyle(TEXT, colour="#D55E00", marker="^"),
}
_MAX_POINTS = 400  # of each set of embeddings
_ROW = 0.21  # inches
_PANELS = {"centroid distance to image ↓": (DISTANCE,), "cosine to true image ↑": (RAW, CENTRED)}
_APART = 0.15  # of the marks of two metrics in a row


def draw(gap: RunRecord, catalogue: Catalogue, points: Mapping[str, Float32] | None) -> tuple[Figure, str]:
    """Return the figure and its caption.

    Args:
        gap: statistics of the main CLIP variant.
        catalogue: names and colours.
        points: projected embeddings by name (image, text, priors), (n, 2) each; None where there are none.
    """
    scored = {s.metric for s in gap.scores}
    panels = {title: [m for m in metrics if m in scored] for title, metrics in _PANELS.items()}
    panels = {title: metrics for title, metrics in panels.items() if metrics}
    rows = [c for c in conditions(gap, catalogue) if any(gap.score(m, c) for ms in panels.values() for m in ms)]
    widths = [1.0] * len(panels) + ([1.0] if points else [])
    figure = style.figure(2 if len(widths) > 1 else 1, 0.55 + _ROW * max(len(rows), 6))
    axes = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for i, (axis, (title, metrics)) in enumerate(zip(axes, panels.items(), strict=False)):
        _dots(axis, gap, catalogue, metrics, rows)
        axis.set_xlabel(title)
        axis.set_yticks(range(len(rows)), [_label(c, catalogue) for c in rows] if i == 0 else [])
    if points:
        _embeddings(axes[-1], points, catalogue)
    return figure, _caption(gap, points, hollow=any(len(metrics) > 1 for metrics in panels.values()))


def look_of(name: str, catalogue: Catalogue) -> SystemStyle:
    """Return the look of a condition; image and text look like the systems whose condition they are."""
    system = dict(catalogue.sides).get(name, name)
    known = any(entry.name == system for entry in catalogue.systems)
    return catalogue.style(system) if known or name not in _SIDES else _SIDES[name]


def _label(name: str, catalogue: Catalogue) -> str:
    return catalogue.text_label if name == TEXT else name


def _dots(axis: Any, gap: RunRecord, catalogue: Catalogue, metrics: list[str], rows: list[str]) -> None:
    """Draw a row per condition: its value with the interval, filled for the first metric and hollow for the second."""
    before = gap.score(metrics[0], TEXT)
    if before is not None:
        axis.axvline(before.value, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
    for i, condition in enumerate(rows):
        entry = look_of(condition, catalogue)
        for j, metric in enumerate(metrics):
            score = gap.score(metric, condition)
            if score is None:
                continue
            y = i + (j - (len(metrics) - 1) / 2) * 2 * _APART
            if score.ci is not None:
                axis.plot(score.ci, (y, y), color=entry.colour, linewidth=1.4, solid_capstyle="butt")
            face = "white" if metric == CENTRED else entry.colour
            axis.plot([score.value], [y], "o", color=entry.colour, markerfacecolor=face, markersize=4)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(*style.limits(0.0, axis.get_xlim()[1], margin=0.03))
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _embeddings(axis: Any, points: Mapping[str, Float32], catalogue: Catalogue) -> None:
    """Draw projected embeddings of image, text and one prior, with their centroids as large marks."""
    shown = [n for n in ("image", TEXT) if n in points]
    shown += from_simple_to_variants(set(points) - {*shown, SHIFTED}, catalogue)[:1]
    looks = {name: look_of(name, catalogue) for name in shown}
    for name, entry in looks.items():
        cloud = points[name]
        some = cloud[np.linspace(0, len(cloud) - 1, min(len(cloud), _MAX_POINTS)).astype(int)]
        look = {"color": entry.colour, "label": _label(name, catalogue)}
        axis.plot(*some.T, entry.marker, markersize=2, alpha=0.45, markeredgewidth=0, **look)
    for name, entry in looks.items():
        centroid = points[name].mean(axis=0)
        large = {"markersize": 7, "markeredgecolor": "white", "markeredgewidth": 1.0}
        axis.plot(*centroid, entry.marker, color=entry.colour, **large)
    axis.set(xticks=[], yticks=[], xlabel="first principal component", ylabel="second")
    axis.set_aspect("equal", adjustable="datalim")
    above = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.97), "borderaxespad": 0.0}
    axis.legend(**above, ncols=3, markerscale=2, handletextpad=0.0, columnspacing=0.8)


def _caption(gap: RunRecord, points: Mapping[str, Float32] | None, *, hollow: bool) -> str:
    text = (
        "The modality gap before (text, dotted) and after mean-shift and the prior, against the true image embeddings "
        f"of the same clips (n = {span(s.n for s in gap.scores)}; bars: {percent(gap.scores[0].ci_level)} interval)."
    )
    if hollow:
        text += " Filled: as they are; hollow: centred, each side's own centroid subtracted first."
    if points:
        text += " Right: embeddings on their first two principal components; large marks: centroids."
    return text
