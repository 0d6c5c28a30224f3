"""Scores of the variants of a training recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import PALETTE
from clipsonic_eval.formats import arrow
from clipsonic_eval.reporting import recipe_rows
from clipsonic_eval.reporting.figures import style

_MARKERS = "osD^vP"


def draw(shown: Mapping[str, Mapping[str, recipe_rows.Row]]) -> tuple[Figure, str]:
    """Return the figure, a panel per metric and a row per variant, and its caption.

    Args:
        shown: from :func:`clipsonic_eval.reporting.recipe_rows.by_setting`.
    """
    names = list(dict.fromkeys(name for rows in shown.values() for name in rows))
    figure = style.figure(2, 0.75 + 0.2 * len(names))
    metrics = recipe_rows.measured(row for rows in shown.values() for row in rows.values())
    axes = figure.subplots(1, len(metrics), sharey=True)
    for axis, (metric, higher) in zip(axes, metrics.items(), strict=True):
        for i, (setting, rows) in enumerate(shown.items()):
            shift = 0.22 * (i - (len(shown) - 1) / 2)  # settings next to each other
            _points(axis, rows, names, metric, (setting, PALETTE[i % len(PALETTE)], _MARKERS[i % len(_MARKERS)], shift))
        axis.set_xlabel(f"{recipe_rows.name_of(metric)} {arrow(higher)}")
        axis.grid(axis="x")
        axis.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    if len(shown) > 1:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    n = sorted({scores["n"] for rows in shown.values() for row in rows.values() for _, scores in row})
    return figure, (
        f"Variants of the recipe at equal processor time on validation clips (n = {n[0]}), the lowest FAD on top. "
        "Points: mean over training seeds; ticks: the seeds."
    )


def _points(
    axis: Any, rows: Mapping[str, recipe_rows.Row], names: list[str], metric: str, look: tuple[str, str, str, float]
) -> None:
    setting, colour, marker, shift = look
    places = {name: names.index(name) + shift for name in rows if np.isfinite(recipe_rows.mean(rows[name], metric))}
    for name, y in places.items():
        by_seed = [scores[metric] for _, scores in rows[name] if scores.get(metric) is not None]
        axis.plot(by_seed, [y] * len(by_seed), "|", color=colour, markersize=6, markeredgewidth=0.9)
    means = [recipe_rows.mean(rows[name], metric) for name in places]
    axis.plot(means, list(places.values()), marker, color=colour, markersize=4, label=setting)
