"""The modality gap before and after the prior: distances, cosines, and the clouds themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval.analysis import names
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.formats import number, percent
from clipsonic_eval.reporting import gap as gap_
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.gap import Gap

_IMAGE = "#0072B2"
_TEXT = "#D55E00"
_MAX_POINTS = 400  # of each cloud


def draw(gap: Gap, points: Mapping[str, Float32] | None, stem: Path) -> str:
    """Draw the figure and return its caption.

    Args:
        gap: of the main CLIP variant.
        points: 2-D coordinates by name (image, text, priors), None where there are none.
        stem: path without suffix.
    """
    panels = [gap_.DISTANCE, "cosines", *(["points"] if points else [])]
    panels = [p for p in panels if p == "points" or _has(gap, p)]
    with style.look():
        figure = style.figure(style.PAGE if len(panels) > 1 else style.COLUMN, 2.35)
        axes = figure.subplots(
            1, len(panels), squeeze=False, width_ratios=[1.25 if p == "points" else 1 for p in panels]
        )[0]
        for axis, panel in zip(axes, panels, strict=True):
            if panel == "points":
                _clouds(axis, points or {})
            else:
                _bars(axis, gap, panel)
        style.save(figure, stem)
    return _caption(gap, points)


def _has(gap: Gap, panel: str) -> bool:
    wanted = (gap_.DISTANCE,) if panel == gap_.DISTANCE else (gap_.RAW, gap_.CENTRED)
    return any(m in wanted for m, _ in gap.cells)


def _colour(name: str) -> str:
    return {"image": _IMAGE, gap_.BEFORE: _TEXT}.get(name) or names.system(name).colour


def _label(name: str) -> str:
    return "text (ZS)" if name == gap_.BEFORE else name


def _bars(axis: Any, gap: Gap, panel: str) -> None:
    metrics = [gap_.DISTANCE] if panel == gap_.DISTANCE else [m for m in (gap_.RAW, gap_.CENTRED) if _any(gap, m)]
    conditions = [c for c in gap.conditions if any((m, c) in gap.cells for m in metrics)]
    width = 0.72 / len(metrics)
    for j, metric in enumerate(metrics):
        for i, condition in enumerate(conditions):
            cell = gap.cells.get((metric, condition))
            if cell is None:
                continue
            place = i + (j - (len(metrics) - 1) / 2) * width
            pale = {"alpha": 0.45} if metric == gap_.CENTRED else {}
            axis.bar(place, cell.value, width * 0.92, color=_colour(condition), **pale)
            low, high = cell.ci or (cell.value, cell.value)
            if cell.ci is not None:
                axis.plot((place, place), cell.ci, color="black", linewidth=0.8)
            nudge = 2.0 * (2 * j - 1) if len(metrics) > 1 and len(conditions) > 4 else 0.0  # points
            edge, side = (high, "bottom") if cell.value >= 0 else (low, "top")
            axis.annotate(
                number(cell.value, 2), (place, edge), (nudge, 1.5 if side == "bottom" else -1.5),
                textcoords="offset points", ha="center", va=side, fontsize=6 if len(conditions) < 5 else 5.2,
            )  # fmt: skip
    axis.set_xticks(
        range(len(conditions)), [_label(c) for c in conditions], rotation=25, ha="right", rotation_mode="anchor"
    )
    axis.tick_params(axis="x", length=0)
    axis.margins(y=0.12)
    axis.axhline(0, color="black", linewidth=0.6)
    both = len(metrics) > 1
    axis.set_title("Centroid distance to image" if panel == gap_.DISTANCE else "Cosine to true image")
    if both:
        axis.text(0.98, 0.99, "full: raw\npale: centred", transform=axis.transAxes, ha="right", va="top", fontsize=6.5)
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.16 * (high - low))


def _any(gap: Gap, metric: str) -> bool:
    return any(m == metric for m, _ in gap.cells)


def _clouds(axis: Any, points: Mapping[str, Float32]) -> None:
    shown = [n for n in ("image", gap_.BEFORE) if n in points]
    rest = [s.name for s in reversed(names.ordered(set(points) - {*shown, gap_.SHIFTED}))]  # PD before its variants
    shown += rest[:1]
    for name, marker in zip(shown, "o^sD", strict=False):
        cloud = points[name]
        some = cloud[np.linspace(0, len(cloud) - 1, min(len(cloud), _MAX_POINTS)).astype(int)]
        colour = _colour(name)
        axis.plot(*some.T, marker, color=colour, markersize=2, alpha=0.45, markeredgewidth=0, label=_label(name))
    for name, marker in zip(shown, "o^sD", strict=False):
        centre = points[name].mean(axis=0)
        axis.plot(*centre, marker, color=_colour(name), markersize=7, markeredgecolor="white", markeredgewidth=1.0)
    axis.set(xticks=[], yticks=[], xlabel="first principal component", ylabel="second")
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_title("Embeddings (PCA)")
    axis.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, markerscale=2, handletextpad=0.1, columnspacing=1
    )


def _caption(gap: Gap, points: Mapping[str, Float32] | None) -> str:
    counts = sorted({c.n for c in gap.cells.values()})
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    level = next(iter(gap.cells.values())).ci_level
    text = (
        "The modality gap before (text) and after mean-shift and the prior, against the true image embeddings of the "
        f"same clips (n = {n}; error bars: {percent(level)} interval)."
    )
    if points:
        text += " Right: the clouds on their first two principal components; large marks: centroids."
    return text
