"""The sweep over CLIP variants: what the prior and its rivals gain over plain text, by the width of the gap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.analysis import names
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.sweep import GAINS, Point

_MARKERS = {"IQ": "D", "PD": "o", "mean-shift": "s"}


def draw(points: Sequence[Point], main: str, stem: Path) -> str:
    """Draw the figure and return its caption.

    Args:
        points: two CLIP variants or more.
        main: the CLIP variant of the main table; marked.
        stem: path without suffix.
    """
    ordered = sorted(points, key=lambda p: p.gap)
    pairs = [p for point in ordered for p in point.pairs]
    metrics = names.ordered_metrics(p.metric for p in pairs)
    with style.look():
        figure = style.figure(style.PAGE if len(metrics) > 1 else style.COLUMN, 2.5)
        axes = figure.subplots(1, len(metrics), squeeze=False)[0]
        for axis, metric in zip(axes, metrics, strict=True):
            higher = next(p.higher_is_better for p in pairs if p.metric == metric.name)
            _panel(axis, ordered, metric.name)
            _mark_main(axis, ordered, main)
            axis.set_title(f"{metric.title}: {'system − ZS' if higher else 'ZS − system'}")
            axis.set_xlabel("centroid distance image–text")
        axes[0].set_ylabel("gain over ZS")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        style.save(figure, stem)
    counts = sorted({p.n for p in pairs})
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    seeds = max(len(p.by_seed) for p in pairs)
    return (
        "Gain over the plain text embedding (ZS), above zero is better, against the width of the modality "
        f"gap; one point per CLIP variant ({len(ordered)}). Bars: 95 % interval over test queries (n = {n})"
        + (f"; small dots: {seeds} training seeds" if seeds > 1 else "")
        + (f". Dotted: CLIP variant of the table, '{main}'." if any(p.clip_variant == main for p in ordered) else ".")
    )


def _panel(axis: Any, points: Sequence[Point], metric: str) -> None:
    axis.axhline(0, color="black", linewidth=0.7)
    axis.grid(axis="y")
    span = (points[-1].gap - points[0].gap) or 1.0
    gains = names.with_own_k(GAINS, (pair.a for p in points for pair in p.pairs))
    for i, (a, b) in enumerate(gains):
        shown = [(p, pair) for p in points if (pair := p.pair(metric, a, b)) is not None]
        if not shown:
            continue
        colour = names.system(a).colour
        shift = (i - (len(gains) - 1) / 2) * 0.008 * span  # so that the bars do not cover each other
        places = [p.gap + shift for p, _ in shown]
        axis.plot(
            places, [pair.gain for _, pair in shown], color=colour, marker=_MARKERS.get(a, "^"), markersize=4, label=a
        )
        for place, (_, pair) in zip(places, shown, strict=True):
            sign = 1 if pair.higher_is_better else -1
            if pair.gain_ci is not None:
                axis.plot((place, place), pair.gain_ci, color=colour, linewidth=1.0)
            if len(pair.by_seed) > 1:
                by_seed = [sign * d for d in pair.by_seed.values()]
                axis.plot([place] * len(by_seed), by_seed, ".", color=colour, markersize=2.5, alpha=0.6)


def _mark_main(axis: Any, points: Sequence[Point], main: str) -> None:
    for point in points:
        if point.clip_variant == main:
            axis.axvline(point.gap, color=style.GREY, linewidth=0.7, linestyle=":", zorder=0)
