"""FAD of ever more clips against 1 / n, and the line to infinitely many: FAD∞."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import NOISE, SHUFFLED, Catalogue
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.formats import percent
from clipsonic_eval.metrics.frechet_limit import subsets
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.tables import span
from clipsonic_eval.types import Score

_METRIC = "fad_inf"
_HIDDEN = (SHUFFLED, NOISE)  # the real audio again, and far off
_TICKS = 3


def scores(runs: Sequence[Run]) -> list[tuple[str, Score]]:
    """Return the extrapolations that carry the distances of their subsets, with the training seed."""
    every = [(run.tag("train_seed"), score) for run in runs for score in run.record.scores]
    found = [(seed, s) for seed, s in every if s.metric == _METRIC and s.system not in _HIDDEN and subsets(s)]
    return list({(s.system, s.value): (seed, s) for seed, s in found}.values())  # untrained systems count once


def draw(runs: Sequence[Run], catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a line per system and training seed, and its caption.

    Args:
        runs: of the main table.
        catalogue: names, order and colours.
    """
    found = scores(runs)
    order = [entry.name for entry in catalogue.ordered({s.system for _, s in found})]
    figure = style.figure(1, 2.9)
    axis = figure.subplots()
    for name in order:
        for i, score in enumerate(s for _, s in found if s.system == name):
            _line(axis, score, catalogue, label=name if i == 0 else "_")
    sizes = sorted({n for _, s in found for n in subsets(s)})
    marked = [sizes[round(i)] for i in np.linspace(0, len(sizes) - 1, _TICKS)]
    axis.set_xticks([0.0, *(1 / n for n in marked)], ["∞", *map(str, marked)])
    axis.set_xlim(left=-0.04 / sizes[0])
    axis.set_xlabel("clips of the system (axis in 1 / n)")
    axis.set_ylabel("FAD ↓")
    axis.grid(axis="y")
    style.legend(figure, [axis])
    seeds = len({seed for seed, _ in found})
    return figure, (
        f"FAD of subsets of {sizes[0]} to {sizes[-1]} clips against one reference, and the least-squares line in 1 / n "
        f"to infinitely many clips (n = {span(s.n for _, s in found)}). Bars at ∞: "
        f"{percent(found[0][1].ci_level)} interval over clips" + (f"; {seeds} training seeds." if seeds > 1 else ".")
    )


def _line(axis: Any, score: Score, catalogue: Catalogue, label: str) -> None:
    entry, points = catalogue.style(score.system), subsets(score)
    x = [1 / n for n in points]
    axis.plot(x, list(points.values()), ".", color=entry.colour, markersize=2, markeredgewidth=0)
    ends = (0.0, max(x))
    line = [score.value + score.details["slope"] * end for end in ends]  # d(n) = d∞ + slope / n
    look = {"color": entry.colour, "linestyle": style.dash(entry.marker), "linewidth": 0.8}
    axis.plot(ends, line, marker=entry.marker, markersize=4, markevery=[0], label=label, **look)
    if score.ci is not None:
        axis.plot((0.0, 0.0), score.ci, color=entry.colour, linewidth=1.4, solid_capstyle="butt")


def to_csv(runs: Sequence[Run]) -> str:
    """Return the distances as CSV, one row per system, training seed and number of clips, infinity among them."""
    rows: list[tuple[object, ...]] = []
    for seed, score in scores(runs):
        rows.append((score.system, seed, "inf", score.value, *(score.ci or (None, None)), score.signature))
        rows += [(score.system, seed, n, value, None, None, score.signature) for n, value in subsets(score).items()]
    return markup.plain_csv(("system", "train_seed", "clips", "fad", "ci_low", "ci_high", "signature"), rows)
