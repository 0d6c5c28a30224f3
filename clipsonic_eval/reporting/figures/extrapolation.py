"""FAD of ever more clips against 1 / n, and the line to infinitely many: FAD∞."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import NOISE, SHUFFLED, Catalogue, SystemStyle
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
_SLASH = ((-1.0, -0.5), (1.0, 0.5))  # where the axis is broken
_APART = 0.014  # of the axis, between intervals
_BROKEN = 0.2  # of the range of all, from which gap on the axis is broken


def scores(runs: Sequence[Run]) -> list[tuple[str, Score]]:
    """Return the extrapolations that carry the distances of their subsets, with the training seed."""
    every = [(run.tag("train_seed"), score) for run in runs for score in run.record.scores]
    found = [(seed, s) for seed, s in every if s.metric == _METRIC and s.system not in _HIDDEN and subsets(s)]
    return list({(s.system, s.value): (seed, s) for seed, s in found}.values())  # untrained systems count once


def draw(runs: Sequence[Run], catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a line per system, the mean over its training seeds, and its caption.

    Where some systems lie far above the others, the axis is broken between them.

    Args:
        runs: of the main table.
        catalogue: names, order and colours.
    """
    found = scores(runs)
    lines = [
        _Line(catalogue.style(entry.name), [s for _, s in found if s.system == entry.name])
        for entry in catalogue.ordered({s.system for _, s in found})
    ]
    parts = _parts(lines)
    figure = style.figure(1, 2.9 if len(parts) == 1 else 3.4)
    axes = figure.subplots(len(parts), 1, sharex=True, squeeze=False, height_ratios=[1, 2][-len(parts) :])[:, 0]
    sizes = sorted({n for line in lines for n in line.points})
    for axis, part in zip(axes, parts, strict=True):
        for line in part:
            _draw_line(axis, line, at=-_APART * (2 + part.index(line)) / sizes[0])
        axis.grid(axis="y")
        axis.spines["bottom"].set_visible(axis is axes[-1])
        axis.tick_params(axis="x", length=2.5 if axis is axes[-1] else 0)
    for axis, edge in zip(axes, (0, 1) if len(parts) > 1 else (), strict=False):
        axis.plot([0], [edge], transform=axis.transAxes, marker=_SLASH, color="black", markersize=5, clip_on=False)
    marked = [sizes[round(i)] for i in np.linspace(0, len(sizes) - 1, _TICKS)]
    axes[-1].set_xticks([0.0, *(1 / n for n in marked)], ["∞", *map(str, marked)])
    axes[-1].set_xlim(left=-_APART * (3 + max(map(len, parts))) / sizes[0])
    axes[-1].set_xlabel("clips of the system (axis in 1 / n)")
    figure.supylabel("FAD ↓", fontsize="medium")
    style.legend(figure, axes)
    return figure, _caption([s for _, s in found], max(len(line.scores) for line in lines), broken=len(parts) > 1)


def _caption(found: Sequence[Score], seeds: int, *, broken: bool) -> str:
    sizes = sorted({n for score in found for n in subsets(score)})
    means = f", means over {seeds} training seeds" if seeds > 1 else ""
    return (
        f"FAD of subsets of {sizes[0]} to {sizes[-1]} clips against one reference, and the least-squares line in 1 / n "
        f"to infinitely many clips (n = {span(s.n for s in found)}{means}). Left of ∞: "
        f"{percent(found[0].ci_level)} interval over clips"
        + (", and the limit of each seed." if seeds > 1 else ".")
        + (" The axis is broken." if broken else "")
    )


class _Line:
    """The extrapolation of one system, the mean over its training seeds."""

    def __init__(self, look: SystemStyle, own: Sequence[Score]) -> None:
        self.look, self.scores = look, own
        self.limit = float(np.mean([s.value for s in own]))
        self.slope = float(np.mean([s.details["slope"] for s in own]))
        by_seed = [subsets(s) for s in own]
        shared = [n for n in by_seed[0] if all(n in of for of in by_seed)]
        self.points = {n: float(np.mean([of[n] for of in by_seed])) for n in shared}
        ends = [s.ci for s in own if s.ci is not None]
        self.ci = tuple(np.mean(ends, axis=0)) if len(ends) == len(own) else None  # as in the table

    @property
    def span(self) -> tuple[float, float]:
        """Least and largest of everything that is drawn."""
        every = [*self.points.values(), *(s.value for s in self.scores), *(self.ci or ())]
        return min(every), max(every)


def _parts(lines: Sequence[_Line]) -> list[list[_Line]]:
    """Return the lines of each part of the axis, the upper part first; one part where there is no wide gap."""
    ordered = sorted(lines, key=lambda line: line.span[0])
    tops = np.maximum.accumulate([line.span[1] for line in ordered])
    gaps = [line.span[0] - top for top, line in zip(tops, ordered[1:], strict=False)]
    whole = tops[-1] - ordered[0].span[0]
    if not gaps or max(gaps) < _BROKEN * whole:
        return [list(lines)]
    above = ordered[1 + int(np.argmax(gaps)) :]
    return [[line for line in lines if line in above], [line for line in lines if line not in above]]


def _draw_line(axis: Any, line: _Line, at: float) -> None:
    """Draw the line of a system, and its interval and seeds at a place of their own left of infinity."""
    x = [1 / n for n in line.points]
    look = line.look
    axis.plot(x, list(line.points.values()), ".", color=look.colour, markersize=2, markeredgewidth=0)
    ends = (0.0, max(x))
    values = [line.limit + line.slope * end for end in ends]  # d(n) = d∞ + slope / n
    dashes = {"color": look.colour, "linestyle": style.dash(look.marker), "linewidth": 0.8}
    axis.plot(ends, values, marker=look.marker, markersize=4, markevery=[0], label=look.name, **dashes)
    if line.ci is not None:
        axis.plot((at, at), line.ci, color=look.colour, linewidth=1.0, solid_capstyle="butt")
    if len(line.scores) > 1:
        seeds = [s.value for s in line.scores]
        axis.plot([at] * len(seeds), seeds, "_", color=look.colour, markersize=3, markeredgewidth=0.7)


def to_csv(runs: Sequence[Run]) -> str:
    """Return the distances as CSV, one row per system, training seed and number of clips, infinity among them."""
    rows: list[tuple[object, ...]] = []
    for seed, score in scores(runs):
        rows.append((score.system, seed, "inf", score.value, *(score.ci or (None, None)), score.signature))
        rows += [(score.system, seed, n, value, None, None, score.signature) for n, value in subsets(score).items()]
    return markup.plain_csv(("system", "train_seed", "clips", "fad", "ci_low", "ci_high", "signature"), rows)
