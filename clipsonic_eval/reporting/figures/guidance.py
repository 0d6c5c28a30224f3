"""Every metric against the guidance scale, with the scale that was chosen for the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.pooling import Scores
from clipsonic_eval.formats import percent
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.tables import heading
from clipsonic_eval.types import Score

_MARKERS = "osD^vPX*"
_MOST_BANDS = 4  # more bands than these lie on each other as mud: bars then


def draw(by_scale: Mapping[float, Scores], chosen: Mapping[str, float], split: str, stem: Path) -> str:
    """Draw the figure and return its caption.

    Args:
        by_scale: cells at each guidance scale.
        chosen: by system, the scale that the main table shows, where it is known.
        split: which part of the data this is.
        stem: path without suffix.
    """
    scales = sorted(by_scale)
    keys = {k for cells in by_scale.values() for k in cells}
    systems = [s for s in names.ordered(s for _, s in keys) if s.group != names.CONTROL]
    systems = [s for s in systems if sum(any(k[1] == s.name for k in by_scale[w]) for w in scales) > 1]
    metrics = names.ordered_metrics(m for m, s in keys if any(s == e.name for e in systems))
    crowded = len(systems) > _MOST_BANDS
    first = next(iter(by_scale.values()))
    with style.look():
        figure = style.figure(style.PAGE if len(metrics) > 1 else style.COLUMN, 2.3)
        axes = figure.subplots(1, len(metrics), squeeze=False)[0]
        for axis, metric in zip(axes, metrics, strict=True):
            for i, entry in enumerate(systems):
                key = (metric.name, entry.name)
                shown = {w: by_scale[w][key] for w in scales if key in by_scale[w]}
                shift = 1.018 ** (i - (len(systems) - 1) / 2) if crowded else None
                look = (entry.colour, _MARKERS[i % len(_MARKERS)])
                if shown:
                    _line(axis, shown, look, shift, chosen.get(entry.name))
            axis.set_xscale("log", base=2)
            axis.set_xticks(scales, [f"{w:g}" for w in scales])
            axis.minorticks_off()
            axis.set_xlabel("guidance scale")
            axis.set_title(heading(first, metric.name))
            axis.grid(axis="y")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 8), columnspacing=1.2)
        style.save(figure, stem)
    return _caption(by_scale, chosen, split, "Bars" if crowded else "Bands")


def _line(
    axis: Any, shown: Mapping[float, Score], look: tuple[str, str], shift: float | None, chosen: float | None
) -> None:
    """Draw one system; ``shift`` moves its points sideways (a factor) and gives it bars instead of a band."""
    colour, marker = look
    places = {w: w * (shift or 1.0) for w in shown}
    label = next(iter(shown.values())).system
    values = [c.value for c in shown.values()]
    axis.plot(list(places.values()), values, color=colour, marker=marker, markersize=3.5, label=label)
    ends = {places[w]: c.ci for w, c in shown.items() if c.ci is not None}
    if shift is not None:
        for place, end in ends.items():
            axis.plot((place, place), end, color=colour, linewidth=0.8, alpha=0.7)
    elif len(ends) > 1:
        low, high = zip(*ends.values(), strict=True)
        axis.fill_between(list(ends), low, high, color=colour, alpha=0.15, linewidth=0)
    if chosen is not None and chosen in shown:
        spot = ([places[chosen]], [shown[chosen].value])
        axis.plot(*spot, "o", markersize=8.5, markerfacecolor="none", color=colour, markeredgewidth=0.9)


def _caption(by_scale: Mapping[float, Scores], chosen: Mapping[str, float], split: str, drawn: str) -> str:
    cells = [c for group in by_scale.values() for c in group.values()]
    counts: Sequence[int] = sorted({c.n for c in cells})
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    seeds = max(len(c.by_seed) for c in cells)
    where = {"val": "validation split", "test": "test split"}.get(split, f"split '{split}'" if split else "one split")
    text = f"Metrics against the classifier-free guidance scale ({where}, n = {n}"
    text += f", mean over {seeds} training seeds)." if seeds > 1 else ")."
    text += f" {drawn}: {percent(cells[0].ci_level)} interval over clips."
    return text + (" Rings: the scale chosen for the table." if chosen else "")
